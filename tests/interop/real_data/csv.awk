# A CSV of the collection, straight to cells (form = "cells") or to line protocol (form = "lp").
# kind = nab: timestamp,value, the series named by `name`; kind = weather: hourly weather of three airports, NA missing.
function days(y, m, d) { # since 1970-01-01
    y -= m <= 2
    m += m <= 2 ? 9 : -3
    return 365 * y + int(y / 4) - int(y / 100) + int(y / 400) + int((153 * m + 2) / 5) + d - 1 - 719468
}
function seconds(t) { # of "YYYY-MM-DD?hh:mm:ss"
    return days(substr(t, 1, 4) + 0, substr(t, 6, 2) + 0, substr(t, 9, 2) + 0) * 86400 \
        + substr(t, 12, 2) * 3600 + substr(t, 15, 2) * 60 + substr(t, 18, 2)
}
function cell(field, value) {
    if (value == "NA")
        return
    if (form == "cells")
        print table "\t" table "|" tag "\t" time "\t" field "\t" value
    else
        fields = fields (fields == "" ? "" : ",") field "=" value (field ~ /^(year|month|day|hour)$/ ? "i" : "")
}
BEGIN { FS = "," }
{ sub(/\r$/, "") }
FNR == 1 {
    for (i = 1; i <= NF; i++)
        names[i] = $i
    next
}
$0 != "" {
    fields = ""
    if (kind == "nab") {
        table = "nab"
        tag = "file=" name
        time = sprintf("%.0f000000000", seconds($1))
        cell("value", $2)
    } else {
        table = "nyc"
        tag = "origin=" $1
        time = sprintf("%.0f000000000", seconds($15))
        for (i = 2; i <= 14; i++)
            cell(names[i], $i)
    }
    if (form == "lp")
        print table "," tag " " fields " " time
}
