"""Is a guest that takes without end contained, and does one clear line say what ended it?"""

from __future__ import annotations

import subprocess
import sys

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

# What it does again and again until that fails, and the error that then ends it.
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
    outcome = emu("run", "--max-procs", "64", "--timeout", "100", guest)
    assert outcome.status == 0, outcome


# What it does without end, and the line that says how it came to one.
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
    "time": ("", 124, "the time limit of 1 s has passed"),
    "system calls": ("getppid();", 124, "the time limit of 1 s has passed"),
    "faults": (
        "char *p = mmap(0, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); *p = 1; munmap(p, 4096);",
        124,
        "the time limit of 1 s has passed",
    ),
    "mappings": (
        "static int n; mmap(0, 4096, 1 + 2 * (n++ & 1), MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);",
        124,
        "the time limit of 1 s has passed",
    ),
    "signals": ("sigqueue(getpid(), 40, (union sigval){0});", 124, "the time limit of 1 s"),
    "forks": ("if (fork() < 0) usleep(1000);", 124, "the time limit of 1 s has passed"),
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
    seconds = "1" if status == 124 else "100"
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


def test_does_greed_not_grow_the_host() -> None:
    """The machine's memory, /tmp and what was kept are all that a guest can make us take."""
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
            pause();
        }}
        sleep(2);
        kill(0, SIGKILL);
    }}
    """
    guest = program("hoard", text)
    measured = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:])\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run(
        [sys.executable, "-c", measured, *RUN, "--mem", "32M", "--timeout", "60", str(guest)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert int(done.stdout) < 700_000, "KiB: 256 MiB of /tmp, 64 MiB of pipes, 32 of RAM, ourselves"
