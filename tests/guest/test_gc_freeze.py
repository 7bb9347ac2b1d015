"""Are the commands and results of the page about gc.freeze() in a forked child correct?"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.guest.pages import normal, outputs, sessions
from tests.guest.running import PROJECT

PAGE = (PROJECT / "guest" / "GC_FREEZE.md").read_text(encoding="utf-8")
SESSIONS = sessions(PAGE)
pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.environ.get("EMU_PURE") != "0", reason="make test-compiled runs it"),
]

ROOT = PROJECT / ".root" / "python"


@pytest.fixture(scope="module")
def printed() -> list[str]:
    if not ROOT.is_dir():
        pytest.skip("no riscv64 Python: make test-setup could not fetch it")
    return outputs(SESSIONS)


def test_does_it_print_what_the_page_shows(printed: list[str]) -> None:
    assert len(SESSIONS) == 10
    for (command, expected), output in zip(SESSIONS, printed, strict=True):
        assert normal(output) == normal(expected), f"$ {command}\n{output}"


def test_does_freezing_save_what_the_page_says(printed: list[str]) -> None:
    copied = [re.match(r"copied for fork +([\d,]+) KiB", output) for output in printed]
    idle, collect, frozen = (int(match[1].replace(",", "")) for match in copied if match)
    assert collect > 10 * idle and frozen < collect / 4


def test_does_python_see_what_freezing_saves(printed: list[str]) -> None:
    views = [re.match(r"shared .*: ([\d,]+) KiB less", output) for output in printed]
    collected, frozen = (int(match[1].replace(",", "")) for match in views if match)
    assert frozen < collected / 4


def test_does_the_program_run_on_this_python_too() -> None:
    script = Path(PROJECT / "guest" / "gc_freeze.py")
    assert subprocess.run(["python3", script, "freeze", "collect"], check=False).returncode == 0
