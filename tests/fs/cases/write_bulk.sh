# Megabytes: single writes of 3 MiB (which the kernel cuts anywhere), cat in pieces, eight writers on one path.
mount_ts
cd "$MNT"
mkdir p
awk 'BEGIN { for (i = 0; i < 100000; i++) printf "m,k=k%d v=%d %d000000000\n", i % 10, i, 1700000000 + i }' > "$WORK/lp"
dd if="$WORK/lp" of=p/write bs=3M status=none
value p/query "SELECT count(*), sum(v) FROM m"
sed 's/^m/n/' "$WORK/lp" | cat > p/write
value p/query "SELECT count(*), sum(v) FROM n"
for i in 1 2 3 4 5 6 7 8; do
    sed "s/^m/o,w=w$i/" "$WORK/lp" > "$WORK/lp$i"
done
for i in 1 2 3 4 5 6 7 8; do
    cat "$WORK/lp$i" > p/write &
done
wait
value p/query "SELECT count(*), sum(v), count(DISTINCT w) FROM o"
wc -c < p/o/rejected
