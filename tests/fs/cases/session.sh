# The ten lines of the README: make, append, ask, look, unmount, mount again, ask again.
mount_ts
cd "$MNT"
mkdir plant
echo 'machine_metrics,machine=M1 temperature=21.5,pressure=99.5 1700000000000000000' >> plant/write
echo 'machine_metrics,machine=M1 temperature=22.5,pressure=100.5 1700000001000000000' > plant/write
echo 'machine_metrics,machine=M2 temperature=30,pressure=98 1700000000000000000' >> plant/write
ls plant plant/machine_metrics
echo "SELECT machine, avg(temperature) AS t FROM machine_metrics GROUP BY machine ORDER BY machine" > plant/query
cat plant/query
cat plant/query.json
cat plant/query.txt
ask query "SELECT count(*) AS n FROM plant.machine_metrics"
umount_ts
mount_ts
ask "$MNT/plant/query" "SELECT machine, pressure FROM machine_metrics WHERE time = '2023-11-14 22:13:20' ORDER BY 1"
