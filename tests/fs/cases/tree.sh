# Folders of databases and tables: mkdir, rmdir, mv, and the names that are taken.
mount_ts
cd "$MNT"
ls -A .
mkdir a a/t b
ls -A a a/t .tsfs a/t/cold
stat -c '%n %F' a a/t a/t/cold a/write a/t/schema .tsfs .tsfs/version
try mkdir a
try mkdir a/t/x
try mkdir a/t/cold/x
for name in write query query.json query.txt config errors; do try mkdir a/$name; done
for name in query schema ctl cold stats rejected; do try mkdir $name; done
try mkdir .hidden a/.hidden
try "mkdir 'with space'"
try 'mkdir "$(printf x%.0s {1..255})"'
try 'rmdir "$(printf x%.0s {1..255})"'
try 'mkdir "$(printf x%.0s {1..257})"'
try rmdir a
mv a c
ls
mv c/t b/u
ls c b
try mv b/u b/query
try mv -T c b
try mv c b/
echo 'v=1 1700000000000000000' > b/u/write
mv b/u c/v
value c/query "SELECT v FROM v"
try rmdir c/v
rmdir b
try cat b/query
try rmdir b
# An object that was removed under an open folder.
mkdir d d/t
(cd d/t && rmdir ../../d/t && ls; cat schema 2>&1)
