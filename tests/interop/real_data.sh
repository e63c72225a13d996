#!/bin/bash
# Real recordings in, each cell and each sum back, whatever tier it lies in: real_data.sh TSFS
#
# The recordings are those of TSFS_REAL_DATA (default: ../shared/data beside the project); skipped without them.  CSV files
# become line protocol by awk, .lp files go in as they are.  What must come out is computed by awk from the source
# files alone (real_data/*.awk), with the last value of a repeated time winning and fields merging: every cell is
# compared, and rows, count, sum, min and max of every field of every series as SQL gives them.  The answers must be the same
# from memory, after kill -9, migrated, mounted anew, killed again, with everything written a second time over the
# cold tier, and after the merge of that.
set -u
TSFS=$(readlink -f "${1:?usage: real_data.sh TSFS}")
. "$(dirname "$0")/lib.sh"
data=${TSFS_REAL_DATA:-$top/../shared/data}
[ -d "$data/nab" ] && [ -d "$data/telegraf-lp" ] || skip "no recordings in $data (TSFS_REAL_DATA names their folder)"
need_work
lp=$here/real_data
cd "$WORK" || exit 1

# ---- what goes in, and what must come out
mkdir in
for f in "$data"/nab/*.csv; do
    name=$(basename "$f" .csv)
    awk -v kind=nab -v name="$name" -v form=lp -f "$lp/csv.awk" "$f" > "in/$name.lp"
    awk -v kind=nab -v name="$name" -v form=cells -f "$lp/csv.awk" "$f"
done > cells
awk -v kind=weather -v form=lp -f "$lp/csv.awk" "$data/nyc-weather/weather.csv" > in/nyc.lp
awk -v kind=weather -v form=cells -f "$lp/csv.awk" "$data/nyc-weather/weather.csv" >> cells
for f in "$data"/*/*.lp; do
    ln -s "$f" in/
    awk -f "$lp/lp_cells.awk" "$f"
done >> cells
awk -f "$lp/last.awk" cells | sort > want
awk -f "$lp/sums.awk" want | sort > want.sums
tables=$(cut -f 1 want | sort -u)
echo "$(ls in | wc -l) files, $(cat in/*.lp | grep -c .) lines; $(wc -l < cells) cells, $(wc -l < want) without repeats, in $(wc -w <<< "$tables") tables"
[ "$(wc -l < want)" -gt 100000 ] || { echo "that is not the whole collection"; exit 1; }

# ---- asking
columns() { awk -F '\t' -v role="$2" 'NR > 1 && $2 == role {print $1}' "$MNT/real/$1/schema"; }
numeric() { awk -F '\t' -v name="$2" '$1 == name {print $3}' "$MNT/real/$1/schema" | grep -qx 'double\|bigint'; }
quoted() { sed 's/"/""/g; s/.*/"&"/' | paste -sd , -; }

cells_of() { # TABLE
    local dims list
    dims=$(columns "$1" dimension | sort)
    list=$({ echo "$dims"; columns "$1" measure; } | grep . | quoted)
    ask "$MNT/real/query" "SELECT to_nanoseconds(time) AS ns, measure_name, $list FROM \"$1\"" |
        awk -v table="$1" -v ndims="$(grep -c . <<< "$dims")" -f "$lp/split_csv.awk" -f "$lp/result_cells.awk"
}
sums_of() { # TABLE: the database adds up, by series
    local dims group list=count\(*\) m names='*'
    dims=$(columns "$1" dimension | sort)
    group=$({ echo measure_name; echo "$dims"; } | grep . | quoted)
    for m in $(columns "$1" measure); do
        if numeric "$1" "$m"; then
            list="$list, count(\"$m\"), sum(\"$m\"), min(\"$m\"), max(\"$m\")"
        else
            list="$list, count(\"$m\"), CAST(NULL AS DOUBLE), min(\"$m\"), max(\"$m\")"
        fi
        names="$names $m"
    done
    # one row a series to one line a field
    ask "$MNT/real/query" "SELECT 0 AS zero, $group, $list FROM \"$1\" GROUP BY $group" |
        awk -v table="$1" -v ndims="$(grep -c . <<< "$dims")" -v names="$names" -f "$lp/split_csv.awk" -f "$lp/result_sums.awk"
}
failed=0
check() { # WHAT
    local start=$SECONDS t
    for t in $tables; do cells_of "$t"; done | sort > got
    for t in $tables; do sums_of "$t"; done | sort > got.sums
    if awk -v other=got -f "$lp/compare.awk" want && awk -v other=got.sums -f "$lp/compare_sums.awk" want.sums; then
        echo "$1: $(wc -l < got) cells and $(wc -l < got.sums) sums are right ($((SECONDS - start)) s)"
    else
        echo "$1: wrong"
        failed=1
    fi
}
ingest() {
    local f
    for f in in/*.lp; do
        cat "$f" > "$MNT/real/write" || { echo "$f was not taken: $(tail -n 1 "$MNT/real/errors")"; exit 1; }
    done
}
migrate() {
    local t start=$SECONDS
    for t in $tables; do echo migrate > "$MNT/real/$t/ctl" || { echo "$t was not migrated"; exit 1; }; done
    echo "migrated in $((SECONDS - start)) s: $(ls "$MNT"/real/*/cold/ | grep -c parquet) segments"
}

# ---- the rounds
mount_ts
# Nothing moves before it is told to; partitions of a day (recordings), a week (hourly weather) and a month (daily weather).
mkdir "$MNT/real" "$MNT/real/nyc" "$MNT/real/weather"
printf 'memory_retention = 36500d\n' | tee "$MNT/real/config" "$MNT/real/nyc/config" > "$MNT/real/weather/config"
echo 'partition = 7d' > "$MNT/real/nyc/config"
echo 'partition = 30d' > "$MNT/real/weather/config"
ingest
check "in memory"
crash_ts
check "in memory, after kill -9"
migrate
check "migrated"
umount_ts
mount_ts
check "mounted anew"
crash_ts
check "after kill -9"
ingest
check "written again, over the cold tier"
crash_ts
check "written again, after kill -9"
migrate
check "merged"
umount_ts
mount_ts
check "merged, mounted anew"
umount_ts
exit $failed
