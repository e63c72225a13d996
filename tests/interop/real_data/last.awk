# Of cells with one place (table, series, time, field) the last one stays.
BEGIN { FS = OFS = "\t" }
{ cells[$1 FS $2 FS $3 FS $4] = $5 }
END {
    for (place in cells)
        print place, cells[place]
}
