"""Calls of a student's code from the grader's process.

Data from the student's process is not trusted. The grader's verdict depends on the machine's
memory, which only the grader writes: :class:`~emu.lab.host.command_bus.CommandBus` checks each
command.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from traceback import clear_frames
from typing import Any, NamedTuple

from emu.lab.host.command_bus import CommandBus
from emu.lab.host.failures import (
    ExceptionRaised,
    NotAllowed,
    ProcessEnded,
    StudentFailed,
    TimedOut,
    Unimplemented,
    WrongResult,
    traceback_lines,
)
from emu.lab.host.result_types import decode_result, encode_argument
from emu.lab.host.shared_ram import SharedRam
from emu.lab.host.student_process import Deadline, Limits, StudentProcess
from emu.lab.kit.frames import Frames as KitFrames
from emu.lab.kit.port import Place
from emu.lab.protocol import channel
from emu.lab.protocol.entry_points import ENTRIES
from emu.machine.pte import PAGE_SIZE
from kernel.base.errors import OutOfMemory
from kernel.mm.physical.frames import Frames

_MAX_OUTPUT = 20_000
_MAX_LINE = 500


class LabFile(NamedTuple):
    """The Python file of one lab: the name shown to the student, and its source."""

    lab: str
    name: str
    source: str


class Student:
    """Calls the functions of the lab's files. Raises :class:`StudentFailed` if the code fails,
    and OutOfMemory if a function raises OutOfFrames.

    A failure ends the process; every later call raises the same failure.
    """

    def __init__(
        self, files: Sequence[LabFile], bus: CommandBus, limits: Limits | None = None
    ) -> None:
        self.files = list(files)
        self.bus = bus
        self.failed: StudentFailed | None = None
        self.replacement: Student | None = None
        """If set, its code is called instead of this student's."""
        self.printed = ""
        self.on_print: Callable[[str], None] = lambda text: None
        """Called with each line that the code prints."""
        self._unfinished = ""
        self._limits = limits or Limits()
        self._sources = {file.name: file.source.splitlines() for file in files}
        self._calling = ""
        settings = {
            "base": bus.ram.base,
            "size": bus.ram.size,
            "zero": bus.zero,
            "limit": self._limits.memory + bus.ram.size,
        }
        self._process = StudentProcess(bus.ram.descriptor, settings, self._limits)
        self.confined = self._started().get("ready") == "full"
        """True if the process is confined; False if only its resources are limited."""
        self._load()

    def _started(self) -> dict[str, Any]:
        """Returns the first message of the process, sent before it loads the code."""
        try:
            message = self._process.receive(self._process.start_deadline())
        except (TimeoutError, channel.Closed, ValueError):
            raise self._fail(
                ProcessEnded("this machine cannot start a process for your code")
            ) from None
        assert isinstance(message, dict)
        return message

    def _load(self) -> None:
        try:
            self._request({"files": [list(file) for file in self.files]})
        except OutOfMemory:
            what = "OutOfFrames was raised when your file was loaded"
            raise self._fail(WrongResult(what)) from None

    @property
    def labs(self) -> set[str]:
        """Names of the labs of these files."""
        return {file.lab for file in self.files}

    def call(self, lab: str, function: str, *arguments: Any) -> Any:
        """Returns the result of ``function``, of the type in ``ENTRIES``."""
        return self.call_each(lab, function, [arguments])[0]

    def call_each(self, lab: str, function: str, calls: Sequence[Sequence[Any]]) -> list[Any]:
        """Returns the results of ``function`` for each of ``calls``, sent as one request."""
        if self.replacement is not None:
            return self.replacement.call_each(lab, function, calls)
        entry = ENTRIES[lab][function]
        self.bus.begin_call()
        try:
            reply = self._request(self._calls(lab, function, calls))
        except OutOfMemory:
            if lab == "frames" or KitFrames in entry.arguments:
                raise
            what = f"{function}() raised OutOfFrames, but has no allocator"
            raise self._fail(WrongResult(what)) from None
        results = reply.get("result")
        try:
            if not isinstance(results, list) or len(results) != len(calls):
                raise self._protocol_error()
            values = [decode_result(function, entry.result, result) for result in results]
        except StudentFailed as failure:
            raise self._fail(failure) from None
        return values

    def refuses(self, lab: str, function: str, *arguments: Any) -> bool:
        """Returns True if ``function`` raises ValueError as required; the process continues."""
        self.bus.begin_call()
        request = self._calls(lab, function, [arguments])
        return "raised" in self._request(request, expected="ValueError")

    def _calls(self, lab: str, function: str, calls: Sequence[Sequence[Any]]) -> dict[str, Any]:
        self._calling = function
        values = [[encode_argument(argument) for argument in arguments] for arguments in calls]
        return {"lab": lab, "function": function, "calls": values}

    def use_own_frames(self, first: int, total: int) -> None:
        """Passes the student's allocator of the lab ``frames`` to functions from now on."""
        self._calling = "Allocator"
        try:
            self._request({"frames": [first, total]})
        except OutOfMemory:
            raise self._fail(WrongResult("Allocator() raised OutOfFrames")) from None

    def close(self) -> None:
        """Ends the process."""
        self._process.close()

    # Messages.

    def _request(self, message: dict[str, Any], expected: str = "") -> dict[str, Any]:
        """Sends a request, executes the commands and returns the reply. An exception of type
        ``expected`` does not count as a failure.
        """
        if self.failed is not None:
            raise self.failed
        deadline = self._process.deadline()
        try:
            self._send(message, deadline)
            while True:
                reply = self._reply(deadline)
                self._carry_out(reply)
                if "query" not in reply:
                    break
                self._send(self._answer(reply["query"]), deadline)
        except StudentFailed as failure:
            reply = {}
            raise self._fail(failure) from None
        if "raised" in reply:
            raised = reply["raised"]
            if not expected or not isinstance(raised, dict) or raised.get("type") != expected:
                raise self._fail(self._raised(raised))
        if reply.get("out_of_frames"):
            raise OutOfMemory
        return reply

    def _send(self, message: Any, deadline: Deadline) -> None:
        try:
            self._process.send(message, deadline)
        except TimeoutError:
            raise self._too_long([]) from None
        except channel.Closed:
            raise self._end_of_process() from None

    def _reply(self, deadline: Deadline) -> dict[str, Any]:
        try:
            message = self._process.receive(deadline)
        except TimeoutError:
            raise self._too_long(_places(self._process.where())) from None
        except channel.Closed:
            raise self._end_of_process() from None
        except ValueError:
            raise self._protocol_error() from None
        if not isinstance(message, dict):
            raise self._protocol_error()
        return message

    def _carry_out(self, reply: dict[str, Any]) -> None:
        if "late" in reply:
            raise self._too_long(_places(reply["late"]))
        commands = reply.get("commands", [])
        if not isinstance(commands, list):
            raise self._protocol_error()
        for command in commands:
            try:
                name, *values = command
                if name == "print":
                    self._add_output(str(values[0]))
                else:
                    self.bus.execute(name, values)
            except (TypeError, ValueError, LookupError):
                raise self._protocol_error() from None

    def _add_output(self, text: str) -> None:
        *lines, self._unfinished = (self._unfinished + text).split("\n")
        self._unfinished = self._unfinished[-_MAX_OUTPUT:]
        for line in (line[:_MAX_LINE] for line in lines):
            if len(self.printed) < _MAX_OUTPUT:
                self.printed += f"{line}\n"
            self.on_print(line)

    def _answer(self, query: Any) -> dict[str, Any]:
        try:
            name, *values = query
            return {"answer": self.bus.query(name, values)}
        except OutOfMemory:
            return {"out_of_frames": True}
        except (TypeError, ValueError, LookupError):
            raise self._protocol_error() from None

    # Failures.

    def _fail(self, failure: StudentFailed) -> StudentFailed:
        """Records the failure without its stack frames, which may refer to large messages."""
        clear_frames(failure.__traceback__)
        failure.__context__ = None
        self.failed = failure
        self.close()
        return failure

    def _raised(self, exception: Any) -> StudentFailed:
        try:
            kind, text = str(exception["type"])[:80], str(exception["text"])[:2000]
            places = _places(exception["places"])
        except (TypeError, LookupError):
            return self._protocol_error()
        if kind == "NotImplementedError":
            return Unimplemented(f"{text or self._calling} is not implemented")
        lines = traceback_lines(places, self._sources)
        return ExceptionRaised(f"{kind}: {text}" if text else kind, lines)

    def _too_long(self, places: list[Place]) -> StudentFailed:
        lines = traceback_lines(places, self._sources)
        where = ["it was executing:", *lines] if lines else []
        return TimedOut(f"{self._doing} did not return within {self._limits.seconds:g} s", where)

    def _end_of_process(self) -> StudentFailed:
        status = self._process.status()
        if status is None:
            return self._protocol_error()
        if status == -signal.SIGXCPU:
            return TimedOut(f"more than {self._limits.cpu_seconds} s of CPU time were used")
        why = f"signal {-status} ended it" if status < 0 else f"it exited with status {status}"
        return ProcessEnded(f"the process of your code ended in {self._doing}: {why}")

    @property
    def _doing(self) -> str:
        return f"{self._calling}()" if self._calling else "your file, when it was loaded,"

    def _protocol_error(self) -> StudentFailed:
        return NotAllowed(f"{self._doing} communicated with the grader without the kit")


def can_confine() -> bool:
    """Returns True if this host can confine a student's code, False if it can only limit it."""
    ram = SharedRam(PAGE_SIZE)
    try:
        student = Student([], CommandBus(ram, Frames(ram)))
        student.close()
        return student.confined
    finally:
        ram.close()


def _places(value: Any) -> list[Place]:
    places = []
    for file, line, function in value if isinstance(value, list) else []:
        if isinstance(file, str) and isinstance(line, int) and isinstance(function, str):
            places.append(Place(file[:80], line, function[:80]))
    return places
