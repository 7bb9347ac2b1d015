"""Does a shell work at a terminal: job control, Ctrl-C, Ctrl-Z, and restored settings?"""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.guest.running import PROJECT, needs_terminals
from tests.guest.test_real_programs import STATIC, program

SECONDS = 60
PROMPT = "# "


class Session:
    """A busybox shell that runs under emu on a terminal of its own."""

    def __init__(self, busybox: Path, *arguments: str) -> None:
        needs_terminals()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(PROJECT)
            command = [sys.executable, "-m", "emu", "run", "--check", "--env", f"PS1={PROMPT}"]
            os.execv(sys.executable, [*command, str(busybox), *arguments])
        self.settings = termios.tcgetattr(self.fd)
        self.text = ""

    def send(self, keys: str) -> None:
        os.write(self.fd, keys.encode())

    def expect(self, pattern: str) -> None:
        """Waits until the output since the last match has ``pattern``."""
        end = time.monotonic() + SECONDS
        while not (found := re.search(pattern, self.text)):
            ready, _, _ = select.select([self.fd], [], [], max(0, end - time.monotonic()))
            assert ready, f"{pattern!r} does not come; the rest is {self.text!r}"
            self.text += os.read(self.fd, 4096).decode()
        self.text = self.text[found.end() :]

    def run(self, line: str, answer: str) -> None:
        self.send(f"{line}\n")
        self.expect(answer)
        self.expect(PROMPT)

    def status(self) -> int:
        """Waits for the exit status."""
        end = time.monotonic() + SECONDS
        while not (ended := os.waitpid(self.pid, os.WNOHANG))[0]:
            assert time.monotonic() < end, f"it does not end; the rest is {self.text!r}"
            time.sleep(0.05)
        return os.waitstatus_to_exitcode(ended[1])


@pytest.fixture
def shell() -> Iterator[Session]:
    session = Session(program(STATIC, "usr/bin/busybox"), "sh")
    session.expect(PROMPT)
    yield session
    os.close(session.fd)


def test_ctrl_c_breaks_off_the_command_and_not_the_shell(shell: Session) -> None:
    shell.send("sleep 100\n")
    shell.expect("sleep 100\r\n")
    time.sleep(0.5)
    shell.send("\x03")
    shell.expect(PROMPT)
    shell.run("echo status $?", "status 130")
    shell.send("while :; do :; done\n")
    time.sleep(0.5)
    shell.send("\x03")
    shell.expect(PROMPT)
    shell.send("\x03\x03\x03")  # repeatedly, as the user of a shell does
    shell.expect(PROMPT)
    shell.run("echo still $((40 + 2))", "still 42")
    shell.send("exit 7\n")
    assert shell.status() == 7


def test_ctrl_z_stops_and_fg_continues(shell: Session) -> None:
    shell.send("cat\n")
    shell.expect("cat\r\n")
    time.sleep(0.5)
    shell.send("\x1a")
    shell.expect("Stopped")
    shell.expect(PROMPT)
    shell.send("fg\n")
    shell.expect("cat\r\n")
    shell.send("typed\n")
    shell.expect("typed\r\ntyped\r\n")
    shell.send("\x04")
    shell.expect(PROMPT)
    shell.send("\x04")
    assert shell.status() == 0


def test_a_job_in_the_background_does_not_take_what_is_typed(shell: Session) -> None:
    shell.run("cat &", "")
    time.sleep(0.5)
    shell.run("jobs", r"Stopped \(tty input\)")
    shell.run("kill -9 %1; sleep 0.1", "Killed")
    shell.send("exit\n")
    assert shell.status() == 0


def test_ctrl_backslash_and_the_settings_afterwards() -> None:
    busybox = program(STATIC, "usr/bin/busybox")
    session = Session(busybox, "sh", "-c", "stty -echo -icanon; echo ready; sleep 100")
    session.expect("ready")
    time.sleep(1)  # the shell itself ignores it, up to its exec of sleep
    session.send("\x1c")
    assert session.status() == 128 + signal.SIGQUIT
    assert termios.tcgetattr(session.fd) == session.settings
    os.close(session.fd)


def test_ctrl_z_without_job_control_stops_the_machine_itself() -> None:
    busybox = program(STATIC, "usr/bin/busybox")
    session = Session(busybox, "sh", "-c", "stty -echo; echo ready; read line; echo got $line")
    session.expect("ready")
    time.sleep(0.3)
    os.kill(session.pid, signal.SIGTSTP)
    # An orphaned group: SIGTSTP does not stop it; SIGCONT must have no effect.
    os.kill(session.pid, signal.SIGCONT)
    session.send("word\n")
    session.expect("got word")
    assert session.status() == 0
    assert termios.tcgetattr(session.fd) == session.settings
    os.close(session.fd)
