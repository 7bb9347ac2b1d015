# A new database, a server, clients over a socket of the file system and over TCP.
PATH=$(echo /usr/lib/postgresql/*/bin):$PATH
exec 2>&1
settings="-c listen_addresses=127.0.0.1 -c unix_socket_directories=/tmp -c fsync=off"
initdb -D /tmp/db -A trust --no-sync -E UTF8 --locale=C >/tmp/init || tail -5 /tmp/init
pg_ctl -D /tmp/db -s -o "$settings -c shared_buffers=16MB -c huge_pages=off" -l /tmp/log -w start
ask() { psql -d postgres -At -F ' ' "$@"; }
ask -h /tmp -q -c 'create table t as select n, n * n as square from generate_series(1, 1000) n'
ask -h /tmp -c 'select count(*), sum(square) from t'
for i in 1 2 3 4 5; do ask -h 127.0.0.1 -c 'select pg_backend_pid()' & done | sort -u | wc -l
ask -h 127.0.0.1 -c 'show is_superuser'
pg_ctl -D /tmp/db -s -m fast stop && echo stopped
