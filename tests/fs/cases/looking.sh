# Looking has no effect: find, du, ls, grep and tar over the whole mount are quick and change nothing.
mount_ts
cd "$MNT"
for d in a b c; do
    mkdir $d
    for t in t u v; do echo "$t,k=1 v=1 1700000000000000000" > $d/write; done
done
echo "SELECT count(*) AS n FROM t" > a/query
cat a/query
cat */*/stats */*/config */*/schema */errors */*/errors > "$WORK/before"
start=$(date +%s%N)
find . > /dev/null
du -a . > /dev/null
ls -lR . > /dev/null
grep -r x . > /dev/null 2>&1
tar -cf /dev/null --exclude=write . 2>/dev/null
took=$(((($(date +%s%N) - start)) / 1000000))
[ $took -lt 20000 ] && echo quick || echo "$took ms"
cat */*/stats */*/config */*/schema */errors */*/errors | cmp - "$WORK/before" && echo unchanged
# tar finds nothing that changes while it looks, but what counts and measures.
tar -cf "$WORK/tree.tar" --exclude=write --exclude=stats --exclude=.tsfs . && echo "tar is content"
find . -type f | wc -l
df --output=fstype . | tail -1
[ "$(stat -f -c %b:%S .)" = "$(stat -f -c %b:%S "$DATA")" ] && echo "df is DATA's"
