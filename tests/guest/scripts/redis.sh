# A server with 20,000 keys takes a snapshot while a client writes; a second one loads the snapshot.
cd /tmp
log=/tmp/redis.log

start() {
    redis-server --port "$1" --save '' --enable-debug-command yes --dbfilename "$2" >>$log 2>&1 &
    for i in {1..600}; do redis-cli -p "$1" ping >/dev/null 2>&1 && return; sleep 0.05; done
    exit 1
}

ask() { redis-cli "$@"; }

start 6379 snapshot
ask debug populate 20000
ask dbsize
before=$(ask debug digest)
ask bgsave
for i in 1 2 3 4 5 6 7 8 9 10; do ask set "key:$i" changed; done | sort | uniq -c
while ask info persistence | grep -q bgsave_in_progress:1; do sleep 0.05; done
ask info persistence | grep -E '^rdb_last_(bgsave_status|cow_size)'
now=$(ask debug digest)
[ "$before" != "$now" ] && echo written
ask debug reload
[ "$(ask debug digest)" = "$now" ] && echo reloaded the same
ask -p 6379 bgsave >/dev/null
while ask info persistence | grep -q bgsave_in_progress:1; do sleep 0.05; done
start 6380 snapshot
[ "$(ask -p 6380 debug digest)" = "$now" ] && echo loaded the same
ask -p 6380 shutdown nosave
ask shutdown nosave
redis-check-rdb /tmp/snapshot | grep -o 'RDB looks OK'
wait
