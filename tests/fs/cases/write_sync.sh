# fsync, O_SYNC and O_DSYNC work on `write`.
need python3
mount_ts
cd "$MNT"
mkdir p
echo 'm v=1 1700000000000000000' | dd of=p/write oflag=sync status=none; echo $?
echo 'm v=2 1700000001000000000' | dd of=p/write oflag=dsync status=none; echo $?
echo 'm v=3 1700000002000000000' | dd of=p/write conv=fsync status=none; echo $?
python3 - <<'PY'
import os
f = os.open("p/write", os.O_WRONLY)
print(os.write(f, b"m v=4 1700000003000000000\n"))
os.fsync(f)
os.fdatasync(f)
os.close(f)
PY
sync p/m/schema; echo $?
value p/query "SELECT count(*), sum(v) FROM m"
