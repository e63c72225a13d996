# Settings: shown as they are written, all or none, kept, inherited.
mount_ts
cd "$MNT"
mkdir p
grep '^memory_retention' p/config
echo 'memory_retention = 6h' > p/config
mkdir p/t
grep '^memory_retention' p/config p/t/config
printf 'memory_retention = 1d\nprecision = ms\n' > p/t/config
grep -E '^(memory_retention|precision)' p/t/config
try "echo 'precision = fortnight' > p/t/config"
try "echo 'nonsense = 1' > p/t/config"
try "printf 'precision = s\nmemory_retention = soon\n' | cat > p/t/config"
grep precision p/t/config
grep -q nonsense p/t/errors && echo noted
try "head -c 5000 /dev/zero | dd of=p/t/config bs=8192 iflag=fullblock status=none"
# What is shown can be written back as it is; editors do.
echo 'partition = 1d' > p/t/config # auto would become a length with the first line
cp p/t/config "$WORK/c"; cp "$WORK/c" p/t/config; cmp "$WORK/c" p/t/config && echo same
try truncate -s 0 p/t/config; cmp "$WORK/c" p/t/config && echo same
try truncate -s 3 p/t/config
echo 'v=1 1700000000123' > p/t/write
value p/query "SELECT to_milliseconds(time) FROM t"
umount_ts
mount_ts
cmp "$WORK/c" "$MNT/p/t/config" && echo kept
cd "$MNT"
try "echo 'dance' > p/t/ctl"
try "echo 'flush' > p/t/ctl"
