# The CSV of `SELECT 0, measure_name, DIMENSIONS sorted, count(*), count(a), sum(a), min(a), max(a), ... GROUP BY ...` in the form of sums.awk.
# -v table=NAME -v ndims=N -v names="* a ..."
BEGIN {
    nnames = split(names, name, " ")
    OFS = "\t"
}
{ n = split_csv($0) }
FNR == 1 {
    for (i = 1; i <= n; i++)
        head[i] = cell[i]
    next
}
{
    series = cell[2] "|"
    first = 1
    for (i = 3; i < 3 + ndims; i++) {
        if (cell[i] == "")
            continue
        series = series (first ? "" : ",") head[i] "=" cell[i]
        first = 0
    }
    print table, series, "*", cell[3 + ndims]
    at = 4 + ndims
    for (k = 2; k <= nnames; k++) {
        if (cell[at] > 0)
            print table, series, name[k], cell[at], cell[at + 1], cell[at + 2], cell[at + 3]
        at += 4
    }
}
