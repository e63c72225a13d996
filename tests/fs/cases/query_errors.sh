# Wrong questions: at the write when it can be seen there, else at the read, with the place in query.txt and errors.
mount_ts
cd "$MNT"
mkdir p
echo 'machine_metrics temp=1 1700000000000000000' > p/write
try 'echo "SELEC 1" > p/query'
try 'echo "SELECT 1 FROM; " > p/query'
try 'cat p/query'
echo "SELECT avg(tempp) FROM machine_metrics" > p/query
try 'cat p/query'
cat p/query.txt
grep -o 'line 1, column 12: no column "tempp".*' p/errors
echo "SELECT v FROM nowhere" > p/query.txt
try cat p/query.txt
try cat p/query.txt
try 'echo "SELECT nope FROM machine_metrics;" > p/query'
# One handle: the failure, then its reason.
exec 3<> p/query.txt
echo "SELECT avg(tempp) FROM machine_metrics" >&3
cat <&3 2>&1 | sed 's/.*: //'
cat <&3
# ... and the handle takes the next question.
echo "SELECT temp FROM machine_metrics" >&3
cat <&3
exec 3>&-
# fsync asks.
echo "SELECT avg(tempp) FROM machine_metrics" | dd of=p/query conv=fsync status=none 2>&1 | sed 's/.*: //'
echo "SELECT temp FROM machine_metrics" | dd of=p/query conv=fsync status=none
cat p/query
# Megabytes of SQL, deep brackets, junk.
try '{ echo -n "SELECT 1"; head -c 2000000 /dev/zero | tr "\0" " "; } | dd of=p/query bs=64K status=none'
try 'echo "SELECT $(printf "(%.0s" {1..5000})1$(printf ")%.0s" {1..5000})" > p/query'
try 'head -c 100000 /dev/urandom | dd of=p/query bs=64K status=none'
try 'cat p/query'
ask p/query "SELECT temp FROM machine_metrics"
