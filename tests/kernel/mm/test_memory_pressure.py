"""Does a run end cleanly for a failure of each of its frame allocations?"""

# ruff: noqa: PT017 - whether a program is loaded at all depends on the frame that was missing

from dataclasses import replace

import pytest

from emu import CannotRun, Machine, Options
from kernel.mm.forking.fork import POLICIES
from tests.kernel.syscalls.guests import compiled

GUEST = r"""
static char data[3 * 4096] = "data";
static void on(int signo) { data[0]++; }
static void *thread(void *argument) { data[1]++; return NULL; }
int main(int argc, char **argv) {
    if (argc > 1)
        return 5;
    int pipes[2], status = 0;
    pipe(pipes);
    catch(SIGUSR1, on, 0);
    char *shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 2; i++) {
        pid_t child = fork();
        if (child < 0)
            return 20;
        if (!child) {
            close(pipes[1]);
            raise(SIGUSR1);
            shared[0]++;
            data[4096] = 'x';
            read(pipes[0], data + 8000, 8);
            if (i) {
                execl("/proc/self/exe", "self", "again", NULL);
                _exit(21);
            }
            _exit(0);
        }
        write(pipes[1], "12345678", 8);
        if (waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) != 9)
            return 22;
    }
    pthread_t t;
    if (pthread_create(&t, NULL, thread, NULL))
        return 23;
    pthread_join(t, NULL);
    if (!vfork())
        _exit(0);
    wait(NULL);
    say("end\n");
    return 0;
}
"""


WAYS = {"loop": True, "vector": False}
"""In the kernel's run loop, and in its fast path while the engine runs: ``deterministic``."""
BEFORE_FORKS = ("x",)
"""Arguments with which the program ends before it forks."""


@pytest.mark.parametrize("way", WAYS)
def test_at_every_allocation_before_the_first_fork(way: str) -> None:
    """No fork policy has a part in these."""
    options = Options(deterministic=WAYS[way], check=True, timeout=60)
    fail_each(options, range(1, allocations(options, *BEFORE_FORKS) + 1))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("policy", POLICIES)
def test_at_every_allocation_from_the_first_fork_on(policy: str, way: str) -> None:
    options = Options(fork_policy=policy, deterministic=WAYS[way], check=True, timeout=60)
    first, last = allocations(options, *BEFORE_FORKS) - 10, allocations(options)
    assert last - first > 40
    fail_each(options, range(first, last + 1))


def allocations(options: Options, *words: str, source: str = GUEST) -> int:
    """Number of frames that the program allocates when no allocation fails."""
    unharmed = Machine(options).run([compiled(source), *words], record=False)
    assert (unharmed.status, unharmed.stdout) == ((5, b"") if words else (0, b"end\n"))
    allocated: int = unharmed.summary["frames_allocated"]
    return allocated


def fail_each(options: Options, numbers: range, source: str = GUEST) -> None:
    """Runs the program once for each of these allocations, which is made to fail."""
    program = compiled(source)
    for number in numbers:
        try:
            result = Machine(replace(options, fail_allocation=number)).run([program], record=False)
        except CannotRun as reason:
            assert f"allocation {number} was made to fail" in str(reason)
            continue
        context = f"allocation {number} of {numbers} failed: {result}"
        killed = [note for note in result.notes if note.startswith("out of memory")]
        assert result.status in (0, 20, 21, 23, 128 + 9), context
        assert result.summary["frames_leaked"] == 0, context
        assert all(note in killed or "pid" in note for note in result.notes), context
        if result.status == 128 + 9:
            assert killed, context
        if result.status == 0:
            assert result.stdout == b"end\n", context


@pytest.mark.parametrize("pages", [256, 300, 340, 380, 420])
def test_in_a_machine_that_is_really_too_small(pages: int) -> None:
    hog = r"""
    char *p = NULL;
    for (int n = 0; n < 200; n++) {
        if (n % 20 == 0 && fork() == 0) { p = malloc(40960); memset(p, n, 40960); pause(); }
        p = malloc(8192);
        memset(p, n, 8192);
    }
    return 0;
"""
    result = Machine(memory=pages * 4096, check=True, timeout=60).run([compiled(hog)], record=False)
    assert result.summary["frames_leaked"] == 0
    assert any("out of memory" in note for note in result.notes)
