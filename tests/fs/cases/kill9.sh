# The daemon is killed at random moments, TSFS_KILLS times (50): every acknowledged line is there, none twice.
mount_ts
mkdir "$MNT/p"
kills=${TSFS_KILLS:-50}
RANDOM=7
next=0
: > "$WORK/acked"
for ((round = 1; round <= kills; round++)); do
    pid=$(pid_ts)
    # One feeder a round, either line by line or some hundred lines a write; it stops at the first refusal and
    # notes how far it was acknowledged, and how far it had begun.
    (
        i=$next
        step=1
        [ $((round % 2)) -eq 0 ] && step=200
        while :; do
            lines=
            for ((j = i; j < i + step; j++)); do lines+="m,k=k$((j % 7)) v=$j $((1600000000 + j))000000000"$'\n'; done
            echo $((i + step)) > "$WORK/begun"
            printf '%s' "$lines" > "$MNT/p/write" || break
            i=$((i + step))
            echo $i > "$WORK/acked"
        done
    ) 2> /dev/null &
    feeder=$!
    sleep 0.$((RANDOM % 300 + 50))
    [ $((round % 10)) -eq 5 ] && { echo migrate > "$MNT/p/m/ctl"; } 2> /dev/null &
    sleep 0.0$((RANDOM % 90 + 10))
    kill -9 "$pid"
    wait 2> /dev/null
    gone "$pid"
    mount_ts
    acked=$(cat "$WORK/acked")
    begun=$(cat "$WORK/begun")
    acked=${acked:-0}
    there=$(value "$MNT/p/query" "SELECT count(*) FROM m WHERE v < $acked")
    more=$(value "$MNT/p/query" "SELECT count(*) FROM m WHERE v >= $acked")
    distinct=$(value "$MNT/p/query" "SELECT count(DISTINCT v) FROM m")
    if [ "$there" != "$acked" ] || [ "$distinct" != $((there + more)) ] || [ "$more" -gt $((begun - acked)) ]; then
        echo "round $round: acknowledged $acked, of them there $there, beyond $more (begun $begun), distinct $distinct"
        exit 1
    fi
    next=$begun
    # Begun but unacknowledged lines may or may not be there: write them again, which must not make them twice.
    for ((j = acked; j < begun; j++)); do echo "m,k=k$((j % 7)) v=$j $((1600000000 + j))000000000"; done > "$MNT/p/write"
    echo "$begun" > "$WORK/acked"
done
[ "$next" -gt "$kills" ] && echo "enough lines"
[ "$(value "$MNT/p/query" 'SELECT count(*) FROM m')" = "$next" ] && echo "every line once"
