"""Does a program with huge pages end cleanly for a failure of each of its frame allocations?"""

from __future__ import annotations

import pytest

from emu import Machine, Options
from kernel.mm.forking.fork import POLICIES
from kernel.mm.mappings.huge_policy import ThpCow
from tests.kernel.mm.test_memory_pressure import BEFORE_FORKS, allocations, fail_each
from tests.kernel.syscalls.guests import compiled

GUEST = r"""
#define HUGE (2ul << 20)
static volatile char *at;
static void child(void)
{
    at[5 * 4096] = 'c';
    at[HUGE + 4096] = 'c';
    int right = at[0] == 'p' && at[HUGE - 1] == 'P' && at[HUGE] == 0;
    madvise((char *)at + 9 * 4096, 4096, MADV_DONTNEED);
    madvise((char *)at, HUGE, 25);
    right = right && at[0] == 'p' && at[5 * 4096] == 'c';
    right = right && at[9 * 4096] == 0 && at[HUGE - 1] == 'P';
    _exit(right ? 0 : 24);
}
int main(int argc, char **argv)
{
    char *start = mmap(NULL, 8 * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    at = (char *)(((unsigned long)start + HUGE - 1) & -HUGE);
    madvise((char *)at, 2 * HUGE, MADV_HUGEPAGE);
    at[0] = 'p';
    at[HUGE - 1] = 'P';
    int status, zero = at[HUGE];
    if (argc > 1)
        return 5;
    pid_t pid = fork();
    if (pid < 0)
        return 20;
    if (!pid)
        child();
    if (waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status))
        return 24;
    at[5 * 4096] = 'q';
    char *to = (char *)at + 5 * HUGE + 4096;
    if (mremap((char *)at, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to)
        at = to;
    if (zero || at[0] != 'p' || at[HUGE - 1] != 'P' || at[5 * 4096] != 'q')
        return 24;
    say("end\n");
    return 0;
}
"""


@pytest.mark.parametrize("copied", ThpCow)
@pytest.mark.parametrize("policy", POLICIES)
def test_at_every_allocation_from_the_first_huge_page_on(policy: str, copied: ThpCow) -> None:
    options = Options(fork_policy=policy, check=True, timeout=60, thp_cow=copied)
    first = allocations(options, *BEFORE_FORKS, source=GUEST) - 10
    last = allocations(options, source=GUEST)
    assert last - first > 20
    fail_each(options, range(first, last + 1), GUEST)


@pytest.mark.parametrize("mebibytes", [5, 6, 9])
def test_in_a_machine_with_few_free_runs(mebibytes: int) -> None:
    hog = r"""
    for (int n = 0; n < 4; n++) {
        char *p = mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        for (int at = n; at < 4 << 20; at += 9 * 4096)
            p[at] = 1;
        if (fork() == 0) { memset(p, n, 4 << 20); pause(); }
        memset(p, n, 3 << 20);
    }
    return 0;
"""
    options = Options(memory=mebibytes << 20, thp="always", check=True, timeout=60)
    result = Machine(options).run([compiled(hog)], record=False)
    assert result.summary["frames_leaked"] == 0
    assert result.summary["huge_mapped"] > 0
    assert any("out of memory" in note for note in result.notes)
