# Tools that think these are ordinary files: clear errors, the daemon alive, nothing lost.
mount_ts
cd "$MNT"
mkdir p
echo 'm v=1 1700000000000000000' > p/write
stat -c %s p/m/schema > "$WORK/size"
for f in p/write p/query p/config p/m/schema p/m/stats p/m/errors p/m/rejected p/m/ctl .tsfs/status; do
    echo "$f"
    try "sed -i s/a/b/ $f" | sed 's/\[couldn.t open temporary file.*/[sed]/'
    try touch $f
    try "mv $f '$WORK/moved'" | sed "s/^/mv /"
    [ -e "$WORK/moved" ] && rm -f "$WORK/moved"
    try "cp -a $f '$WORK/copied'" | sed "s/^/cp /"
    rm -f "$WORK/copied"
done
if command -v vim > /dev/null; then
    vim -es -u NONE -c '%s/ns/ms/e' -c 'wq!' p/m/config < /dev/null > /dev/null 2>&1
    grep '^precision' p/m/config
    vim -es -u NONE -c 'wq!' p/m/schema < /dev/null > /dev/null 2>&1
else
    echo 'precision = ms' > p/m/config
    grep '^precision' p/m/config
fi
cp -a p "$WORK/tree" 2> /dev/null
cmp p/m/config "$WORK/tree/m/config" && echo copied
[ "$(stat -c %s p/m/schema)" = "$(cat "$WORK/size")" ] && value p/query "SELECT count(*), sum(v) FROM m"
