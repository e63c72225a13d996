# Measures declared as decimals: what is refused, what comes back from either tier, how a segment stores it.
mount_ts
cd "$MNT"
mkdir -p p/t
try "echo 'decimals = x' > p/t/config"
try "echo 'decimals = x:16' > p/t/config"
try "echo 'decimals = a:1,a:2' > p/t/config"
try "echo 'decimals = a:1 b:2' > p/t/config"
echo 'decimals = temp:2, price:4' > p/t/config
grep decimals p/t/config
echo 't,h=a temp=1.25,price=2i 1000' > p/t/write
try "echo 't,h=a temp=1.255 2000' > p/t/write"
try "echo 't,h=a price=1e300 2000' > p/t/write"
echo 't,h=a temp=-0.0,price=-1.0001,free=0.123456789 3000' > p/t/write
awk 'BEGIN { for (i = 0; i < 20000; i++) printf "t,h=b temp=%.2f,free=%.7f %d000\n", i * 7919 % 10007 / 100, i / 3, i }' > p/t/write
awk '$3 == "write:" { sub(/^.*field/, "field"); sub(/ \|.*/, ""); print }' p/t/errors
cat p/t/schema
sums='SELECT h, count(*), min(temp), max(temp), sum(cast(temp * 100 AS bigint)), max(free) FROM t GROUP BY h ORDER BY h'
ask p/t/query "$sums"
ask p/t/query "SELECT temp, price, free FROM t WHERE h = 'a' ORDER BY time"
ask p/t/query "SELECT * FROM t" | sort > "$WORK/hot"
echo migrate > p/t/ctl
ask p/t/query "$sums"
ask p/t/query "SELECT temp, price, free FROM t WHERE h = 'a' ORDER BY time"
ask p/t/query "SELECT * FROM t" | sort | cmp - "$WORK/hot" && echo same
# The declaration goes: what is written from then on is free, and so is the column of the next segment.
echo 'decimals =' > p/t/config
grep decimals p/t/config
echo 't,h=a temp=1.255 2000' > p/t/write
echo migrate > p/t/ctl
ask p/t/query "SELECT temp, price FROM t WHERE h = 'a' ORDER BY time"
# It comes back: the old value stays as it is.
echo 'decimals = temp:2' > p/t/config
try "echo 't,h=a temp=1.255 4000' > p/t/write"
echo 't,h=a temp=1.26 4000' > p/t/write
echo migrate > p/t/ctl
ask p/t/query "SELECT temp, price FROM t WHERE h = 'a' ORDER BY time"
umount_ts
