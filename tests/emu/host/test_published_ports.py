"""Do programs of the host reach the guest's port that was published, and no other?"""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from emu.cli.main import main
from tests.emu.commands import EMU, environment, program

SERVER = r"""
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
/* Answers each line with its length, by poll or epoll as asked; ends with the connection that says
   "end". */
int main(int count, char **words)
{
    struct sockaddr_in name = {AF_INET, htons(atoi(words[1]))}, peer;
    socklen_t size = sizeof peer;
    int server = socket(AF_INET, SOCK_STREAM, 0), set = epoll_create1(0);
    bind(server, (struct sockaddr *)&name, sizeof name);
    if (listen(server, 5))
        return 9;
    for (;;) {
        struct pollfd one = {server, POLLIN};
        struct epoll_event event = {EPOLLIN}, got;
        poll(&one, 1, -1);
        int client = accept(server, (struct sockaddr *)&peer, &size), length;
        char line[70000], answer[100];
        int used = 0, part;
        epoll_ctl(set, EPOLL_CTL_ADD, client, &event);
        for (;;) {
            epoll_wait(set, &got, 1, -1);
            if ((part = read(client, line + used, 60000 - used)) <= 0)
                break;
            used += part;
            if (!memchr(line, '\n', used))
                continue;
            length = (char *)memchr(line, '\n', used) - line;
            used = 0;
            write(client, answer, sprintf(answer, "%d of %s\n", length, inet_ntoa(peer.sin_addr)));
        }
        close(client);
        if (!strncmp(line, "end\n", 4))
            return part;
    }
}
"""
UNPUBLISHED = r"""
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
/* The errno of a connection to a port of the host. */
int main(int count, char **words)
{
    struct sockaddr_in name = {AF_INET, htons(atoi(words[1]))};
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return connect(fd, (struct sockaddr *)&name, sizeof name) ? errno : 0;
}
"""


@contextmanager
def serving(port: int) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The server at ``port`` of the guest; yields its process and the host's port."""
    command = [*EMU, "run", "--publish", f"0:{port}", str(program("server", SERVER)), str(port)]
    with subprocess.Popen(
        command, env=environment(), stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL
    ) as running:
        try:
            assert running.stderr is not None
            line = running.stderr.readline()
            found = re.fullmatch(rf"emu: port {port} is published at 127.0.0.1:(\d+)\n", line)
            assert found, line
            yield running, int(found[1])
        finally:
            running.kill()


def connect(port: int) -> socket.socket:
    """Connects once the guest listens."""
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=60)
        except ConnectionRefusedError:
            continue


def ask(connection: socket.socket, line: bytes) -> bytes:
    connection.sendall(line + b"\n")
    with connection.makefile("rb") as answers:
        return answers.readline()


def test_a_program_of_the_host_talks_to_the_guest() -> None:
    with serving(8080) as (running, port):
        for length in (0, 1, 50_000):
            with connect(port) as connection:
                assert ask(connection, b"x" * length) == b"%d of 127.0.0.1\n" % length
                assert ask(connection, b"again") == b"5 of 127.0.0.1\n"
        with connect(port) as connection:
            assert ask(connection, b"end") == b"3 of 127.0.0.1\n"
        assert running.wait(60) == 0


def test_connections_are_refused_before_the_guest_listens_and_after() -> None:
    with serving(8080) as (running, port):
        with connect(port) as connection:
            ask(connection, b"end")
        running.wait(60)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=60)


def test_a_guest_does_not_reach_a_port_of_the_host() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        guest = program("unpublished", UNPUBLISHED)
        done = subprocess.run([*EMU, "run", str(guest), port], env=environment(), check=False)
        assert done.returncode == 111, "ECONNREFUSED: the loopback is the machine's own"


def test_a_port_that_is_taken_is_reported_in_one_line(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        guest = str(program("server", SERVER))
        assert main(["run", "--publish", f"{port}:80", guest]) == 2
    assert capfd.readouterr().err == f"emu: --publish 127.0.0.1:{port}: Address already in use\n"


@pytest.mark.parametrize("text", ["80", "a:b", "1:0", "65536:1", "1:65536", "::", "x:1:2:3", ""])
def test_what_is_not_a_port_is_rejected(capfd: pytest.CaptureFixture[str], text: str) -> None:
    assert main(["run", f"--publish={text}", "x"]) == 2
    assert "not a port to publish" in capfd.readouterr().err


def test_a_guest_s_port_is_published_once(capfd: pytest.CaptureFixture[str]) -> None:
    guest = str(program("server", SERVER))
    assert main(["run", "--publish", "0:80", "--publish", "0:80", guest]) == 2
    assert "port 80 of the guest is given twice" in capfd.readouterr().err
