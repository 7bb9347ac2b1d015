"""On a terminal, does emu say what it waits for when the program itself has ended?"""

from __future__ import annotations

import os
import pty
import subprocess
from contextlib import suppress

from tests.emu.commands import EMU, environment, program
from tests.guest.running import needs_terminals

LEAVES = r"""
#include <unistd.h>
/* Leaves a child, which ends when its input does. */
int main(void)
{
    char byte;
    if (!fork())
        read(0, &byte, 1);
    return 5;
}
"""


def test_a_line_on_a_terminal_names_the_process() -> None:
    needs_terminals()
    command = [*EMU, "run", str(program("leaves", LEAVES))]
    terminal, theirs = pty.openpty()
    with subprocess.Popen(
        command, env=environment(), stdin=subprocess.PIPE, stderr=theirs
    ) as running:
        os.close(theirs)
        line = os.read(terminal, 1000).decode()
        assert running.stdin is not None
        running.stdin.close()
        assert running.wait() == 5
    os.close(terminal)
    assert line == (
        "emu: the program has ended; waiting for pid 3 (leaves) (--exit-with-main ends them)\r\n"
    )


def test_nothing_is_said_elsewhere() -> None:
    command = [*EMU, "run", str(program("leaves", LEAVES))]
    with subprocess.Popen(
        command, env=environment(), stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        with suppress(subprocess.TimeoutExpired):
            running.wait(2)
        _, error = running.communicate(b"")
        assert (running.returncode, error) == (5, b"")
