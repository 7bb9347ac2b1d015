# nginx and lighttpd serve files over TCP of both families and over a socket of the file system.
mkdir -p /tmp/www /tmp/n
printf 'root:x:0:0::/:/bin/bash\nnobody:x:65534:65534::/:/bin/false\n' >/etc/passwd
printf 'root:x:0:\nnogroup:x:65534:\n' >/etc/group
echo from the guest >/tmp/www/index.html
head -c 300000 /usr/bin/bash >/tmp/www/large
cat >/tmp/n/conf <<END
user root;
worker_processes 2;
pid /tmp/n/pid;
error_log /tmp/n/error;
events { worker_connections 64; }
http {
    access_log /tmp/n/access;
    client_body_temp_path /tmp/n/a; proxy_temp_path /tmp/n/b; fastcgi_temp_path /tmp/n/c;
    uwsgi_temp_path /tmp/n/d; scgi_temp_path /tmp/n/e;
    server { listen 8080; listen [::1]:8080; listen unix:/tmp/n/socket; root /tmp/www; }
}
END
nginx -c /tmp/n/conf
curl -s http://127.0.0.1:8080/
curl -s -g 'http://[::1]:8080/'
curl -s --unix-socket /tmp/n/socket http://any/
curl -s http://127.0.0.1:8080/large | sha256sum | cut -c1-64
sha256sum </tmp/www/large | cut -c1-64
curl -s -o /tmp/n/none -w '%{http_code}\n' http://127.0.0.1:8080/none
nginx -c /tmp/n/conf -s quit 2>/tmp/n/quit
cat >/tmp/n/light <<END
server.document-root = "/tmp/www"
server.port = 8081
server.bind = "127.0.0.1"
server.modules = ()
index-file.names = ("index.html")
END
lighttpd -D -f /tmp/n/light 2>/tmp/n/log &
for i in {1..600}; do curl -s http://127.0.0.1:8081/ && break; sleep 0.05; done
kill $!
wait $!
echo ended with $?
