"""The lab ``frames``: does its grader distinguish right allocators from wrong ones?"""

from __future__ import annotations

import random
from collections import Counter

import pytest

from emu.lab.graded.submission import Submission
from emu.lab.graded.submission import Test as GradedTest
from emu.lab.host.student import LabFile
from emu.lab.labs.frames.call_sequences import Call, Pool, play_calls
from emu.lab.labs.frames.tests import random_call
from emu.lab.simulation.differential import Failure
from emu.lab.workspace.catalogue import LABS

LAB = LABS["frames"]
BY_NAME = {test.name: test for test in LAB.tests}

LIST_IN_THE_FRAMES = '''
"""The free list links the free frames by their first words, as in many kernels."""

from emu.lab.kit import OutOfFrames


class Allocator:
    def __init__(self, memory, first, total):
        self.memory = memory
        self.head = 0
        self.next, self.end = first, first + total
        self.users = {}

    def allocate(self):
        if self.head:
            frame = self.head
            self.head = self.memory.load(frame << 12)
        elif self.next < self.end:
            frame = self.next
            self.next += 1
        else:
            raise OutOfFrames
        self.users[frame] = 1
        return frame

    def allocate_table(self):
        frame = self.allocate()
        self.memory.zero_frame(frame)
        return frame

    def share(self, frame):
        if frame not in self.users:
            raise ValueError(frame)
        self.users[frame] += 1

    def release(self, frame):
        if frame not in self.users:
            raise ValueError(frame)
        self.users[frame] -= 1
        if not self.users[frame]:
            del self.users[frame]
            self.memory.store(frame << 12, self.head)
            self.head = frame

    def count(self, frame):
        return self.users.get(frame, 0)
'''


def submission(source: str) -> Submission:
    return LAB.submission([LabFile(LAB.name, LAB.file, source)])


def wrong(old: str, new: str) -> str:
    assert LAB.solution.count(old) == 1
    return LAB.solution.replace(old, new)


def failure(test: str, old: str, new: str) -> Failure:
    """Failure of the reference with ``new`` in place of ``old``."""
    found = BY_NAME[test].run(submission(wrong(old, new)))
    assert found is not None
    return found


@pytest.mark.parametrize("test", LAB.tests, ids=lambda test: test.name)
def test_another_right_solution_passes(test: GradedTest) -> None:
    assert test.run(submission(LIST_IN_THE_FRAMES)) is None


@pytest.mark.parametrize("test", LABS["cow-fork"].tests, ids=lambda test: test.name)
def test_fork_runs_on_the_students_own_frames(test: GradedTest) -> None:
    fork = LABS["cow-fork"]
    mine = LabFile(LAB.name, LAB.file, LIST_IN_THE_FRAMES)
    files = [mine, LabFile(fork.name, fork.file, fork.solution)]
    assert test.run(fork.submission(files)) is None


def test_a_wrong_allocator_is_reported_when_the_students_fork_calls_it() -> None:
    fork = LABS["cow-fork"]
    source = wrong("        self.memory.zero_frame(frame)\n", "")
    files = [LabFile(LAB.name, LAB.file, source), LabFile(fork.name, fork.file, fork.solution)]
    tests = {test.name: test for test in fork.tests}
    found = tests["nothing-is-lost"].run(fork.submission(files)) or tests["random-operations"].run(
        fork.submission(files)
    )
    assert found is not None
    assert found.name == "tables-are-zero"


def test_the_calls_that_lead_to_a_failure_are_reported() -> None:
    found = failure("tables-are-counted", "self.free.pop()", "self.free[-1]")
    assert (found.name, found.when) == ("handed-out-once", "after 3 calls")
    assert found.lines == [
        "   1  allocate_table() → 0x80001",
        "   2  share(0x80001)  2 users",
        "   3  allocate_table()",
        "frame 0x80001 was handed out; it has 2 users",
    ]


def test_running_out_too_early_names_a_frame_that_is_free() -> None:
    found = failure("running-out", "if not self.free:", "if len(self.free) <= 1:")
    assert found.name == "running-out"
    assert found.lines[-1] == "allocate() raised OutOfFrames; one frame is free, frame 0x80007"


def test_the_memory_of_a_user_is_watched() -> None:
    old = "        self.users[frame - self.first] -= 1\n"
    found = failure("share", old, f"{old}        self.memory.zero_frame(frame)\n")
    assert found.name == "used-frames-are-left-alone"
    assert found.lines[-2] == (
        "frame 0x80001 is a process's memory, and was in use before the call"
    )
    assert found.lines[-1].startswith("it was zeroed at frames.py:")


def test_a_refusal_that_changes_something_is_reported() -> None:
    old = '            raise ValueError(f"frame {frame:#x} is free, and was released again")\n'
    change = "            self.users[frame - self.first] -= 1\n"
    found = failure("release-of-a-free-frame", old, change + old)
    assert found.name == "counts-are-right"
    assert found.lines[-1] == "count(0x80001) is -1; it has 0 users"


def test_a_method_that_does_not_allocate_may_not_raise_out_of_frames() -> None:
    found = failure(
        "share",
        'raise ValueError(f"frame {frame:#x} is free, and can\'t be shared")',
        "pass\n        raise OutOfFrames",
    )
    assert found.name == "wrong-result"
    assert "share(0x80001) raised OutOfFrames" in found.when


def test_a_random_sequence_is_made_short() -> None:
    found = failure("random-calls", "        self.memory.zero_frame(frame)\n", "")
    assert found.name == "tables-are-zero"
    calls = [line.split()[1] for line in found.lines[:-1]]
    assert len(calls) <= 5
    assert calls[-1] == "allocate_table()"


def test_random_calls_cover_all_that_can_happen() -> None:
    source = random.Random(0)
    calls: list[Call] = []
    for _ in range(250):
        calls.append(random_call(source, calls))
    pool = Pool([LabFile(LAB.name, LAB.file, LAB.solution)], 24)
    try:
        assert all(pool.do(call) is None for call in calls)
    finally:
        pool.close()
    kinds = Counter(
        (line.split("(")[0], "correct" in line, line.endswith("free")) for line in pool.log
    )
    for name in ("allocate", "allocate_table"):
        assert kinds[name, False, False] >= 10 and kinds[name, True, False] >= 1
    assert kinds["release", False, True] >= 10
    assert kinds["release", False, False] >= 10
    assert kinds["release", True, False] >= 1
    assert kinds["share", True, False] >= 1


def test_a_call_for_a_frame_that_was_not_allocated_is_left_out() -> None:
    calls = [Call("share", 5), Call("release", 1), Call("allocate"), Call("share", 3)]
    assert play_calls([LabFile(LAB.name, LAB.file, LAB.solution)], calls, 8) is None


def test_an_allocator_is_made_anew_for_each_sequence() -> None:
    pool = Pool([LabFile(LAB.name, LAB.file, LAB.solution)], 8)
    try:
        for _ in range(2):
            assert pool.do(Call("allocate")) is None
            assert pool.log == ["allocate() → 0x80001"]
            pool.reset()
    finally:
        pool.close()


def test_a_file_without_the_class_is_reported() -> None:
    found = BY_NAME["allocate"].run(submission("x = 1\n"))
    assert found is not None
    assert found.when == "NameError: frames.py has no class Allocator"
