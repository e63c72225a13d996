# Cells, sorted, to TABLE \t SERIES \t rows, and per field to TABLE \t SERIES \t FIELD \t count \t sum \t min \t max \t sum of absolute values
# (strings: no sums).  Cells of a series come sorted by time, its rows are its distinct times.
BEGIN { FS = OFS = "\t"; CONVFMT = OFMT = "%.17g" }
{
    s = $1 FS $2
    if (s FS $3 != row) {
        row = s FS $3
        rows[s]++
    }
    f = s FS $4
    number = $5 ~ /^[-+]?[0-9.]+([eE][-+]?[0-9]+)?$/
    v = number ? $5 + 0 : $5
    if (!(f in n)) {
        low[f] = high[f] = v
        sum[f] = number ? 0 : ""
    }
    n[f]++
    if (number) {
        sum[f] += v
        size[f] += v < 0 ? -v : v
    }
    if (v < low[f])
        low[f] = v
    if (v > high[f])
        high[f] = v
}
END {
    for (s in rows)
        print s, "*", rows[s]
    for (f in n)
        print f, n[f], sum[f], low[f], high[f], size[f]
}
