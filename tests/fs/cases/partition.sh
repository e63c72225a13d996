# partition: chosen by a table's first write, shown in its config, kept; a length that is set is taken as it is.
mount_ts
cd "$MNT"
mkdir p
grep '^partition' p/config
# three years of one point a day, a month of one every five minutes, and points of today
awk 'BEGIN { for (i = 0; i < 1096; i++) printf "weather,at=a temp=%d.5 %d000000000\n", i % 30, 1577836800 + i * 86400 }' > "$WORK/weather"
awk 'BEGIN { for (i = 0; i < 8640; i++) printf "office,at=a temp=%d.5 %d000000000\n", i % 30, 1577836800 + i * 300 }' > "$WORK/office"
for f in weather office; do dd "if=$WORK/$f" of=p/write bs=128k conv=notrunc status=none; done
for i in 1 2 3; do echo "sensor v=$i" > p/write; done
mkdir p/monthly
echo 'partition = 30d' > p/monthly/config
echo 'v=1 1577836800000000000' > p/monthly/write
grep '^partition' p/*/config
for t in p/*/; do echo migrate > "$t/ctl"; done
(cd p; ls -d {weather,office,monthly}/cold/*)
value p/query "SELECT count(*), sum(temp) FROM weather"
# a copy of such a file restores it, in a new table as well
cp p/weather/cold/*.parquet "$WORK/20191220T000000Z-3650d.parquet"
mkdir p/again
cp "$WORK"/*.parquet p/again/cold/
grep '^partition' p/again/config; ls p/again/cold
value p/query "SELECT count(*), sum(temp) FROM again"
try "echo 'partition = 1d' > p/weather/config"
try "echo 'partition = 4000d' > p/config"
try "printf 'partition = 365d\ncold_retention = 100d\n' | cat > p/config"
umount_ts
mount_ts
cd "$MNT"
grep '^partition' p/*/config
ls p/weather/cold
value p/query "SELECT count(*), sum(temp) FROM weather"
