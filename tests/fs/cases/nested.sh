# Arrays, timeseries, lambdas and UNNEST over a table, in the three forms of results.
mount_ts
cd "$MNT"
mkdir p p/m
for i in 0 10 30; do
    echo "m,host=a v=$i.5,n=${i}i $((1700000000 + i))000000000"
    echo "m,host=b v=$((40 - i)).0,n=${i}i $((1700000000 + i))000000000"
done >p/m/write
ask() {
    exec 3<>"p/$1"
    echo "$2" >&3
    cat <&3
    exec 3>&-
}
ask query "SELECT host, create_time_series(time, v) AS s FROM m GROUP BY host ORDER BY host"
ask query.json "SELECT host, array_agg(n ORDER BY time DESC) AS a, ROW(host, max(v)) AS r, create_time_series(time, n) AS s FROM m GROUP BY host ORDER BY host"
ask query.txt "SELECT host, max(v, 2) AS top, filter(array_agg(n ORDER BY n), x -> x < 20) AS low FROM m GROUP BY host ORDER BY host"
ask query "WITH filled AS (
  SELECT host, interpolate_linear(create_time_series(time, v), sequence(min(time), max(time), 10s)) AS s
  FROM m GROUP BY host)
SELECT host, time, value FROM filled CROSS JOIN UNNEST(s) AS t (time, value) WHERE host = 'b' ORDER BY time"
ask query "SELECT host, correlate_pearson(create_time_series(time, v), create_time_series(time, n)) AS c, integral_trapezoidal(create_time_series(time, v), 1m) AS i FROM m GROUP BY host ORDER BY host"
ask query "SELECT count(*) AS n FROM m WHERE any_match(ARRAY['a', 'x'], h -> h = host) AND (host, n) IN (('a', 10), ('a', 30), ('b', 0))"
ask query "SELECT regexp_replace(host, '[ab]', '<\$0>') AS r, ARRAY[n][2] FROM m"
umount_ts
