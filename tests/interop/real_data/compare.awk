# Two sorted files of cells: the same places, and the same values (as text, or the same double).
BEGIN { FS = "\t" }
function number(s) { return s ~ /^[-+]?[0-9]*\.?[0-9]+([eE][-+]?[0-9]+)?$/ || s ~ /^[-+]?[0-9]+\.$/ }
function complain(s) {
    if (++bad <= 10)
        print s
}
{
    want = $0
    place = $1 FS $2 FS $3 FS $4
    value = $5
    if ((getline got < other) <= 0) {
        complain("not there: " want)
        next
    }
    split(got, g, FS)
    if (place != g[1] FS g[2] FS g[3] FS g[4]) {
        complain("wanted " want ", there is " got)
        exit 1
    }
    if (value != g[5] "" && !(number(value) && number(g[5]) && value + 0 == g[5] + 0))
        complain("wanted " want ", there is " got)
}
END {
    if (!bad && (getline got < other) > 0)
        complain("too much: " got)
    exit bad > 0
}
