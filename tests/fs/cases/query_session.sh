# echo SQL > query; cat query: the last question of the same user in the same session and folder, nobody else's.
mount_ts
cd "$MNT"
mkdir p q
echo 'm v=1 1700000000000000000' > p/write
cat p/query
echo "SELECT v FROM m" > p/query
cat p/query
cat p/query
cat p/query.json
echo "SELECT v + 1 AS w FROM m" > p/query.json
cat p/query
echo "other folder:"; cat q/query query
echo "other session:"; setsid -w cat p/query
setsid -w bash -c 'echo "SELECT 7 AS seven" > p/query; cat p/query'
cat p/query
# The text may come in several writes; opening again begins anew.
{ echo "SELECT v"; echo "FROM m"; } > p/query
cat p/query
echo "SELECT 2 AS two" >> p/query
cat p/query
# touch asks nothing, > empties.
touch p/query
cat p/query
: > p/query
cat p/query
