# Read beside another program: a line of CSV into cell[1..n]; text[k] says that cell k was quoted.
function split_csv(line,    n, s, c, i, quoted) {
    n = 1
    s = ""
    text[1] = 0
    if (index(line, "\"") == 0) {
        n = split(line, cell, ",")
        for (i = 1; i <= n; i++)
            text[i] = 0
        return n
    }
    for (i = 1; i <= length(line); i++) {
        c = substr(line, i, 1)
        if (c == "\"") {
            if (quoted && substr(line, i + 1, 1) == "\"") {
                s = s c
                i++
            } else {
                quoted = !quoted
                text[n] = 1
            }
        } else if (c == "," && !quoted) {
            cell[n++] = s
            s = ""
            text[n] = 0
        } else {
            s = s c
        }
    }
    cell[n] = s
    return n
}
