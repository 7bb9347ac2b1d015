"""Are descriptors collected that only messages in queues of each other refer to (unix(7))?"""

from __future__ import annotations

import pytest

from tests.emu.commands import machine, program

CIRCLES = r"""
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
static void pass(int through, int sent)
{
    char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec part = {"x", 1};
    struct msghdr message = {0, 0, &part, 1, control, sizeof control};
    *CMSG_FIRSTHDR(&message) = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    *(int *)CMSG_DATA(CMSG_FIRSTHDR(&message)) = sent;
    if (sendmsg(through, &message, 0) != 1)
        _exit(errno);
}
/* Rings of pairs, each of which holds a socket of the next one; argv[1] pairs in a ring. With
   argv[2] a descriptor of the ring stays open. Ends with the errno of a failure. */
int main(int count, char **words)
{
    int length = atoi(words[1]), pairs[64][2], kept = -1;
    for (int round = 0; round < 4000 / length; round++) {
        for (int i = 0; i < length; i++)
            if (socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]))
                return errno;
        for (int i = 0; i < length; i++)
            pass(pairs[i][0], pairs[(i + 1) % length][1]);
        if (count > 2 && kept < 0)
            kept = dup(pairs[0][1]);
        for (int i = 0; i < length; i++)
            close(pairs[i][0]), close(pairs[i][1]);
    }
    char byte;
    return kept < 0 || read(kept, &byte, 1) == 1 ? 0 : 99;
}
"""


@pytest.mark.parametrize("length", ["1", "2", "7"])
@pytest.mark.parametrize("more", [(), ("open",)], ids=["closed", "open"])
def test_do_circles_of_descriptors_end(length: str, more: tuple[str, ...]) -> None:
    guest = str(program("circles", CIRCLES))
    assert machine().run([guest, length, *more]).status == 0
