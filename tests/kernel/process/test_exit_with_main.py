"""With --exit-with-main, does the run end with its first process, whatever the others do?"""

from __future__ import annotations

import pytest

from tests.emu.commands import machine, program

ORPHANS = r"""
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* Ends while children wait, run, and ignore signals. With "child" only a child of it ends. */
int main(int count, char **words)
{
    if (!fork()) {
        signal(SIGTERM, SIG_IGN), signal(SIGHUP, SIG_IGN);
        for (;;)
            pause();
    }
    if (!fork())
        for (volatile long i = 0;; i++)
            if (i == 1L << 50)
                return 1;
    if (!fork()) {
        setsid();
        if (!fork())
            for (;;)
                pause();
        pause();
    }
    if (count > 1)
        raise(SIGKILL);
    return 7;
}
"""


@pytest.mark.parametrize("words, status", [((), 7), (("killed",), 137)], ids=["exits", "is killed"])
def test_all_processes_end_with_the_first(words: tuple[str, ...], status: int) -> None:
    guest = str(program("orphans", ORPHANS))
    result = machine(exit_with_main=True).run([guest, *words])
    assert result.status == status
    assert result.summary["frames_leaked"] == 0


def test_without_it_the_others_run_on() -> None:
    source = r"""
#include <stdio.h>
#include <unistd.h>
int main(void) { if (!fork()) { usleep(1000); puts("still here"); } return 0; }
"""
    guest = str(program("stays", source))
    assert machine(deterministic=True).run([guest]).stdout == b"still here\n"
    ended = machine(deterministic=True, exit_with_main=True).run([guest])
    assert (ended.status, ended.stdout) == (0, b"")
