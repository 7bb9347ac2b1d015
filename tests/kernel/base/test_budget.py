"""Does the budget of the kernel's objects count correctly, and is every charge released?"""

from contextlib import suppress

import pytest

from emu.api import Machine
from emu.options import Options
from emu.session import Session
from kernel.base.budget import Budget, Cost, Kind, share_of
from kernel.base.errno import ENOLCK, ENOMEM
from kernel.base.errors import Errno
from kernel.check import budget_audit
from tests.emu.commands import program


def test_are_charges_counted_by_kind_and_limited() -> None:
    budget = Budget(100)
    budget.take(Kind.PIPE, 60)
    budget.take(Kind.LOCK, 40)
    assert (budget.used, budget.held) == (100, {Kind.PIPE: 60, Kind.LOCK: 40})
    with pytest.raises(Errno) as refused:
        budget.take(Kind.LOCK, 1, ENOLCK)
    assert refused.value.errno == ENOLCK
    assert budget.used == 100, "a refused request is not charged"
    budget.give_back(Kind.PIPE, 60)
    assert (budget.used, budget.held[Kind.PIPE]) == (40, 0)


def test_is_a_temporary_charge_always_released() -> None:
    budget = Budget(100)
    with suppress(KeyError), budget.charged(Kind.WAIT, 100):
        assert budget.used == 100
        raise KeyError
    assert budget.used == 0
    with pytest.raises(Errno), budget.charged(Kind.WAIT, 101):
        pytest.fail("more was granted than was left")
    assert budget.used == 0


@pytest.mark.parametrize(
    "memory, budget", [(1 << 20, 16 << 20), (64 << 20, 16 << 20), (1 << 30, 256 << 20)]
)
def test_is_the_budget_a_share_of_memory_by_default(memory: int, budget: int) -> None:
    assert share_of(memory) == budget
    program_ = program("nothing", "int main(void) { return 0; }")
    assert Session(Options(memory=memory), [str(program_)]).kernel.budget.limit == budget


def test_can_the_budget_be_given() -> None:
    text = """
    #include <errno.h>
    #include <signal.h>
    #include <stdio.h>
    #include <unistd.h>
    int main(void) {
        int n = 0;
        pid_t child;
        while ((child = fork()) > 0) n++;
        if (!child) for (;;) pause();
        printf("%d %d\\n", n, errno);
        fflush(stdout);
        kill(0, SIGKILL);
    }
    """
    guest = program("forks_to_the_budget", text)
    session = Session(Options(kernel_memory=2 << 20, timeout=100.0, check=True), [str(guest)])
    session.console.capture(1)
    assert session.run() == 137
    forks, error = map(int, session.console.captured(1).split())
    assert 10 < forks < (2 << 20) // Cost.PROCESS
    assert error == ENOMEM
    with pytest.raises(ValueError, match="kernel_memory must be a positive number"):
        Machine(kernel_memory=0)
    with pytest.raises(TypeError, match="kernel_memory must be a number"):
        Machine(kernel_memory=2.5)  # type: ignore[arg-type]


# A guest that creates objects of all kinds, and releases them.
ROUND = """
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char block[10000];
static void *ends(void *nothing) { return nothing; }

static void once(void) {
    int p[2], s[2], set = epoll_create1(0), event = eventfd(0, 0), memory = memfd_create("m", 0);
    struct epoll_event watched = {.events = EPOLLIN | EPOLLET};
    struct flock lock = {.l_type = F_WRLCK, .l_start = 10, .l_len = 10};
    timer_t timer;
    pthread_t thread;
    sigset_t set40;
    if (pipe(p) || socketpair(AF_UNIX, SOCK_DGRAM, 0, s)) abort();
    write(p[1], block, sizeof block);
    read(p[0], block, 5000);
    send(s[0], block, 100, 0);
    send(s[1], block, 0, 0);
    epoll_ctl(set, EPOLL_CTL_ADD, p[0], &watched);
    epoll_ctl(set, EPOLL_CTL_ADD, event, &watched);
    epoll_ctl(set, EPOLL_CTL_MOD, event, &watched);
    close(event); /* leaves the set */
    int file = open("/tmp/f", O_CREAT | O_RDWR, 0600), folder;
    write(file, block, sizeof block);
    pwrite(file, block, 1, 1 << 20);
    fcntl(file, F_SETLK, &lock);
    lock.l_start = 12, lock.l_len = 2, lock.l_type = F_UNLCK;
    fcntl(file, F_SETLK, &lock);
    fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 8192);
    mkdir("/tmp/d", 0700);
    symlink("target", "/tmp/d/link");
    link("/tmp/f", "/tmp/d/hard");
    mkfifo("/tmp/d/fifo", 0600);
    rename("/tmp/f", "/tmp/d/\\xc3\\xbc");
    folder = open("/tmp/d", O_RDONLY | O_DIRECTORY);
    if (!readdir_all(folder)) abort();
    unlink("/tmp/d/link"), unlink("/tmp/d/hard"), unlink("/tmp/d/fifo");
    unlink("/tmp/d/\\xc3\\xbc");
    rmdir("/tmp/d");
    char *shared = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    ftruncate(memory, 50000);
    char *seen = mmap(0, 50000, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    char *anonymous = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    shared[0] = seen[40000] = anonymous[0] = 1;
    mprotect(shared + 4096, 4096, PROT_READ);
    int maps = open("/proc/self/maps", O_RDONLY);
    read(maps, block, 10);
    timer_create(CLOCK_MONOTONIC, 0, &timer);
    timer_delete(timer);
    sigemptyset(&set40), sigaddset(&set40, 40);
    sigprocmask(SIG_BLOCK, &set40, 0);
    sigqueue(getpid(), 40, (union sigval){0});
    pthread_create(&thread, 0, ends, 0);
    pthread_join(thread, 0);
    pid_t child = fork();
    if (!child) _exit(0); /* with all of it */
    waitpid(child, 0, 0);
    sigwaitinfo(&set40, 0);
    close(file), close(memory), close(set), close(folder), close(maps);
    close(p[0]), close(p[1]), close(s[0]), close(s[1]);
    munmap(shared, 8192), munmap(seen, 50000), munmap(anonymous, 8192);
}
"""


def test_are_all_charges_released_with_their_objects() -> None:
    text = ROUND.replace("static void once", READS_FOLDER + "static void once")
    text += "int main(int c, char **v) { for (int n = atoi(v[1]); n; n--) once(); return 0; }\n"
    guest = program("a_round_of_everything", text)
    left = []
    for times in ("1", "20"):
        session = Session(Options(memory=32 << 20, check=True, timeout=100.0), [str(guest), times])
        assert session.run() == 0
        assert budget_audit.left_over(session.kernel) == []
        left.append(dict(session.kernel.budget.held))
        assert session.summary["frames_leaked"] == 0
    assert left[0] == left[1]


READS_FOLDER = """
#include <sys/syscall.h>
static long readdir_all(int folder) { return syscall(SYS_getdents64, folder, block, 10000); }
"""
