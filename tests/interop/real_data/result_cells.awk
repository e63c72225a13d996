# The CSV of `SELECT to_nanoseconds(time), measure_name, DIMENSIONS sorted, MEASURES FROM table` to cells.
# -v table=NAME -v ndims=N
{ n = split_csv($0) }
FNR == 1 {
    for (i = 1; i <= n; i++)
        names[i] = cell[i]
    width = n
    next
}
n != width {
    print "row " FNR " of " table " has " n " columns"
    next
}
{
    series = cell[2] "|"
    first = 1
    for (i = 3; i < 3 + ndims; i++) {
        if (cell[i] == "" && !text[i])
            continue
        series = series (first ? "" : ",") names[i] "=" cell[i]
        first = 0
    }
    for (i = 3 + ndims; i <= width; i++)
        if (cell[i] != "" || text[i])
            print table "\t" series "\t" cell[1] "\t" names[i] "\t" cell[i]
}
