#!/bin/bash
# Segments of a mounted cold tier through independent readers: cold_readers.sh TSFS
#
# Tables with all types, extremes, NULLs, several measurements, new columns and late rows, made here, and the real
# recordings when they are there (TSFS_REAL_DATA, default ../shared/data beside the project).  Every row that SQL
# gives must come out of the files by DuckDB, arrow-rs and hyparquet, no other; counts, sums, minima and maxima by
# DuckDB must be SQL's.  A segment in the mount is byte for byte the one in DATA.  Then the other way: files that DuckDB
# writes are copied into cold/ and must answer as DuckDB does.
set -u
TSFS=$(readlink -f "${1:?usage: cold_readers.sh TSFS}")
. "$(dirname "$0")/lib.sh"
need_modules
need_work
cd "$WORK" || exit 1
mount_ts
mkdir "$MNT/db"
echo 'memory_retention = 36500d' > "$MNT/db/config"

# ---- tables made here
# A plant of 3 days: strings (also empty, quoted, with commas and newlines, UTF-8), booleans, NULLs everywhere, tags that
# some series lack.
awk 'BEGIN {
    for (i = 0; i < 12960; i++) {
        m = i % 15
        tags = sprintf("factory=F%d,machine=M%02d", m % 4, m) (m % 3 ? "" : ",line=L\\ " m)
        f = sprintf("temperature=%.3f", 60 + (i * 7919 % 20011) / 1000)
        if (i % 4) f = f sprintf(",energy=%.0fi", i * 1000003 - 5000000000)
        if (i % 5 == 0) f = f ",alarm=" (i % 2 ? "true" : "false")
        if (i % 3 == 0) f = f ",pressure=" (i % 7 ? sin(i) : i)
        k = i % 7
        text = k == 0 ? "running" : k == 1 ? "idle" : k == 2 ? "\\\"quoted, with comma\\\"" : k == 3 ? "" : k == 4 ? "Größe" : k == 5 ? "two\nlines" : "-"
        if (i % 2) f = f ",state=\"" text "\""
        print "machine_metrics," tags " " f " " sprintf("%d%09d", 1700000000 + i * 20, i * 77 % 1000000000)
    }
}' > plant.lp
cat plant.lp > "$MNT/db/write" || exit 1
# The ends of every type, times before 1970 and at single nanoseconds.
cat > "$MNT/db/write" << 'LP' || exit 1
extremes,k=int v=9223372036854775807i,d=1.7976931348623157e308 -1
extremes,k=int v=-9223372036854775808i,d=-1.7976931348623157e308 0
extremes,k=int v=0i,d=5e-324 1
extremes,k=int v=-1i,d=-0.0 2
extremes,k=int d=0.1 -86400000000001
extremes,k=zero v=4611686018427387904i 1600000000123456789
extremes,k=zero d=2.2250738585072014e-308,b=t,s="" 1600000000123456790
extremes,k=\ \,\=,k2=ü s="𝄞",b=f 1600000000123456790
LP
# Several measurements in one table: through its own write.
mkdir "$MNT/db/mixed"
awk 'BEGIN { for (i = 0; i < 3000; i++) print (i % 3 == 0 ? "cpu,host=h" i % 5 " load=" i / 8 : i % 3 == 1 ? "disk,host=h" i % 5 ",path=/p" i % 2 " used=" i "i,full=" (i % 2 ? "T" : "F") : ",host=own x=" i % 10 "i") " " 1650000000 + i * 60 "000000000" }' > "$MNT/db/mixed/write" || exit 1
for t in machine_metrics extremes mixed; do echo migrate > "$MNT/db/$t/ctl" || exit 1; done
# Late: rows between the rows, other values, fields that were NULL, columns nobody had, a series nobody knew.
awk 'NR % 11 == 0 { sub(/temperature=[-0-9.]*/, "temperature=-1.25,late=" NR "i,note=\"late\""); print }
     NR % 500 == 0 { print "machine_metrics,machine=new,extra=x temperature=" NR " " 1700000000 + NR "000000500" }' RS='\n' plant.lp |
    grep '^machine.*[0-9]$' > late.lp
cat late.lp > "$MNT/db/write" || exit 1
echo 'extremes,k=int v=42i,s="new" 1' > "$MNT/db/write" || exit 1
for t in machine_metrics extremes; do echo migrate > "$MNT/db/$t/ctl" || exit 1; done

# ---- the recordings
data=${TSFS_REAL_DATA:-$top/../shared/data}
if [ -d "$data/nab" ]; then
    for f in "$data"/nab/*.csv; do
        awk -v kind=nab -v name="$(basename "$f" .csv)" -v form=lp -f "$here/real_data/csv.awk" "$f" > "$MNT/db/write" || exit 1
    done
    mkdir "$MNT/db/weather"
    echo 'partition = 30d' > "$MNT/db/weather/config"
    awk -v kind=weather -v form=lp -f "$here/real_data/csv.awk" "$data/nyc-weather/weather.csv" > "$MNT/db/write" || exit 1
    cat "$data"/*/*.lp > "$MNT/db/write" || exit 1
    for t in "$MNT"/db/*/; do echo migrate > "$t/ctl" || exit 1; done
else
    echo "without the real recordings: no $data"
fi

# ---- files in the mount are those of DATA
files=0
for t in "$MNT"/db/*/; do
    for f in "$t"cold/*.parquet; do
        day=$(basename "$f")
        own=$(echo "$DATA/db/$(basename "$t")/${day:0:4}-${day:4:2}-${day:6:2}T${day:9:2}Z"/seg-*.parquet)
        cmp "$f" "$own" || exit 1
        files=$((files + 1))
    done
done
echo "$files segments are those of DATA"

# ---- readers
# answer TABLE: what SQL gives, for the script to compare: TABLE.schema, TABLE.rows (time in ns), TABLE.sums
answer() {
    local list sums m
    cp "$MNT/db/$1/schema" "$1.schema"
    list=$(awk -F '\t' 'NR > 3 {gsub(/"/, "\"\"", $1); printf ", \"%s\"", $1}' "$1.schema")
    ask "$MNT/db/query" "SELECT to_nanoseconds(time) AS ns, measure_name$list FROM \"$1\"" > "$1.rows" || exit 1
    sums=$(awk -F '\t' 'NR > 3 && $2 == "measure" {gsub(/"/, "\"\"", $1); c = "\"" $1 "\""
        printf ", count(%s), %s, min(%s), max(%s)", c, $3 == "double" ? "sum(" c ")" : $3 == "bigint" ? "sum(CAST(" c " AS DOUBLE))" : "0", c, c}' "$1.schema")
    ask "$MNT/db/query" "SELECT count(*)$sums FROM \"$1\"" > "$1.sums" || exit 1
}
tables=$(for t in "$MNT"/db/*/; do basename "$t"; done)
for t in $tables; do answer "$t"; done
cp "$here/cold_readers.mjs" "$modules/"
# shellcheck disable=SC2086
node "$modules/cold_readers.mjs" read "$MNT/db" . $tables || exit 1

# ---- written by DuckDB, copied in
node "$modules/cold_readers.mjs" write "$WORK" || exit 1
mkdir "$MNT/db/attached"
# the roles and types that the file's columns are to have; over the first file lie rows of our own
echo 'duck,site=A level=-1,n=-1i,ok=f,name="own" 1600000000000000000' > "$MNT/db/attached/write" || exit 1
echo 'duck,site=own level=-2 1600000000000000000' > "$MNT/db/attached/write" || exit 1
for f in duck-*.parquet; do
    cp "$f" "$MNT/db/attached/cold/" || { echo "$f was refused: $(tail -n 1 "$MNT/db/attached/errors")"; exit 1; }
done
answer attached
node "$modules/cold_readers.mjs" read "$MNT/db" . attached || exit 1
node "$modules/cold_readers.mjs" attached "$WORK" || exit 1
# and what is not right is refused whole
for f in wrong-*.parquet; do
    if cp "$f" "$MNT/db/attached/cold/" 2> /dev/null; then echo "$f was taken"; exit 1; fi
    tail -n 1 "$MNT/db/attached/errors" | grep -q 'column' || { echo "$f: no reason: $(tail -n 1 "$MNT/db/attached/errors")"; exit 1; }
done
cp attached.rows before.rows
answer attached
cmp <(sort before.rows) <(sort attached.rows) || exit 1
umount_ts
