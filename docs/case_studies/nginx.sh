# nginx with WORKERS processes serves a file, which curl asks for REQUESTS times; then it is ended
# with the signal END. Arguments: WORKERS, REQUESTS, END.
mkdir -p /tmp/www /tmp/n
echo hello >/tmp/www/index.html
cat >/tmp/n/conf <<END
user root;
worker_processes $1;
pid /tmp/n/pid;
error_log /tmp/n/error;
events { worker_connections 64; }
http {
    access_log off;
    client_body_temp_path /tmp/n/a; proxy_temp_path /tmp/n/b; fastcgi_temp_path /tmp/n/c;
    uwsgi_temp_path /tmp/n/d; scgi_temp_path /tmp/n/e;
    server { listen unix:/tmp/n/socket; root /tmp/www; }
}
END
nginx -c /tmp/n/conf
for ((i = 0; i < $2; i++)); do urls+=' http://any/'; done
curl -s --unix-socket /tmp/n/socket $urls | uniq -c
read -r master </tmp/n/pid
kill -s "$3" $master $(cat /proc/$master/task/$master/children)
while [ -d /proc/$master ]; do sleep 0.02; done
