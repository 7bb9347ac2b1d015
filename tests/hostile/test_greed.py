"""Is a guest that uses resources without end contained, with one clear line for its end?"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.emu.commands import RUN, SECONDS, emu, environment, machine, program

HEAD = """
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#define UNUSED __attribute__((unused))
static UNUSED char block[1 << 16];
static UNUSED pid_t child;
static UNUSED void *sleeps(void *unused) { pause(); return unused; }
"""

# Operations repeated until they fail, and the error of the last one.
BOUNDED = {
    "files opened": ('open("/proc/self/exe", O_RDONLY) >= 0', "EMFILE"),
    "pipes": ("pipe((int[2]){0}) == 0", "EMFILE"),
    "processes": ("(child = fork()) ? child > 0 : pause()", "EAGAIN"),
    "threads": ("(errno = pthread_create(&(pthread_t){0}, 0, sleeps, 0)) == 0", "EAGAIN"),
    "timers": ("timer_create(CLOCK_MONOTONIC, 0, &(timer_t){0}) == 0", "EAGAIN"),
    "bytes in /tmp": ("write(file, block, sizeof block) > 0", "ENOSPC"),
    "bytes of a memfd": ("write(memory, block, sizeof block) > 0", "ENOSPC"),
}


@pytest.mark.parametrize("what", BOUNDED)
def test_is_what_a_guest_may_have_bounded(what: str) -> None:
    again, error = BOUNDED[what]
    text = f"""{HEAD}
    int main(void) {{
        int file = open("/tmp/file", O_CREAT | O_RDWR, 0600), memory = memfd_create("m", 0);
        memset(block, 1, sizeof block);
        long count = 0;
        while ({again}) count++;
        if (errno != {error}) {{ printf("%s\\n", strerror(errno)); return 1; }}
        printf("%ld\\n", count);
        fflush(stdout);
        signal(SIGUSR1, SIG_IGN);
        kill(0, SIGUSR1);
        _exit(count > 3 && file >= 0 && memory >= 0 ? 0 : 2);
    }}
    """
    guest = program(f"greed_{what.replace(' ', '_').replace('/', '')}", text)
    outcome = emu("run", "--mem", "64M", "--max-procs", "64", "--timeout", "100", guest)
    assert outcome.status == 0, outcome


# Operations without end, and the message at the end of the run.
ENDED = {
    "memory": (
        "char *p = mmap(0, 1 << 20, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); memset(p, 1, 1 << 20);",
        137,
        "out of memory: pid 2",
    ),
    "shared memory": (
        "char *p = mmap(0, 1 << 20, 3, MAP_SHARED | MAP_ANONYMOUS, -1, 0); memset(p, 1, 1 << 20);",
        137,
        "out of memory: pid 2",
    ),
    "time": ("", 124, "the time limit of 0.5 s has passed"),
    "system calls": ("getppid();", 124, "the time limit of 0.5 s has passed"),
    "faults": (
        "char *p = mmap(0, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); *p = 1; munmap(p, 4096);",
        124,
        "the time limit of 0.5 s has passed",
    ),
    "mappings": (
        "static int n; mmap(0, 4096, 1 + 2 * (n++ & 1), MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);",
        124,
        "the time limit of 0.5 s has passed",
    ),
    "signals": ("sigqueue(getpid(), 40, (union sigval){0});", 124, "the time limit of 0.5 s"),
    "forks": ("if (fork() < 0) usleep(1000);", 124, "the time limit of 0.5 s has passed"),
}


@pytest.mark.parametrize("what", ENDED)
def test_is_a_guest_without_end_ended_with_a_clear_line(what: str) -> None:
    body, status, line = ENDED[what]
    text = f"""{HEAD}
    int main(void) {{
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_BLOCK, &all, 0);
        for (;;) {{ {body} }}
    }}
    """
    guest = program(f"endless_{what.replace(' ', '_')}", text)
    seconds = "0.5" if status == 124 else "100"
    limits = ("--mem", "16M", "--max-procs", "16", "--timeout", seconds)
    outcome = emu("run", *limits, guest)
    assert outcome.status == status, outcome
    assert line in outcome.messages[0]
    assert len(outcome.messages) < 4, "one line is enough"


PRINTS = HEAD + "int main(void) { for (;;) { write(1, block, sizeof block); } }\n"


def test_does_the_user_get_all_that_a_guest_prints_without_end() -> None:
    done = subprocess.run(
        ["sh", "-c", '"$@" | head -c 50000000 | wc -c', "sh", *RUN, str(program("prints", PRINTS))],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.stdout.strip() == "50000000"
    assert done.stderr == ""


def test_is_what_a_notebook_keeps_of_a_guests_output_bounded() -> None:
    result = machine(timeout=4).run([program("prints", PRINTS)])
    assert len(result.stdout) <= 256 << 20
    assert result.status == 124


# Kinds of resources (greed.c), and what ends the use of each: an error, or a signal.

KINDS = {
    "tmp_bytes": "ENOSPC",
    "shm_bytes": "ENOSPC",
    "memfd_bytes": "ENOSPC",
    "sparse_pages": "ENOSPC",
    "sparse_backwards": "ENOSPC",
    "many_small_files": "ENOSPC",
    "empty_files": "ENOSPC",
    "directories": "ENOSPC",
    "deep_directories": "ENOSPC",
    "hard_links": "ENOSPC",
    "symlinks": "ENOSPC",
    "fifos": "ENOSPC",
    "long_names": "ENOSPC",
    "reserved": "ENOSPC",
    "mapped_file_pages": "SIGBUS",
    "opened": "EMFILE",
    "long_paths": "ENFILE",
    "duplicates": "EMFILE",
    "memfds": "EMFILE",
    "pipes": "EMFILE",
    "eventfds": "EMFILE",
    "timerfds": "EMFILE",
    "pidfds_of_ended_processes": "EMFILE",
    "inotify_instances": "EMFILE",
    "watched_files": "ENOSPC ENFILE",
    "events_of_files": "ENOSPC",
    "epolls": "EMFILE",
    "socketpairs": "EMFILE ENFILE",
    "files_of_many_processes": "ENFILE",
    "eventfds_of_many_processes": "ENFILE",
    "pipe_bytes": "ENOMEM",
    "socket_bytes": "ENOBUFS ENFILE",
    "empty_messages": "ENOBUFS ENFILE",
    "terminals": "ENOMEM ENFILE",
    "tcp_sockets": "ENFILE",
    "unaccepted": "ENFILE",
    "nested_descriptors": "ENFILE ETOOMANYREFS",
    "watches_of_many_sets": "ENOSPC",
    "record_locks": "ENOLCK",
    "file_locks": "EMFILE",
    "listings": "ENOMEM",
    "texts": "ENOMEM",
    "table_sizes": "ENOMEM",
    "forks": "ENOMEM",
    "zombies": "ENOMEM",
    "clones": "ENOMEM",
    "chained_forks": "ENOMEM",
    "threads": "EAGAIN",
    "futex_waiters": "EAGAIN",
    "blocked_writers": "EAGAIN",
    "blocked_pollers": "EAGAIN",
    "queued_signals": "EAGAIN",
    "queued_for_many": "EAGAIN",
    "thread_signals": "EAGAIN",
    "timers": "EAGAIN",
    "timers_of_many_processes": "EAGAIN",
    "environments": "ENOMEM",
    "long_arguments": "E2BIG",
    "mappings": "ENOMEM",
    "shared_mappings": "ENOMEM",
    "split_mappings": "ENOMEM",
    "private_memory": "SIGKILL",
    "shared_memory": "SIGKILL",
    "page_tables": "SIGKILL",
    "heap": "ENOMEM",
    "stack": "SIGSEGV",
    "locked": "ENOMEM",
}
MIB = 1 << 20
MEMORY, BUDGET, SLACK = 64 * MIB, 16 * MIB, 24 * MIB
MOST_STEPS = 300_000
"""Maximum number of steps for any kind; the slowest, sbrk(2), ends with the address space."""

MEASURED = """
import json, os, resource, sys
from emu.session import Session
from emu.options import Options
from kernel.check import budget_audit
options = Options(memory=int(sys.argv[1]), timeout=100.0, max_processes=int(sys.argv[2]))
session = Session(options, sys.argv[3:])
session.console.capture(1)
status = session.run()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
left = list(map(str, budget_audit.left_over(session.kernel)))
output = session.console.captured(1).decode()
print(json.dumps([status, output, session.notes, peak, left]), flush=True)
os._exit(0)
"""


class GreedResult(NamedTuple):
    """Result of a guest that uses up a resource."""

    status: int
    stdout: str
    notes: list[str]
    peak: int
    """Peak host memory of the emulator's process in bytes."""
    left: list[str]
    """Charges that remain in the budget after all processes have ended."""


def run_greedy(guest: Path, *words: str, most_processes: int = 4096) -> GreedResult:
    """Runs the guest with 64 MiB in a separate process."""
    command = [sys.executable, "-c", MEASURED, str(MEMORY), str(most_processes), str(guest), *words]
    done = subprocess.run(
        command, env=environment(), capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    return GreedResult(*json.loads(done.stdout))


@pytest.fixture(scope="session")
def greed() -> Path:
    return program("greed", (Path(__file__).parent / "greed.c").read_text())


@pytest.fixture(scope="session")
def alone(greed: Path) -> int:
    """Memory in bytes that the emulator uses for a guest that does nothing."""
    return run_greedy(greed, "nothing").peak


@pytest.mark.parametrize("kind", KINDS)
def test_does_each_kind_of_resource_have_a_limit(greed: Path, alone: int, kind: str) -> None:
    taken = run_greedy(greed, kind)
    if KINDS[kind].startswith("SIG"):
        assert taken.status == 128 + signal.Signals[KINDS[kind]], taken
        assert taken.stdout == ""
    else:
        steps, error = taken.stdout.split()
        assert error in KINDS[kind].split(), taken
        assert 0 < int(steps) <= MOST_STEPS
    assert taken.peak <= alone + MEMORY + BUDGET + SLACK, "host memory was used that is not charged"
    assert taken.left == []


def test_is_the_number_of_processes_and_threads_together_limited(greed: Path) -> None:
    for kind in ("forks", "zombies", "clones", "chained_forks", "threads"):
        steps, error = run_greedy(greed, kind, most_processes=32).stdout.split()
        assert (int(steps), error) == (31, "EAGAIN"), kind


def test_does_use_of_many_resources_not_exceed_the_limits(alone: int) -> None:
    """A guest can use at most the machine's memory and the budget."""
    text = f"""{HEAD}
    int main(void) {{
        int p[2];
        memset(block, 1, sizeof block);
        for (int i = 0; i < 40; i++) {{
            if (fork()) continue;
            while (pipe(p) == 0) {{
                fcntl(p[1], F_SETFL, O_NONBLOCK);
                fcntl(p[1], F_SETPIPE_SZ, 1 << 20);
                while (write(p[1], block, sizeof block) > 0) ;
            }}
            int file = memfd_create("m", 0);
            while (write(file, block, sizeof block) > 0) ;
            file = open("/dev/shm/file", O_CREAT | O_RDWR | O_APPEND, 0600);
            while (write(file, block, sizeof block) > 0) ;
            pause();
        }}
        sleep(2);
        kill(0, SIGKILL);
    }}
    """
    taken = run_greedy(program("hoard", text))
    assert taken.status == 137
    assert taken.peak <= alone + MEMORY + BUDGET + SLACK
    assert taken.left == []
