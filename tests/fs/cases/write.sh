# Lines in, by every way a shell has; offsets and truncation mean nothing.
mount_ts
cd "$MNT"
mkdir p
t=1700000000
echo "m,k=a v=1 ${t}000000000" > p/write
echo "m,k=a v=2 $((t + 1))000000000" >> p/write
printf 'm,k=a v=3 %s000000000\nm,k=a v=4 %s000000000\n' $((t + 2)) $((t + 3)) | tee -a p/write > /dev/null
{ echo "m,k=a v=5 $((t + 4))000000000"; echo "m,k=a v=6 $((t + 5))000000000"; } > p/write
echo "v=7 $((t + 6))000000000" > p/m/write
echo ",k=b v=8 $((t + 7))000000000" > p/m/write
printf '# a comment\n\n   \nm,k=a v=9 %s000000000\r\n' $((t + 8)) > p/write
echo "m,k=a v=10" > p/write
echo "m,k=a v=11 $((t + 9))000000000" | dd of=p/write bs=4096 seek=3 conv=notrunc status=none
echo "m,k=a v=12 $((t + 10))000000000" | dd of=p/write bs=4096 oflag=append conv=notrunc status=none
value p/query "SELECT count(*), sum(v), count(k) FROM m"
# No timestamp means now.
value p/query "SELECT v FROM m WHERE time > ago(1h)"
# Writing the same points again changes nothing; writing others of the same identity merges field by field.
echo "m,k=a v=1 ${t}000000000" > p/write
echo "m,k=a w=5i ${t}000000000" > p/write
echo "m,k=a v=100 ${t}000000000" > p/write
value p/query "SELECT v, w FROM m WHERE time = from_unixtime($t) AND k = 'a'"
# A line may come in pieces through one handle, however it is cut.
exec 7> p/write
printf 'm,k=c v=' >&7
printf '1 %s' $((t + 20)) >&7
printf '000000000\nm,k=c v=2 %s000000000' $((t + 21)) >&7
printf '\n' >&7
exec 7>&-
value p/query "SELECT count(*), sum(v) FROM m WHERE k = 'c'"
# Two handles do not meet inside a line.
exec 7> p/write 8> p/write
printf 'm,k=d v=1 ' >&7
printf 'm,k=e v=2 ' >&8
printf '%s000000000\n' $t >&7
printf '%s000000000\n' $t >&8
exec 7>&- 8>&-
value p/query "SELECT k, v FROM m WHERE k = 'd' OR k = 'e' ORDER BY k"
# Reading is refused, for root too.
try cat p/write
try 'exec 3<>p/write'
stat -c '%s' p/write
try truncate -s 0 p/write
try truncate -s 5 p/write
