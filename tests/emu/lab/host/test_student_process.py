"""Is a student's code given its own time, whatever the host does?"""

from __future__ import annotations

import pytest

from emu.lab.host import student_launcher
from emu.lab.host.command_bus import CommandBus
from emu.lab.host.failures import ProcessEnded, TimedOut
from emu.lab.host.shared_ram import SharedRam
from emu.lab.host.student import LabFile, Student
from emu.lab.host.student_process import Limits, StudentProcess
from kernel.mm.physical.frames import Frames

NO_TIME = Limits(seconds=0)


@pytest.fixture
def ram() -> SharedRam:
    return SharedRam(16 << 12)


def test_the_start_of_the_process_takes_none_of_the_codes_time(ram: SharedRam) -> None:
    order = {"base": ram.base, "size": ram.size, "zero": 0, "limit": 1 << 29}
    process = StudentProcess(ram.descriptor, order, NO_TIME)
    try:
        assert "ready" in process.receive(process.start_deadline())
    finally:
        process.close()


def test_what_the_code_takes_when_it_is_loaded_is_its_own(ram: SharedRam) -> None:
    endless = LabFile("walk", "walk.py", "while True: pass\n")
    with pytest.raises(TimedOut) as raised:
        Student([endless], CommandBus(ram, Frames(ram)), Limits(seconds=0.25))
    assert raised.value.headline == "your file, when it was loaded, did not return within 0.25 s"
    assert raised.value.details[:2] == ["it was executing:", "walk.py:1"]


def test_a_start_that_fails_is_not_said_to_be_the_codes(
    ram: SharedRam, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    monkeypatch.setattr(student_launcher, "_launchers", {})
    with pytest.raises(ProcessEnded) as raised:
        Student([], CommandBus(ram, Frames(ram)))
    assert raised.value.headline == "this machine cannot start a process for your code"
