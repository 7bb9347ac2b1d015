"""Can a student's component forge the output of a guest program that would fail?"""

from __future__ import annotations

import pytest

from emu.lab.simulation.differential import Failure
from emu.lab.workspace.catalogue import LABS
from tests.emu.lab.submissions import submission

_EXIT = """
_CODE = bytes.fromhex("0100" * 2043 + "0145" + "9308e005" + "73000000")
"""
"""A page of c.nop, and at its end exit_group(0)."""


def _first_guest(lab: str, source: str) -> Failure | None:
    test = next(test for test in LABS[lab].tests if test.name.endswith("isolation"))
    return test.run(submission(LABS[lab], source))


@pytest.mark.parametrize(
    ("lab", "function"), [("eager-fork", "copy_space"), ("cow-fork", "share_space")]
)
def test_fork_may_not_write_code(lab: str, function: str) -> None:
    forged = f"""
_right = {function}


def {function}(memory, frames, parent):
    child = _right(memory, frames, parent)
    for _, _, pte in pages(memory, parent):
        if pte & 8:
            memory.write(ppn(pte) << 12, _CODE)
    return child
"""
    failure = _first_guest(lab, LABS[lab].solution + _EXIT + forged)
    assert failure is not None and failure.name == "used-frames-are-left-alone"
    assert failure.lines[0].endswith("was in use before the call")


def test_an_allocator_may_not_write_code() -> None:
    forged = """
_right = Allocator.share


def share(self, frame):
    _right(self, frame)
    for used in range(self.first, self.first + self.total):
        if self.users[used - self.first]:
            self.memory.write(used << 12, _CODE)


Allocator.share = share
"""
    failure = _first_guest("frames", LABS["frames"].solution + _EXIT + forged)
    assert failure is not None
    assert failure.name in ("used-frames-are-left-alone", "not-allowed")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("right._replace(pa=right.pa ^ 0x1000)", "took a fetch"),
        ("right._replace(pte=right.pte | 4)", "took a "),
        ("right._replace(level=10**9)", "took a fetch"),
        ("memory.store((satp & 0xFFFFF) + 1 << 12, 1 << 20) or right", "stored 0x100000"),
    ],
)
def test_a_walk_may_not_lead_a_program_astray(answer: str, reason: str) -> None:
    forged = f"""
_right = translate


def translate(memory, satp, address, access, mode):
    right = _right(memory, satp, address, access, mode)
    return {answer} if isinstance(right, Translation) else right
"""
    failure = _first_guest("walk", LABS["walk"].solution + forged)
    assert failure is not None and failure.name in ("wrong-result", "not-allowed")
    if failure.name == "wrong-result":
        assert reason in failure.when


@pytest.mark.parametrize("lab", ["walk", "frames", "eager-fork", "cow-fork", "tlb"])
def test_a_file_that_finds_no_frame_when_loaded_is_reported(lab: str) -> None:
    source = "from emu.lab.kit import OutOfFrames\nraise OutOfFrames\n"
    for test in (LABS[lab].tests[0], LABS[lab].tests[-1]):
        failure = test.run(submission(LABS[lab], source))
        assert failure is not None and failure.name == "wrong-result"
        assert failure.when == "OutOfFrames was raised when your file was loaded"


def test_a_walk_has_nothing_to_run_out_of() -> None:
    source = "from emu.lab.kit import OutOfFrames\ndef translate(*_):\n    raise OutOfFrames\n"
    failure = LABS["walk"].tests[0].run(submission(LABS["walk"], source))
    assert failure is not None and failure.name == "wrong-result"
    assert failure.when.startswith("translate() raised OutOfFrames")


def test_what_is_said_of_a_failure_has_no_control_characters() -> None:
    from emu.lab.workspace.check import Check, select_tests

    lab = LABS["cow-fork"]
    given = submission(lab, 'raise ValueError("\\ud800 \\x1b[31m")\n')
    lines: list[str] = []
    check = Check(lab, lines.append)
    check.run(lab.submission(given.files), select_tests(lab, "1"))
    assert all(line.isprintable() for line in lines)
    assert "\\x1b[31m" in "".join(lines)
