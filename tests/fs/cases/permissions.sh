# Modes are the access control: another user, a group, root's limits; and they persist.
need_root
mount_ts -o allow_other
cd "$MNT"
mkdir -m 755 p
echo 'm v=1 1700000000000000000' > p/write
chmod 755 p/m
stat -c '%a %U %n' p p/m p/m/cold p/m/schema p/m/stats p/.. | sed 's, p/..$, root,'
u() { as 65534 65534 "${2:-}" "$1" 2>&1 | sed 's/.*: //'; }
u "echo 'm v=2 1700000001000000000' > p/write"
u "mkdir p/n"
u "mkdir q"
u "echo 'precision = s' > p/config"
u "echo migrate > p/m/ctl"
u "chmod 777 p/write"
u "cat p/m/schema > /dev/null && echo reads schema"
chmod 600 p/query p/m/query
u "echo 'SELECT v FROM m' > p/query"
chmod 666 p/query p/m/query
u "echo 'SELECT v FROM m' > p/query; cat p/query"
# One table is closed to them, whatever path they take.
chmod 600 p/m/query
u "echo 'SELECT v FROM p.m' > query; cat query"
u "echo 'SELECT v FROM m' > p/query; cat p/query"
chmod 666 p/m/query
# A group may write.
chgrp 4242 p/write p/m/write
chmod 220 p/write p/m/write
stat -c '%a %g' p/write
u "echo 'm v=3 1700000002000000000' > p/write && echo wrote" 4242
u "echo 'm v=4 1700000003000000000' > p/write"
u "cat p/write" 4242
# A folder of one's own.
chmod 777 .
u "mkdir -m 700 mine && echo 'm v=1 1700000000000000000' > mine/write && ls -d mine/m && stat -c %a:%u mine"
as 65533 65533 '' "ls mine" 2>&1 | sed 's/.*: //'
u "rmdir p"
u "chown 0 mine"
u "chmod 711 mine && stat -c %a mine"
# chmod and chown mean nothing elsewhere; set-id bits nowhere.
try chmod 777 p/m/schema
try chmod 4755 p
try chown 65534 p/m/stats
try chmod 444 p/m/schema
stat -c %a p/m/query.json
chown 65534:4242 p
umount_ts
mount_ts -o allow_other
cd "$MNT"
stat -c '%a %u %g %n' . p mine p/write p/m/write
# Without allow_other nobody else gets in.
umount_ts
mount_ts
as 65534 65534 '' "ls '$MNT'" 2>&1 | sed 's/.*: //'
