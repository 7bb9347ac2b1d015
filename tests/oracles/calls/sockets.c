/* Sockets: unix(7), ip(7), tcp(7), udp(7), poll(2) on them, cmsg(3). */
#include "calls.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

static char bytes[1 << 20];
static int on = 1;

static int events(int fd, int wanted)
{
    struct pollfd one = {fd, wanted, 0};
    poll(&one, 1, 0);
    return one.revents;
}

#define ALL (POLLIN | POLLOUT | POLLRDHUP | POLLPRI)

static int option(int fd, int level, int name)
{
    int value = -99;
    socklen_t size = sizeof value;
    if (getsockopt(fd, level, name, &value, &size))
        return -1;
    return value;
}

static struct sockaddr_un unix_name(const char *path)
{
    struct sockaddr_un name = {AF_UNIX};
    strcpy(name.sun_path, path);
    return name;
}

static int unix_size(struct sockaddr_un *name) { return 2 + strlen(name->sun_path) + 1; }
#define UN(name) (struct sockaddr *)&(name), unix_size(&(name))
#define IN(name) (struct sockaddr *)&(name), sizeof(name)

static struct sockaddr_in inet_name(const char *ip, int port)
{
    struct sockaddr_in name = {AF_INET, htons(port)};
    inet_pton(AF_INET, ip, &name.sin_addr);
    return name;
}

static struct sockaddr_in6 inet6_name(const char *ip, int port)
{
    struct sockaddr_in6 name = {AF_INET6, htons(port)};
    inet_pton(AF_INET6, ip, &name.sin6_addr);
    return name;
}

static struct sockaddr_in name_of(int fd)
{
    struct sockaddr_in name = {0};
    socklen_t size = sizeof name;
    getsockname(fd, (struct sockaddr *)&name, &size);
    return name;
}

static void creation(void)
{
    int domains[] = {0, AF_UNIX, AF_INET, AF_INET6, AF_APPLETALK, 44, 46, 99, -1};
    int types[] = {0, SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_RDM, 11, 15, SOCK_STREAM | 0x100};
    int protocols[] = {0, 1, IPPROTO_TCP, IPPROTO_UDP, 300, -1};
    for (int d = 0; d < 9; d++)
        for (int t = 0; t < 8; t++)
            for (int p = 0; p < 6; p++) {
                int fd = socket(domains[d], types[t], protocols[p]);
                if (domains[d] == AF_APPLETALK || domains[d] == 44)
                    continue;
                char call[80];
                snprintf(call, sizeof call, "socket %d %d %d", domains[d], types[t], protocols[p]);
                print_result(call, fd < 0 ? -1 : 0, 0);
                if (fd >= 0)
                    close(fd);
            }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    VALUE(fcntl(fd, F_GETFD));
    VALUE(fcntl(fd, F_GETFL));
    VALUE(option(fd, SOL_SOCKET, SO_TYPE));
    VALUE(option(fd, SOL_SOCKET, SO_DOMAIN));
    VALUE(option(fd, SOL_SOCKET, SO_PROTOCOL));
    VALUE(option(fd, SOL_SOCKET, SO_ERROR));
    VALUE(option(fd, SOL_SOCKET, SO_ACCEPTCONN));
    VALUE(option(fd, IPPROTO_TCP, TCP_NODELAY));
    VALUE(option(fd, SOL_SOCKET, 84));
    VALUE(events(fd, ALL));
    ASK(CALL(lseek, fd, 0, SEEK_CUR));
    ASK(read(fd, bytes, 1));
    ASK(send(fd, bytes, 1, MSG_NOSIGNAL));
    ASK(recv(fd, bytes, 1, 0));
    ASK(listen(fd, 5));
    ASK(accept(fd, NULL, NULL));
    ASK(shutdown(fd, SHUT_RDWR));
    ASK(shutdown(fd, 3));
    ASK(listen(0, 5));
    ASK(bind(99, NULL, 0));
    int tcp = socket(AF_INET, SOCK_STREAM, 0);
    VALUE(events(tcp, ALL));
    ASK(send(tcp, bytes, 1, MSG_NOSIGNAL));
    ASK(recv(tcp, bytes, 1, 0));
    ASK(accept(tcp, NULL, NULL));
    ASK(shutdown(tcp, SHUT_WR));
    ASK(getpeername(tcp, (struct sockaddr *)bytes, (socklen_t[]){16}));
    int udp = socket(AF_INET, SOCK_DGRAM, 0);
    VALUE(events(udp, ALL));
    ASK(send(udp, bytes, 1, 0));
    ASK(listen(udp, 1));
    ASK(accept(udp, NULL, NULL));
    ASK(shutdown(udp, SHUT_WR));
    ASK(recv(udp, bytes, 1, MSG_DONTWAIT));
    int dgram = socket(AF_UNIX, SOCK_DGRAM, 0);
    VALUE(events(dgram, ALL));
    ASK(send(dgram, bytes, 1, 0));
    ASK(listen(dgram, 1));
    ASK(accept(dgram, NULL, NULL));
    ASK(recv(dgram, bytes, 1, MSG_DONTWAIT));
    int packets = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    ASK(recv(packets, bytes, 1, MSG_DONTWAIT));
    ASK(send(packets, bytes, 1, MSG_NOSIGNAL));
    for (int each = fd; each <= packets; each++)
        close(each);
}

static void unix_names(void)
{
    struct sockaddr_un path = unix_name("/dev/shm/emu_oracle.sock"), none = unix_name("/dev/shm/no/x");
    struct sockaddr_un abstract = {AF_UNIX}, name;
    socklen_t size;
    memcpy(abstract.sun_path, "\0emu_oracle", 11);
    unlink(path.sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), other = socket(AF_UNIX, SOCK_STREAM, 0);
    ASK(bind(fd, UN(none)));
    ASK(bind(fd, (struct sockaddr *)&path, 1));
    ASK(bind(fd, (struct sockaddr *)&path, 200));
    ASK(bind(fd, (struct sockaddr *)&path, -1));
    ASK(bind(fd, NOWHERE, 20));
    ASK(connect(other, UN(path)));
    ASK(bind(fd, UN(path)));
    ASK(bind(fd, UN(path)));
    ASK(bind(other, UN(path)));
    ASK(connect(other, UN(path)));
    struct stat status;
    VALUE(stat(path.sun_path, &status) ? -1 : status.st_mode);
    ASK(open(path.sun_path, O_RDWR));
    size = sizeof name;
    VALUE(getsockname(fd, (struct sockaddr *)&name, &size) ? -1 : size);
    VALUE(strcmp(name.sun_path, path.sun_path));
    size = 5;
    VALUE(getsockname(fd, (struct sockaddr *)&name, &size) ? -1 : size);
    size = -1;
    ASK(getsockname(fd, (struct sockaddr *)&name, &size));
    size = sizeof name;
    VALUE(getsockname(other, (struct sockaddr *)&name, &size) ? -1 : size);
    ASK(getpeername(other, (struct sockaddr *)&name, &size));
    ASK(listen(fd, 1));
    ASK(connect(other, UN(path)));
    ASK(connect(other, UN(path)));
    size = sizeof name;
    VALUE(getpeername(other, (struct sockaddr *)&name, &size) ? -1 : size);
    int wrong = socket(AF_UNIX, SOCK_DGRAM, 0);
    ASK(connect(wrong, UN(path)));
    ASK(sendto(wrong, bytes, 1, 0, UN(path)));
    ASK(sendto(wrong, bytes, 1, 0, UN(none)));
    size = sizeof name;
    int got = accept(fd, (struct sockaddr *)&name, &size);
    VALUE(size);
    size = sizeof name;
    VALUE(getsockname(got, (struct sockaddr *)&name, &size) ? -1 : size);
    size = sizeof name;
    VALUE(getpeername(got, (struct sockaddr *)&name, &size) ? -1 : size);
    ASK(rename(path.sun_path, "/dev/shm/emu_oracle.2"));
    ASK(connect(wrong, UN(path)));
    int third = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un moved = unix_name("/dev/shm/emu_oracle.2");
    ASK(connect(third, UN(moved)));
    ASK(unlink(moved.sun_path));
    close(fd);
    ASK(send(other, bytes, 1, MSG_NOSIGNAL));
    VALUE(recv(got, bytes, 10, 0));
    ASK(recv(third, bytes, 1, 0));
    VALUE(events(third, ALL));
    int named = socket(AF_UNIX, SOCK_STREAM, 0), twice = socket(AF_UNIX, SOCK_STREAM, 0);
    ASK(bind(named, (struct sockaddr *)&abstract, 2 + 11));
    ASK(bind(twice, (struct sockaddr *)&abstract, 2 + 11));
    ASK(bind(twice, (struct sockaddr *)&abstract, 2 + 10));
    size = sizeof name;
    VALUE(getsockname(named, (struct sockaddr *)&name, &size) ? -1 : size);
    close(named);
    int automatic = socket(AF_UNIX, SOCK_DGRAM, 0);
    ASK(bind(automatic, (struct sockaddr *)&abstract, 2));
    size = sizeof name;
    VALUE(getsockname(automatic, (struct sockaddr *)&name, &size) ? -1 : size);
    for (int each = other; each <= automatic; each++)
        close(each);
}

static void streams(int domain)
{
    int pair[2];
    if (domain == AF_UNIX)
        socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    else {
        struct sockaddr_in name = inet_name("127.0.0.1", 0);
        int server = socket(AF_INET, SOCK_STREAM, 0);
        bind(server, IN(name));
        listen(server, 1);
        name = name_of(server);
        pair[0] = socket(AF_INET, SOCK_STREAM, 0);
        connect(pair[0], IN(name));
        pair[1] = accept(server, NULL, NULL);
        close(server);
    }
    printf("streams of domain %d\n", domain);
    int queued = 0;
    VALUE(events(pair[0], ALL));
    VALUE(send(pair[0], "abcdef", 6, 0));
    VALUE(events(pair[1], ALL));
    VALUE(ioctl(pair[1], FIONREAD, &queued) ? -1 : queued);
    VALUE(recv(pair[1], bytes, 3, MSG_PEEK));
    VALUE(recv(pair[1], bytes, 2, 0));
    VALUE(bytes[0]);
    VALUE(recv(pair[1], bytes, 10, MSG_DONTWAIT));
    VALUE(bytes[0]);
    VALUE(recv(pair[1], bytes, 10, MSG_DONTWAIT));
    VALUE(recv(pair[1], bytes, 0, MSG_DONTWAIT));
    VALUE(send(pair[0], bytes, 0, 0));
    VALUE(send(pair[0], NOWHERE, 10, 0));
    VALUE(send(pair[0], "xy", 2, 0));
    VALUE(recv(pair[1], NOWHERE, 2, 0));
    VALUE(recv(pair[1], bytes, 2, 0));
    VALUE(send(pair[0], "xyz", 3, MSG_DONTWAIT));
    VALUE(recv(pair[1], bytes, 5, MSG_WAITALL | MSG_DONTWAIT));
    VALUE(recv(pair[1], bytes, 1, MSG_ERRQUEUE | MSG_DONTWAIT));
    ASK(shutdown(pair[0], SHUT_WR));
    VALUE(events(pair[0], ALL));
    VALUE(events(pair[1], ALL));
    VALUE(recv(pair[1], bytes, 1, 0));
    ASK(send(pair[0], bytes, 1, MSG_NOSIGNAL));
    APART(send(pair[0], bytes, 1, 0));
    VALUE(send(pair[1], "back", 4, MSG_NOSIGNAL));
    VALUE(recv(pair[0], bytes, 10, 0));
    ASK(shutdown(pair[1], SHUT_WR));
    VALUE(events(pair[0], ALL));
    VALUE(recv(pair[0], bytes, 10, 0));
    close(pair[1]);
    VALUE(recv(pair[0], bytes, 10, 0));
    VALUE(option(pair[0], SOL_SOCKET, SO_ERROR));
    close(pair[0]);
}

static int connected[2];

static void tcp_pair(void)
{
    struct sockaddr_in name = inet_name("127.0.0.1", 0);
    int server = socket(AF_INET, SOCK_STREAM, 0);
    bind(server, IN(name));
    listen(server, 1);
    name = name_of(server);
    connected[0] = socket(AF_INET, SOCK_STREAM, 0);
    connect(connected[0], IN(name));
    connected[1] = accept(server, NULL, NULL);
    close(server);
}

static void ends_of_streams(int domain)
{
    printf("ends of domain %d\n", domain);
    for (int unread = 0; unread < 2; unread++) {
        if (domain == AF_UNIX)
            socketpair(AF_UNIX, SOCK_STREAM, 0, connected);
        else
            tcp_pair();
        send(connected[0], "left", 4, 0);
        if (!unread)
            recv(connected[1], bytes, 4, 0);
        send(connected[1], "data", 4, 0);
        close(connected[1]);
        usleep(20000);
        VALUE(events(connected[0], ALL));
        VALUE(recv(connected[0], bytes, 10, MSG_DONTWAIT));
        VALUE(recv(connected[0], bytes, 10, MSG_DONTWAIT));
        VALUE(send(connected[0], bytes, 1, MSG_NOSIGNAL));
        usleep(20000);
        VALUE(send(connected[0], bytes, 1, MSG_NOSIGNAL));
        VALUE(recv(connected[0], bytes, 10, MSG_DONTWAIT));
        VALUE(events(connected[0], ALL));
        ASK(shutdown(connected[0], SHUT_WR));
        close(connected[0]);
    }
}

static void tcp(void)
{
    struct sockaddr_in any = inet_name("0.0.0.0", 0), here = inet_name("127.0.0.1", 0), name;
    struct sockaddr_in far_away = inet_name("192.0.2.1", 80);
    struct sockaddr_in6 six = inet6_name("::1", 0), any6 = inet6_name("::", 0);
    socklen_t size;
    int server = socket(AF_INET, SOCK_STREAM, 0), other = socket(AF_INET, SOCK_STREAM, 0);
    ASK(bind(server, IN(far_away)));
    ASK(bind(server, IN(six)));
    ASK(bind(server, (struct sockaddr *)&any, 8));
    ASK(bind(server, IN(any)));
    ASK(bind(server, IN(any)));
    name = name_of(server);
    VALUE(name.sin_port != 0);
    here.sin_port = name.sin_port;
    ASK(bind(other, IN(here)));
    ASK(setsockopt(other, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on));
    ASK(bind(other, IN(here)));
    ASK(setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on));
    ASK(bind(other, IN(here)));
    ASK(listen(server, 0));
    ASK(listen(other, 0));
    close(other);
    other = socket(AF_INET, SOCK_STREAM, 0);
    VALUE(events(server, ALL));
    ASK(connect(server, IN(here)));
    ASK(send(server, bytes, 1, MSG_NOSIGNAL));
    ASK(recv(server, bytes, 1, 0));
    ASK(accept4(server, NULL, NULL, 1));
    int waits = fcntl(server, F_SETFL, O_NONBLOCK);
    ASK(accept(server, NULL, NULL));
    int client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    ASK(connect(client, IN(here)));
    usleep(20000);
    VALUE(events(client, ALL));
    VALUE(events(server, ALL));
    VALUE(option(client, SOL_SOCKET, SO_ERROR));
    ASK(connect(client, IN(here)));
    ASK(connect(client, IN(here)));
    size = sizeof name;
    VALUE(getpeername(client, (struct sockaddr *)&name, &size) ? -1 : name.sin_port == here.sin_port);
    VALUE(name_of(client).sin_addr.s_addr == here.sin_addr.s_addr);
    size = 7;
    int got = accept4(server, (struct sockaddr *)&name, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    VALUE(size);
    VALUE(fcntl(got, F_GETFL));
    VALUE(fcntl(got, F_GETFD));
    VALUE(name_of(got).sin_addr.s_addr == here.sin_addr.s_addr);
    ASK(recv(got, bytes, 1, 0));
    ASK(sendto(client, "x", 1, 0, IN(far_away)));
    VALUE(recv(got, bytes, 9, 0));
    struct linger now = {1, 0};
    ASK(setsockopt(client, SOL_SOCKET, SO_LINGER, &now, sizeof now));
    ASK(setsockopt(client, SOL_SOCKET, SO_LINGER, &now, 4));
    close(client);
    usleep(20000);
    VALUE(events(got, ALL));
    VALUE(option(got, SOL_SOCKET, SO_ERROR));
    VALUE(recv(got, bytes, 9, 0));
    close(got);
    close(server);
    client = socket(AF_INET, SOCK_STREAM, 0);
    ASK(connect(client, IN(here)));
    VALUE(events(client, ALL));
    close(client);
    client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    ASK(connect(client, IN(here)));
    usleep(20000);
    VALUE(events(client, ALL));
    VALUE(option(client, SOL_SOCKET, SO_ERROR));
    VALUE(option(client, SOL_SOCKET, SO_ERROR));
    close(client);
    close(other);
    /* IPv6, and both together. */
    int both = socket(AF_INET6, SOCK_STREAM, 0), four = socket(AF_INET, SOCK_STREAM, 0);
    ASK(bind(both, IN(any6)));
    size = sizeof six;
    getsockname(both, (struct sockaddr *)&six, &size);
    VALUE(size);
    ASK(setsockopt(both, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on));
    any.sin_port = here.sin_port = six.sin6_port;
    ASK(bind(four, IN(any)));
    ASK(listen(both, 4));
    ASK(connect(four, IN(here)));
    size = sizeof six;
    got = accept(both, (struct sockaddr *)&six, &size);
    VALUE(IN6_IS_ADDR_V4MAPPED(&six.sin6_addr));
    close(four);
    close(got);
    close(both);
    both = socket(AF_INET6, SOCK_STREAM, 0), four = socket(AF_INET, SOCK_STREAM, 0);
    ASK(setsockopt(both, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on));
    ASK(bind(both, IN(any6)));
    getsockname(both, (struct sockaddr *)&six, (size = sizeof six, &size));
    any.sin_port = here.sin_port = six.sin6_port;
    ASK(listen(both, 4));
    ASK(connect(four, IN(here)));
    close(four);
    four = socket(AF_INET, SOCK_STREAM, 0);
    ASK(bind(four, IN(any)));
    close(four);
    close(both);
}

static void udp(void)
{
    struct sockaddr_in one_name = inet_name("127.0.0.1", 0), name, nobody = inet_name("127.0.0.1", 1);
    int one = socket(AF_INET, SOCK_DGRAM, 0), two = socket(AF_INET, SOCK_DGRAM, 0), queued;
    socklen_t size = sizeof name;
    ASK(bind(one, IN(one_name)));
    one_name = name_of(one);
    VALUE(sendto(two, "first", 5, 0, IN(one_name)));
    VALUE(sendto(two, "second", 6, 0, IN(one_name)));
    VALUE(sendto(two, NULL, 0, 0, IN(one_name)));
    VALUE(ioctl(one, FIONREAD, &queued) ? -1 : queued);
    VALUE(recvfrom(one, bytes, 3, MSG_TRUNC, (struct sockaddr *)&name, &size));
    VALUE(name.sin_port == name_of(two).sin_port);
    VALUE(name.sin_addr.s_addr == one_name.sin_addr.s_addr);
    VALUE(recv(one, bytes, 100, MSG_PEEK));
    VALUE(recv(one, bytes, 100, 0));
    VALUE(events(one, ALL));
    VALUE(recv(one, bytes, 100, 0));
    VALUE(recv(one, bytes, 100, MSG_DONTWAIT));
    ASK(sendto(two, bytes, 65508, 0, IN(one_name)));
    VALUE(sendto(two, bytes, 65507, 0, IN(one_name)));
    VALUE(recv(one, bytes, sizeof bytes, 0));
    VALUE(sendto(two, "x", 1, 0, IN(nobody)));
    ASK(connect(two, IN(nobody)));
    VALUE(send(two, "x", 1, 0));
    usleep(20000);
    VALUE(events(two, ALL));
    ASK(recv(two, bytes, 1, MSG_DONTWAIT));
    ASK(recv(two, bytes, 1, MSG_DONTWAIT));
    ASK(connect(two, IN(one_name)));
    VALUE(send(two, "y", 1, 0));
    VALUE(recv(one, bytes, 1, 0));
    name = name_of(two);
    int third = socket(AF_INET, SOCK_DGRAM, 0);
    VALUE(sendto(third, "z", 1, 0, IN(name)));
    ASK(recv(two, bytes, 1, MSG_DONTWAIT));
    struct sockaddr unspecified = {AF_UNSPEC};
    ASK(connect(two, &unspecified, sizeof unspecified));
    ASK(send(two, "x", 1, 0));
    ASK(getpeername(two, (struct sockaddr *)&name, &size));
    ASK(shutdown(one, SHUT_RD));
    close(one);
    close(two);
    close(third);
}

static void datagrams(void)
{
    struct sockaddr_un name = unix_name("/dev/shm/emu_oracle.dgram"), from;
    unlink(name.sun_path);
    int one = socket(AF_UNIX, SOCK_DGRAM, 0), two = socket(AF_UNIX, SOCK_DGRAM, 0), pair[2];
    socklen_t size = sizeof from;
    ASK(bind(one, UN(name)));
    VALUE(sendto(two, "ab", 2, 0, UN(name)));
    VALUE(recvfrom(one, bytes, 10, 0, (struct sockaddr *)&from, &size));
    VALUE(size);
    ASK(connect(two, UN(name)));
    int count = 0;
    while (send(two, "x", 1, MSG_DONTWAIT) == 1)
        count++;
    VALUE(count);
    VALUE(events(two, ALL));
    recv(one, bytes, 1, 0);
    VALUE(events(two, ALL));
    close(one);
    ASK(send(two, "x", 1, 0));
    ASK(send(two, "x", 1, 0));
    unlink(name.sun_path);
    ASK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
    ASK(shutdown(pair[1], SHUT_RD));
    ASK(send(pair[0], "x", 1, MSG_NOSIGNAL));
    close(pair[1]);
    ASK(send(pair[0], "x", 1, MSG_NOSIGNAL));
    VALUE(events(pair[0], ALL));
    close(pair[0]);
    ASK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
    VALUE(send(pair[0], "one", 3, 0));
    VALUE(send(pair[0], "two", 3, 0));
    VALUE(send(pair[0], "", 0, 0));
    VALUE(recv(pair[1], bytes, 2, 0));
    VALUE(recv(pair[1], bytes, 10, 0));
    VALUE(recv(pair[1], bytes, 10, 0));
    close(pair[0]);
    VALUE(recv(pair[1], bytes, 10, 0));
    ASK(send(pair[1], "x", 1, MSG_NOSIGNAL));
    close(pair[1]);
    close(two);
}

static long pass(int through, int fd, int count, int flags)
{
    char control[CMSG_SPACE(300 * sizeof(int))];
    struct iovec part = {"m", 1};
    struct msghdr message = {0, 0, &part, 1, control, CMSG_SPACE(count * sizeof(int))};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    for (int i = 0; i < count; i++)
        ((int *)CMSG_DATA(header))[i] = fd;
    return sendmsg(through, &message, flags);
}

static int last_flags, last_size, last_fd;

static long take(int from, int room, int flags)
{
    char control[CMSG_SPACE(300 * sizeof(int))] = {0};
    struct iovec part = {bytes, 10};
    struct msghdr message = {0, 0, &part, 1, control, room};
    long got = recvmsg(from, &message, flags);
    last_flags = message.msg_flags, last_size = message.msg_controllen;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    last_fd = header ? *(int *)CMSG_DATA(header) : -1;
    return got;
}

static void rights(void)
{
    int pair[2], ends[2], inode;
    struct stat sent, got;
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    pipe(ends);
    VALUE(pass(pair[0], ends[1], 1, 0));
    VALUE(take(pair[1], 100, 0));
    VALUE(last_size);
    VALUE(last_flags);
    VALUE(fstat(ends[1], &sent) || fstat(last_fd, &got) ? -1 : sent.st_ino == got.st_ino);
    VALUE(fcntl(last_fd, F_GETFD));
    close(last_fd);
    pass(pair[0], ends[1], 1, 0);
    VALUE(take(pair[1], 100, MSG_CMSG_CLOEXEC));
    VALUE(fcntl(last_fd, F_GETFD));
    VALUE(last_flags == MSG_CMSG_CLOEXEC);
    close(last_fd);
    pass(pair[0], ends[1], 3, 0);
    VALUE(take(pair[1], CMSG_LEN(8), 0));
    VALUE(last_size);
    VALUE(last_flags);
    close(last_fd), close(last_fd + 1);
    pass(pair[0], ends[1], 1, 0);
    VALUE(take(pair[1], 0, 0));
    VALUE(last_flags);
    VALUE(pass(pair[0], 99, 1, 0));
    VALUE(pass(pair[0], ends[1], 253, 0));
    VALUE(pass(pair[0], ends[1], 254, 0));
    VALUE(recv(pair[1], bytes, 10, 0));
    /* Bytes with descriptors are not joined with others. */
    send(pair[0], "a", 1, 0);
    pass(pair[0], ends[1], 1, 0);
    send(pair[0], "b", 1, 0);
    VALUE(take(pair[1], 100, 0));
    VALUE(last_fd >= 0);
    VALUE(take(pair[1], 100, 0));
    VALUE(last_fd >= 0);
    /* Credentials. */
    ASK(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
    send(pair[0], "c", 1, 0);
    VALUE(take(pair[1], 100, 0));
    VALUE(last_size);
    VALUE(last_fd == getpid());
    struct ucred peer;
    socklen_t size = sizeof peer;
    VALUE(getsockopt(pair[1], SOL_SOCKET, SO_PEERCRED, &peer, &size) ? -1 : peer.pid == getpid());
    VALUE(peer.uid == getuid());
    close(pair[0]), close(pair[1]), close(ends[0]), close(ends[1]);
}

static void multiplexing(void)
{
    struct epoll_event event = {EPOLLIN | EPOLLOUT | EPOLLET}, got;
    int set = epoll_create1(0);
    tcp_pair();
    ASK(epoll_ctl(set, EPOLL_CTL_ADD, connected[0], &event));
    VALUE(epoll_wait(set, &got, 1, 0));
    VALUE(got.events);
    VALUE(epoll_wait(set, &got, 1, 0));
    send(connected[1], "a", 1, 0);
    VALUE(epoll_wait(set, &got, 1, 100));
    VALUE(got.events);
    VALUE(epoll_wait(set, &got, 1, 0));
    send(connected[1], "b", 1, 0);
    VALUE(epoll_wait(set, &got, 1, 100));
    shutdown(connected[1], SHUT_WR);
    VALUE(epoll_wait(set, &got, 1, 100));
    VALUE(got.events);
    struct epoll_event half = {EPOLLRDHUP};
    ASK(epoll_ctl(set, EPOLL_CTL_MOD, connected[0], &half));
    VALUE(epoll_wait(set, &got, 1, 0));
    VALUE(got.events);
    close(connected[0]), close(connected[1]), close(set);
}

static void options(void)
{
    int tcp = socket(AF_INET, SOCK_STREAM, 0), local = socket(AF_UNIX, SOCK_STREAM, 0), value;
    int sixth = socket(AF_INET6, SOCK_DGRAM, 0);
    socklen_t size = 1;
    int flags[] = {SO_REUSEADDR, SO_REUSEPORT, SO_KEEPALIVE, SO_BROADCAST, SO_OOBINLINE};
    for (int i = 0; i < 5; i++) {
        int big = 7;
        VALUE(option(tcp, SOL_SOCKET, flags[i]));
        ASK(setsockopt(tcp, SOL_SOCKET, flags[i], &big, sizeof big));
        VALUE(option(tcp, SOL_SOCKET, flags[i]));
    }
    int readonly[] = {SO_TYPE, SO_ERROR, SO_ACCEPTCONN, SO_PROTOCOL, SO_DOMAIN, SO_PEERCRED};
    for (int i = 0; i < 6; i++)
        ASK(setsockopt(tcp, SOL_SOCKET, readonly[i], &on, sizeof on));
    ASK(setsockopt(tcp, SOL_SOCKET, SO_KEEPALIVE, &on, 3));
    ASK(setsockopt(tcp, SOL_SOCKET, SO_KEEPALIVE, NOWHERE, 4));
    ASK(setsockopt(tcp, SOL_SOCKET, SO_SNDBUF, &(int){1000}, 4));
    VALUE(option(tcp, SOL_SOCKET, SO_SNDBUF));
    ASK(setsockopt(tcp, SOL_SOCKET, SO_RCVBUF, &(int){10000}, 4));
    VALUE(option(tcp, SOL_SOCKET, SO_RCVBUF));
    VALUE(option(local, SOL_SOCKET, SO_SNDBUF));
    VALUE(getsockopt(tcp, SOL_SOCKET, SO_TYPE, &value, &size) ? -1 : size);
    size = -1;
    ASK(getsockopt(tcp, SOL_SOCKET, SO_TYPE, &value, &size));
    int levels[] = {IPPROTO_TCP, TCP_NODELAY, IPPROTO_TCP, TCP_CORK, IPPROTO_TCP, 99, IPPROTO_IP, IP_TTL,
                    IPPROTO_IP, 999, IPPROTO_IPV6, IPV6_V6ONLY, 77, 1};
    for (int i = 0; i < 14; i += 2) {
        VALUE(option(tcp, levels[i], levels[i + 1]));
        ASK(setsockopt(tcp, levels[i], levels[i + 1], &on, sizeof on));
        VALUE(option(sixth, levels[i], levels[i + 1]));
        ASK(setsockopt(local, levels[i], levels[i + 1], &on, sizeof on));
    }
    struct timeval soon = {0, 10000}, wrong = {0, 2000000};
    ASK(setsockopt(sixth, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon));
    ASK(setsockopt(sixth, SOL_SOCKET, SO_RCVTIMEO, &wrong, sizeof wrong));
    ASK(recv(sixth, bytes, 1, 0));
    close(tcp), close(local), close(sixth);
}

static void many(void)
{
    int pair[2];
    socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
    struct iovec part = {"hello", 5}, room = {bytes, 100};
    struct mmsghdr out[3] = {{{0, 0, &part, 1}}, {{0, 0, &part, 1}}, {{0, 0, &part, 1}}};
    struct mmsghdr in[4] = {{{0, 0, &room, 1}}, {{0, 0, &room, 1}}, {{0, 0, &room, 1}}, {{0, 0, &room, 1}}};
    VALUE(sendmmsg(pair[0], out, 3, 0));
    VALUE(out[2].msg_len);
    VALUE(recvmmsg(pair[1], in, 4, MSG_DONTWAIT, NULL));
    VALUE(in[2].msg_len);
    VALUE(recvmmsg(pair[1], in, 4, MSG_DONTWAIT, NULL));
    VALUE(sendmmsg(99, out, 3, 0));
    close(pair[0]), close(pair[1]);
}

int main(void)
{
    creation();
    unix_names();
    streams(AF_UNIX);
    streams(AF_INET);
    ends_of_streams(AF_UNIX);
    ends_of_streams(AF_INET);
    tcp();
    udp();
    datagrams();
    rights();
    multiplexing();
    options();
    many();
    return 0;
}
