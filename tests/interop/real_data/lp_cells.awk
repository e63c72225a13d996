# Line protocol to cells: TABLE \t MEASUREMENT|TAG=VALUE,... \t TIME \t FIELD \t VALUE, a field each, tags sorted by name.
# A slow reader of its own, byte by byte, that shares nothing with ours.
function part(ends,    c, s, quoted) { # up to one of the bytes in ends, which is left standing
    s = ""
    quoted = 0
    while (at <= length($0)) {
        c = substr($0, at, 1)
        if (c == "\\" && at < length($0)) {
            n = substr($0, at + 1, 1)
            if (quoted ? (n == "\"" || n == "\\") : index(" ,=\\", n)) {
                s = s n
                at += 2
                continue
            }
        }
        if (c == "\"" && ends == " ,") {
            quoted = !quoted
            was_quoted = 1
            at++
            continue
        }
        if (!quoted && index(ends, c))
            return s
        s = s c
        at++
    }
    return s
}
$0 == "" || /^#/ { next }
{
    at = 1
    table = part(", ")
    ntags = 0
    while (substr($0, at, 1) == ",") {
        at++
        key = part("=")
        at++
        tag = key "=" part(", ")
        for (i = ++ntags; i > 1 && tags[i - 1] > tag; i--)
            tags[i] = tags[i - 1]
        tags[i] = tag
    }
    series = table "|"
    for (i = 1; i <= ntags; i++)
        series = series (i > 1 ? "," : "") tags[i]
    nfields = 0
    do {
        at++
        names[++nfields] = part("=")
        at++
        was_quoted = 0
        value = part(" ,")
        if (!was_quoted && value ~ /^-?[0-9]+[iu]$/)
            value = substr(value, 1, length(value) - 1)
        else if (!was_quoted && value ~ /^([tT]|true|True|TRUE)$/)
            value = "true"
        else if (!was_quoted && value ~ /^([fF]|false|False|FALSE)$/)
            value = "false"
        values[nfields] = value
    } while (substr($0, at, 1) == ",")
    at++
    time = part(" ")
    for (i = 1; i <= nfields; i++)
        print table "\t" series "\t" time "\t" names[i] "\t" values[i]
}
