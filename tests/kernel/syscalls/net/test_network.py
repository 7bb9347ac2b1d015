"""Does a program find the machine's one interface, its addresses, and its sockets in /proc?"""

from tests.kernel.syscalls.guests import output

INTERFACES = r"""
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
int main(void)
{
    struct ifaddrs *all;
    char text[80];
    if (getifaddrs(&all))
        return 1;
    for (; all; all = all->ifa_next) {
        int family = all->ifa_addr ? all->ifa_addr->sa_family : 0;
        void *four = &((struct sockaddr_in *)all->ifa_addr)->sin_addr;
        void *six = &((struct sockaddr_in6 *)all->ifa_addr)->sin6_addr;
        if (family == AF_INET || family == AF_INET6)
            say("%s %s\n", all->ifa_name,
                inet_ntop(family, family == AF_INET ? four : six, text, 80));
        else
            say("%s up %d loopback %d\n", all->ifa_name, !!(all->ifa_flags & IFF_UP),
                !!(all->ifa_flags & IFF_LOOPBACK));
    }
    struct if_nameindex *names = if_nameindex();
    say("%d %s %d\n", names->if_index, names->if_name, names[1].if_index);
    return 0;
}
"""
LISTED = r"""
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
static void show(const char *path, const char *wanted)
{
    char line[300];
    FILE *file = fopen(path, "r");
    while (fgets(line, sizeof line, file))
        if (strstr(line, wanted))
            say("%s: %.40s\n", path, strtok(strstr(line, wanted), "\n"));
}
int main(void)
{
    struct sockaddr_in name = {AF_INET, htons(80)};
    struct sockaddr_un local = {AF_UNIX, "\0named"};
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
    bind(server, (void *)&name, sizeof name);
    listen(server, 3);
    connect(client, (void *)&name, sizeof name);
    show("/proc/net/tcp", "0100007F:0050 00000000:0000 0A");
    int other = socket(AF_UNIX, SOCK_DGRAM, 0);
    bind(other, (void *)&local, 2 + 6);
    show("/proc/net/unix", "@named");
    close(client), close(server), close(other);
    show("/proc/net/tcp", "7F");
    show("/proc/net/unix", "@");
    return 0;
}
"""


def test_the_loopback_is_the_only_interface() -> None:
    lines = ["lo up 1 loopback 1", "lo 127.0.0.1", "lo ::1", "1 lo 0"]
    assert output(INTERFACES, user=(0, 0)) == lines


def test_open_sockets_are_listed_with_state_and_backlog() -> None:
    listening = "0100007F:0050 00000000:0000 0A 00000000:00000001"[:40]
    assert output(LISTED, user=(0, 0)) == [f"/proc/net/tcp: {listening}", "/proc/net/unix: @named"]
