"""Do the C library's macros read from a wait status what has happened to the process?"""

from __future__ import annotations

import os
import signal

import pytest

from kernel.process import exit_status
from kernel.process.exit_status import ExitStatus


@pytest.mark.parametrize(("code", "exit_code"), [(0, 0), (7, 7), (255, 255), (256, 0), (-1, 255)])
def test_does_an_exit_keep_eight_bits_of_its_code(code: int, exit_code: int) -> None:
    status = ExitStatus.of_exit(code)
    assert os.WIFEXITED(status.wait_status) and os.WEXITSTATUS(status.wait_status) == exit_code
    assert status.shell_status == exit_code


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL, signal.SIGSEGV, 64])
def test_is_a_kill_the_signal_without_a_core_file(number: int) -> None:
    status = ExitStatus(number)
    assert os.WIFSIGNALED(status.wait_status) and os.WTERMSIG(status.wait_status) == number
    assert not os.WCOREDUMP(status.wait_status)
    assert status.shell_status == 128 + number


def test_are_a_stop_and_its_end_no_ends_of_the_process() -> None:
    stopped, continued = exit_status.stopped(signal.SIGTSTP), exit_status.CONTINUED
    assert os.WIFSTOPPED(stopped) and os.WSTOPSIG(stopped) == signal.SIGTSTP
    assert os.WIFCONTINUED(continued)
    for status in (stopped, continued):
        assert not os.WIFEXITED(status) and not os.WIFSIGNALED(status)
