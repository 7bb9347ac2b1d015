# Redis with 20,000 keys saves a snapshot; meanwhile a client changes a byte of N of them, STEP apart.
# Arguments: N, STEP, and settings of the server.
changes=$1 step=$2
shift 2
redis-server --port 6379 --save '' --enable-debug-command yes --rdb-key-save-delay 100 --dir /tmp "$@" \
    >/tmp/log &
until redis-cli ping >/tmp/answer 2>&1; do sleep 0.05; done
redis-cli debug populate 20000 key 100 >/tmp/answer
for ((i = 0; i < changes; i++)); do echo "setrange key:$((i * step % 20000)) 0 x"; done >/tmp/changes
redis-cli bgsave >/tmp/answer
redis-cli </tmp/changes >/tmp/answer
while redis-cli info persistence | grep -q bgsave_in_progress:1; do sleep 0.05; done
redis-cli info persistence | grep rdb_last_cow_size
redis-cli shutdown nosave
