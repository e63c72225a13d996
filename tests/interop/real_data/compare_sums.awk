# Two sorted files of sums: counts, minima and maxima are the same, sums to the rounding of adding them in another order.
BEGIN { FS = "\t" }
function number(s) { return s ~ /^[-+]?[0-9]*\.?[0-9]+([eE][-+]?[0-9]+)?$/ }
function same(a, b) { return a "" == b "" || number(a) && number(b) && a + 0 == b + 0 }
function complain(s) {
    if (++bad <= 10)
        print s
}
{
    if ((getline got < other) <= 0)
        got = ""
    split(got, g, FS)
    slack = $8 * 1e-13
    off = $5 - g[5]
    if ($1 != g[1] || $2 != g[2] || $3 != g[3] || $4 != g[4] || !same($6, g[6]) || !same($7, g[7]) || off > slack || -off > slack)
        complain("wanted " $0 ", there is " got)
}
END {
    if (!bad && (getline got < other) > 0)
        complain("too much: " got)
    exit bad > 0
}
