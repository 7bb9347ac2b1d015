"""Do the commands of the labs end when they are signalled, with all the processes they started?"""

from __future__ import annotations

import os
import pty
import signal
import sys
from pathlib import Path

import pytest

from tests.emu.cli.sessions import session_of, shell_status, start, wait_for, wait_until_alone
from tests.emu.commands import EMU, environment
from tests.guest.running import needs_terminals

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGKILL)
COMMANDS = ("check", "grade", "mutants")


@pytest.fixture
def words(tmp_path: Path) -> dict[str, list[str]]:
    """Arguments of each command, for code that does not return."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "frames.py").write_text("while True:\n    pass\n")
    return {
        "check": ["check", "--dir", str(tmp_path / "one")],
        "grade": ["grade", str(tmp_path), "-o", str(tmp_path.parent / f"{tmp_path.name}-results")],
        "mutants": ["mutants", "cow-fork"],
    }


@pytest.mark.skipif(sys.platform != "linux", reason="the parent's end is reported by prctl(2)")
@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_signal_ends_the_command_and_its_processes(
    command: str, number: signal.Signals, words: dict[str, list[str]]
) -> None:
    process = start("lab", *words[command])
    wait_for(process, lambda: students(session_of(process)))
    process.send_signal(number)
    assert shell_status(process) == 128 + number
    wait_until_alone(process)
    _, errors = process.communicate()  # no process holds the streams open
    assert "Traceback" not in errors and "ignored" not in errors
    if command == "grade" and number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        assert errors.endswith("emu: stopped; the next run continues here\n")


def students(pids: list[int]) -> list[int]:
    """Processes that run a student's code."""
    found = []
    for pid in pids:
        try:
            if b"emu/lab/sandbox" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
        except OSError:
            continue
    return found


def test_mutants_show_their_progress_on_a_terminal() -> None:
    needs_terminals()
    pid, terminal = pty.fork()
    if not pid:
        os.execve(EMU[0], [*EMU, "lab", "mutants", "cow-fork"], environment())
    output = b""
    while b" wrong solutions" not in output:
        output += os.read(terminal, 4096)
    os.write(terminal, b"\x03")
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) in (130, -signal.SIGINT)
    assert b" of " in output and b" s, " in output
