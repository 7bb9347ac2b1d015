"""Is a command's exit status correct when its output cannot be written?"""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.emu.cli.test_interrupting import IGNORES
from tests.emu.commands import EMU, SECONDS, environment, program
from tests.guest.running import needs_terminals
from tests.kernel.syscalls.guests import compiled

SILENT = r"""
#include <sys/wait.h>
#include <unistd.h>
int main(void) { if (!fork()) _exit(0); wait(0); return 7; }
"""
PROG = "the program"
"""Placeholder for a program that prints nothing and exits with status 7."""
ON_STDOUT = {
    "cow --json": (["cow", "--json", PROG], 7),
    "compare --json": (["compare", "--json", PROG], 7),
    "walk": (["walk", PROG, "--at", "main", "sp"], 0),
    "syscalls": (["syscalls"], 0),
    "labs": (["lab", "list"], 0),
    "help": (["--help"], 0),
    "help of a command": (["run", "--help"], 0),
}
"""Exit status of each command when its output on stdout is read."""
ON_STDERR = {
    "summary": (["run", "--summary", PROG], 7),
    "trace": (["trace", PROG], 7),
    "traced run": (["run", "--trace", "faults", PROG], 7),
    "cow": (["cow", PROG], 7),
    "compare": (["compare", PROG], 7),
    "why": (["why", PROG, "--at", "main"], 7),
    "no program": (["run", "/no/such"], 127),
    "no source": (["build", "/no/such.c"], 2),
    "no lab": (["lab", "check", "nosuch"], 2),
    "no submissions": (["lab", "grade", "/no/such", "-o", "x"], 2),
    "no mutants": (["lab", "mutants", "nosuch"], 2),
    "no option": (["run", "--bogus"], 2),
    "no command": ([], 2),
}
"""The same for commands whose output or error goes to stderr."""


@contextmanager
def full() -> Iterator[int]:
    try:
        fd = os.open("/dev/full", os.O_WRONLY)
    except OSError:
        pytest.skip("needs /dev/full")
    yield fd
    os.close(fd)


@contextmanager
def unread() -> Iterator[int]:
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


def status(words: list[str], stdout: int, stderr: int, closed: int = -1) -> int:
    """Exit status of the command; ``closed`` is a descriptor that is closed for it."""
    silent = str(program("silent_7", SILENT))
    done = subprocess.run(
        [*EMU, *(silent if word == PROG else word for word in words)],
        env={**environment(), "PYTHONUNBUFFERED": ""},
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        timeout=SECONDS,
        check=False,
        preexec_fn=None if closed < 0 else lambda: os.close(closed),
    )
    return done.returncode


@pytest.mark.parametrize("words, wanted", ON_STDERR.values(), ids=list(ON_STDERR))
def test_is_it_the_same_where_messages_are_lost(words: list[str], wanted: int) -> None:
    with full() as stream:
        assert status(words, subprocess.DEVNULL, stream) == wanted
    with unread() as stream:
        assert status(words, subprocess.DEVNULL, stream) == wanted


@pytest.mark.parametrize("words, wanted", ON_STDERR.values(), ids=list(ON_STDERR))
def test_does_output_for_a_closed_stderr_not_go_to_stdout(
    words: list[str], wanted: int, tmp_path: Path
) -> None:
    with (tmp_path / "output").open("wb") as output:
        assert status(words, output.fileno(), subprocess.DEVNULL, closed=2) == wanted
    assert (tmp_path / "output").read_bytes() == b""


@pytest.mark.parametrize("words", [words for words, _ in ON_STDOUT.values()], ids=list(ON_STDOUT))
def test_is_lost_output_reported(words: list[str]) -> None:
    with full() as stream:
        assert status(words, stream, subprocess.DEVNULL) == 1
        assert status(words, stream, stream) == 1
    with unread() as stream:
        assert status(words, stream, subprocess.DEVNULL) == 128 + 13
        assert status(words, stream, stream) == 128 + 13


@pytest.mark.parametrize("words, wanted", ON_STDOUT.values(), ids=list(ON_STDOUT))
def test_is_a_lost_summary_that_was_not_requested_ignored(words: list[str], wanted: int) -> None:
    assert status(words, subprocess.DEVNULL, subprocess.DEVNULL, closed=1) == wanted


@pytest.mark.parametrize(
    "words",
    [["run"], ["run", "--summary"], ["trace"], ["cow"], ["cow", "--json"], ["why", "--at", "main"]],
    ids=" ".join,
)
def test_is_it_129_where_the_terminal_goes_away(words: list[str]) -> None:
    guest = str(compiled(IGNORES))
    needs_terminals()
    pid, terminal = pty.fork()
    if not pid:
        os.execve(EMU[0], [*EMU, *words, guest, "sleeps"], environment())
    while b"ready" not in os.read(terminal, 4096):
        pass
    os.close(terminal)
    _, ended = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(ended) == 128 + 1
