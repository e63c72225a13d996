# Bad lines: the lines before are taken, the write that begins with one fails, and errors and rejected say so.
mount_ts
cd "$MNT"
mkdir p
t=1700000000
try "echo 'no fields' > p/write"
try "printf 'm v=1 ${t}000000000\nm v=\nm v=3 $((t + 1))000000000\n' | cat > p/write"
value p/query "SELECT count(*) FROM m"
try "echo 'm v=true $((t + 2))000000000' > p/write"
try "echo 'm v=1e999 $((t + 2))000000000' > p/write"
try "echo 'm v=1 9000000000000000000' > p/write"
try "printf 'm,a=\001 v=1\n' > p/write"
try "printf 'm,a=\377 v=1\n' > p/write"
try "echo 'm,a=1,a=2 v=1' > p/write"
try "echo 'm,x=1 x=1' > p/write"
try "echo 'm u=9223372036854775808u' > p/write"
try "echo 'm v=nan' > p/write"
value p/query "SELECT count(*) FROM m"
grep -c 'm v=true' p/m/rejected
grep -o 'line 2, column 5: field "v" has no value' p/errors
grep -o 'line 1, column 1: field "v" is boolean.*' p/m/errors
# A cut line is not guessed to be whole.
try "printf 'm v=12' | cat > p/write"
try "printf 'm v=1 ${t}000000000\nm v=12' | dd of=p/write status=none"
value p/query "SELECT count(*) FROM m"
cat p/errors p/m/rejected | grep -q 'm v=12' && echo noted
# Children close what they inherited; that does not end the line which their parent is at.
cut=$(grep -c 'no newline' p/errors)
(
    exec 7>&1 > p/write
    printf 'm,k=z v=5 '
    /bin/true
    echo "$(($(grep -c 'no newline' p/errors) - cut)) more" >&7
    printf '%s000000000\n' $t
)
value p/query "SELECT v FROM m WHERE k = 'z'"
# on_bad_line = skip takes all the good ones.
echo 'on_bad_line = skip' > p/m/config
printf 'v=1 %s000000000\nv=\nv=3 %s000000000\n' $((t + 50)) $((t + 51)) > p/m/write; echo $?
value p/query "SELECT count(*) FROM m WHERE time >= from_unixtime($((t + 50)))"
# A line without end, and binary junk.
try "head -c 3000000 /dev/zero | tr '\\0' x | dd of=p/write bs=64K status=none"
try "head -c 100000 /dev/urandom | dd of=p/write bs=64K status=none"
cat .tsfs/version > /dev/null && echo alive
