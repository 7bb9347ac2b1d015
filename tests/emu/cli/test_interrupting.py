"""Can the user end a run by signals, whatever signals the guest handles or ignores?"""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from pathlib import Path

import pytest

from emu.observe.formats.jsonl import read_trace
from emu.observe.model import records
from tests.emu.commands import EMU, RUN, SECONDS, environment
from tests.guest.running import needs_terminals
from tests.kernel.syscalls.guests import compiled

HANDLES = r"""
static volatile int got;
static void on(int signo) { got = signo; }
int main(int argc, char **argv) {
    catch(SIGINT, on, 0);
    say("ready\n");
    while (!got)
        if (argv[1][0] == 's') sleep(1); /* the signal may come just before it */
    say("caught %d\n", got);
    return 3;
}
"""
IGNORES = r"""
int main(int argc, char **argv) {
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    if (fork() == 0) say("ready\n");
    for (;;) if (argv[1][0] == 's') sleep(1000);
}
"""


def start(source: str, *words: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [*RUN, str(compiled(source)), *words],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return process


def end(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    output, errors = process.communicate(timeout=SECONDS)
    return process.returncode, output, errors


@pytest.mark.parametrize("how", ["sleeps", "computes"])
def test_a_guest_that_handles_ctrl_c_goes_on(how: str) -> None:
    process = start(HANDLES, how)
    process.send_signal(signal.SIGINT)
    assert end(process) == (3, "caught 2\n", "")


@pytest.mark.parametrize("how", ["sleeps", "computes"])
def test_a_second_ctrl_c_at_once_ends_guests_that_ignore_the_first(how: str) -> None:
    process = start(IGNORES, how)
    for _ in range(3):
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=0.3)
            break
        except subprocess.TimeoutExpired:
            continue
    status, _, errors = end(process)
    # A shell reports 130 for both; another SIGINT may arrive while Python itself exits.
    assert status in (130, -signal.SIGINT) and errors == "emu: interrupted\n"


def test_sigterm_ends_all_guests() -> None:
    process = start(IGNORES, "sleeps")
    process.send_signal(signal.SIGTERM)
    status, _, errors = end(process)
    assert (status, errors) == (128 + 15, "emu: terminated\n")


def test_all_processes_of_a_run_get_ctrl_c() -> None:
    process = start(r"""
        for (int i = 0; i < 3; i++)
            if (!fork()) for (;;) sleep(1000);
        say("ready\n");
        while (wait(NULL) > 0);
        return 0;
    """)
    process.send_signal(signal.SIGINT)
    assert end(process)[0] == 130


def test_a_closed_terminal_ends_all_guests() -> None:
    process = start(IGNORES, "sleeps")
    process.send_signal(signal.SIGHUP)
    status, _, errors = end(process)
    assert (status, errors) == (128 + 1, "emu: the terminal was closed\n")


def test_a_run_that_is_to_outlive_the_terminal_does() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        process = start(HANDLES, "sleeps")
    finally:
        signal.signal(signal.SIGHUP, before)
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGINT)
    assert end(process) == (3, "caught 2\n", "")


@pytest.mark.parametrize("how", ["sleeps", "computes"])
def test_a_trace_is_whole_when_the_terminal_goes_away(how: str, tmp_path: Path) -> None:
    file = tmp_path / "cut.jsonl"
    needs_terminals()
    pid, terminal = pty.fork()
    if not pid:
        words = [*EMU, "trace", "-o", str(file), str(compiled(IGNORES)), how]
        os.execve(words[0], words, environment())
    while b"ready" not in os.read(terminal, 4096):
        pass
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 128 + 1
    with file.open("rb") as trace:
        assert isinstance(list(read_trace(trace))[-1], records.End)
