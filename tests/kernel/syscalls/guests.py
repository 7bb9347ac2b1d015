"""Small C programs as questions: run in a machine of this process, and under qemu-riscv64."""

from __future__ import annotations

import hashlib
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from emu import Machine, Result
from tests.guest.running import qemu
from toolchain.build import build, cache_folder

_PRELUDE = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

/* Prints what a call gave: its result, or the name of its errno. */
#define SHOW(call)                                                    \
    do {                                                              \
        errno = 0;                                                    \
        long show_r = (long)(call);                                   \
        if (show_r == -1 && errno)                                    \
            say("%s = %s\n", #call, strerrorname_np(errno));          \
        else                                                          \
            say("%s = %ld\n", #call, show_r);                         \
    } while (0)
/* The same, but only whether it worked. */
#define TRY(call)                                                     \
    do {                                                              \
        errno = 0;                                                    \
        say("%s: %s\n", #call, (long)(call) == -1 ? strerrorname_np(errno) : "ok"); \
    } while (0)

/* Unbuffered, in one write: lines of several processes never mix. */
__attribute__((format(printf, 1, 2))) static inline void say(const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (write(1, text, n) != n)
        _exit(99);
}

static inline void catch(int signo, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigaction(signo, &action, NULL);
}

static inline void catch_info(int signo, void (*handler)(int, siginfo_t *, void *), int flags)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO};
    sigaction(signo, &action, NULL);
}

static inline sigset_t set_of(int first, int second)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, first);
    if (second)
        sigaddset(&set, second);
    return set;
}

/* Blocks until the other side of the pipe closes or writes. */
static inline void await(int fd)
{
    char byte;
    while (read(fd, &byte, 1) < 0 && errno == EINTR)
        ;
}

static inline void nap(int milliseconds)
{
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    nanosleep(&time, NULL);
}

static inline const char *how(int status)
{
    static char text[64];
    if (WIFEXITED(status))
        snprintf(text, sizeof text, "exited %d", WEXITSTATUS(status));
    else if (WIFSIGNALED(status))
        snprintf(text, sizeof text, "killed %d", WTERMSIG(status));
    else if (WIFSTOPPED(status))
        snprintf(text, sizeof text, "stopped %d", WSTOPSIG(status));
    else
        snprintf(text, sizeof text, WIFCONTINUED(status) ? "continued" : "?? %x", status);
    return text;
}
"""


_USUAL: dict[str, Any] = {
    "timeout": 60,
    "check": True,
    "deterministic": True,  # a busy host must not change a program's results
    "environment": {"PATH": "/none"},
}


@cache
def compiled(source: str, *flags: str) -> Path:
    """The program compiled from ``source``; a source without main is the body of main."""
    text = source if "main(" in source else f"int main(int argc, char **argv)\n{{\n{source}\n}}\n"
    text = _PRELUDE.replace("#include <errno.h>", "#include <errno.h>\n#include <stdarg.h>") + text
    folder = cache_folder() / "questions"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{hashlib.sha256(text.encode()).hexdigest()[:20]}.c"
    if not path.exists():
        draft = path.with_suffix(f".{id(text)}")
        draft.write_text(text)
        draft.replace(path)
    return build([path], flags=["-O1", "-Wno-unused-result", *flags])


def run(source: str, *arguments: str, stdin: bytes = b"", **options: Any) -> Result:
    """Runs it under emu, with the invariants checked; no frame may leak, and it must end."""
    options = {**_USUAL, **options}
    result = Machine(**options).run([compiled(source), *arguments], stdin=stdin, record=False)
    assert result.status != 124, f"it hangs; so far: {result.stdout[-500:].decode()}"
    assert result.summary["frames_leaked"] == 0
    return result


def output(source: str, *arguments: str, **options: Any) -> list[str]:
    """The lines it prints under emu; its status must be 0."""
    result = run(source, *arguments, **options)
    assert result.status == 0, (result.status, result.stdout, result.stderr, result.notes)
    return result.stdout.decode().splitlines()


def same_as_qemu(source: str, *arguments: str) -> list[str]:
    """The lines it prints, which must be the same under emu and qemu-riscv64."""
    oracle = _qemu(compiled(source), *arguments)
    result = run(source, *arguments)
    here, there = result.stdout.decode().splitlines(), oracle.stdout.decode().splitlines()
    assert here == there, f"here: {here}\nqemu: {there}"
    assert result.status == (
        128 - oracle.returncode if oracle.returncode < 0 else oracle.returncode
    )
    return there


def _qemu(program: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [qemu(), str(program), *arguments],
        env={"PATH": "/none", "QEMU_CPU": "rv64"},  # newer versions have more extensions by default
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        timeout=60,
        check=False,
    )
