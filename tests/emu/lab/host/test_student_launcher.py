"""Do students' processes depend on nothing but the process that grades them?"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from multiprocessing.connection import Connection

import pytest

from emu.lab.host.command_bus import CommandBus
from emu.lab.host.shared_ram import SharedRam
from emu.lab.host.student import LabFile, Student
from emu.lab.host.student_launcher import student_launcher
from emu.lab.host.worker_process import Worker
from kernel.mm.physical.frames import Frames


def new_bus() -> CommandBus:
    ram = SharedRam(16 << 12)
    return CommandBus(ram, Frames(ram))


@pytest.fixture
def bus() -> CommandBus:
    return new_bus()


@pytest.fixture
def student(bus: CommandBus) -> Iterator[Student]:
    process = Student([LabFile("frames", "frames.py", "class Allocator:\n    pass\n")], bus)
    yield process
    process.close()


def pid_of(student: Student) -> int:
    return student._process._pid


def test_two_students_processes_are_separate(bus: CommandBus, student: Student) -> None:
    keeps = LabFile("walk", "walk.py", "import math\nmath.changed = 1\n")
    asks = LabFile("walk", "walk.py", "import math\nassert not hasattr(math, 'changed')\n")
    first = Student([keeps], bus)
    second = Student([asks], bus)
    first.close()
    assert second.failed is None and student.failed is None
    second.close()


def test_a_signal_of_the_terminal_does_not_end_the_code(student: Student) -> None:
    launcher = student_launcher()
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        os.kill(pid_of(student), number)
        os.kill(launcher._process.pid, number)
    assert launcher.status(pid_of(student)) is None
    assert launcher._process.poll() is None


def test_does_the_next_student_start_after_the_launcher_was_killed(bus: CommandBus) -> None:
    Student([], bus).close()
    launcher = student_launcher()
    launcher._process.kill()
    launcher._process.wait()
    Student([], bus).close()
    assert student_launcher() is not launcher


def _report_launcher(pipe: Connection) -> None:
    Student([], new_bus()).close()
    pipe.send(student_launcher()._process.pid)


def test_has_a_worker_process_a_launcher_of_its_own(student: Student) -> None:
    worker = Worker(_report_launcher)
    theirs = worker.pipe.recv()
    worker.stop()
    assert theirs != student_launcher()._process.pid
    assert student_launcher().status(pid_of(student)) is None


def test_is_a_process_gone_when_it_is_closed(bus: CommandBus) -> None:
    student = Student([], bus)
    pid = pid_of(student)
    student.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
