"""Answering the grader's calls with the functions of the lab's files."""

from __future__ import annotations

import gc
import io
import mmap
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType, ModuleType
from typing import Any, NoReturn

from emu.lab.kit.frames import Frames, OutOfFrames
from emu.lab.kit.memory import Memory
from emu.lab.kit.port import is_lab_file
from emu.lab.protocol import channel
from emu.lab.protocol.entry_points import ENTRIES
from emu.lab.sandbox.confinement import close_others, confine
from emu.lab.sandbox.imports import ALLOWED, restrict_imports
from emu.lab.sandbox.port import GraderPort, MachineFrames, OwnFrames
from emu.lab.sandbox.recursion_limit import bound_recursion
from emu.lab.sandbox.values import LocalArguments, decode, encode

_FRAMES_LAB = "frames"
_OUTPUT_CHUNK = 1000
"""Characters in an order."""


class LabProcess:
    """The lab's modules, and the memory and the allocator that their functions are given."""

    def __init__(self, requests: int, replies: int, order: dict[str, Any]) -> None:
        self._requests, self._replies = requests, replies
        self.port = GraderPort(requests, replies)
        base, size = order["base"], order["size"]
        content = memoryview(mmap.mmap(order["memory"], size, prot=mmap.PROT_READ))
        self.memory = Memory(self.port, content, base)
        self.port.settled = self.memory._settled
        self.modules: dict[str, ModuleType] = {}
        self.frames: Frames = MachineFrames(self.port, order["zero"])

    def load(self, files: list[list[str]]) -> None:
        """Runs the files, each ``[lab, file name, source]``."""
        for lab, name, source in files:
            module = ModuleType(name.removesuffix(".py").replace("/", "."))
            sys.modules[module.__name__] = module
            module.__file__ = name
            exec(compile(source, name, "exec", dont_inherit=True), module.__dict__)
            self.modules[lab] = module

    def use_frames(self, first: int, total: int) -> None:
        """From now on frames are those of the allocator in the lab ``frames``."""
        module = self.modules[_FRAMES_LAB]
        if "Allocator" not in module.__dict__:
            raise NameError(f"{module.__file__} has no class Allocator")
        allocator = module.__dict__["Allocator"](self.memory, first, total)
        its = range(first, first + total)
        machine = MachineFrames(self.port, self.frames.zero)
        self.frames = OwnFrames(self.port, allocator, its, machine)

    def call(self, lab: str, function: str, arguments: list[Any]) -> Any:
        entry = ENTRIES[lab][function]
        made = LocalArguments(self.memory, self.frames)
        values = [decode(kind, arguments, made) for kind in entry.arguments]
        return encode(self._function(lab, function)(*values))

    def _function(self, lab: str, function: str) -> Callable[..., Any]:
        module = self.modules[lab]
        if lab == _FRAMES_LAB and isinstance(self.frames, OwnFrames):
            return getattr(self.frames.allocator, function)  # type: ignore[no-any-return]
        try:
            return module.__dict__[function]  # type: ignore[no-any-return]
        except KeyError:
            raise NameError(f"{module.__file__} has no function {function}()") from None

    def answer(self, request: dict[str, Any]) -> None:
        """Does what is asked, and tells what came of it."""
        try:
            result: list[Any] | None = None
            if "files" in request:
                self.load(request["files"])
            elif "frames" in request:
                self.use_frames(*request["frames"])
            else:
                calls = request["calls"]
                result = [self.call(request["lab"], request["function"], each) for each in calls]
            reply: dict[str, Any] = {"result": result}
        except OutOfFrames:
            reply = {"out_of_frames": True}
        except channel.Closed:
            os._exit(0)
        except BaseException as error:
            reply = {"raised": describe_exception(error)}
        self.port.reply(reply)


class OutputStream(io.TextIOBase):
    """What the code prints goes to the grader, who may show it; it decides nothing."""

    def __init__(self, port: GraderPort) -> None:
        self._port = port

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        for start in range(0, len(text), _OUTPUT_CHUNK):
            self._port.send_command("print", text[start : start + _OUTPUT_CHUNK])
        return len(text)


def describe_exception(error: BaseException) -> dict[str, Any]:
    """An exception as text, with the places in the lab's files that it came through."""
    places = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if is_lab_file(code.co_filename):
            places.append([code.co_filename, trace.tb_lineno, code.co_name])
        trace = trace.tb_next
    if isinstance(error, SyntaxError) and error.filename and is_lab_file(error.filename):
        places.append([error.filename, error.lineno or 0, ""])
    try:
        text = str(error)
    except BaseException:
        text = "(its text can't be made)"
    return {"type": type(error).__name__, "text": text[:2000], "places": places[-40:]}


def _report_location(replies: int) -> Callable[[int, FrameType | None], NoReturn]:
    """What is done when the grader has waited long enough: say where the code is, and end."""

    def handler(_signal: int, frame: FrameType | None) -> NoReturn:
        places: list[list[Any]] = []
        while frame is not None:
            if is_lab_file(frame.f_code.co_filename):
                places.insert(0, [frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name])
            frame = frame.f_back
        channel.send(replies, {"late": places[-40:]})
        os._exit(0)

    return handler


def serve(requests: int, replies: int) -> None:
    """Answers until the grader has gone."""
    order = channel.receive(channel.Descriptor(requests))
    process = LabProcess(requests, replies, order)
    close_others({0, 1, 2, requests, replies})
    signal.signal(signal.SIGUSR1, _report_location(replies))
    restrict_imports(ALLOWED)
    bound_recursion()
    sys.stdout = sys.stderr = OutputStream(process.port)
    confinement = confine(order["limit"], order["seconds"], order["grader"])
    channel.send(replies, {"ready": confinement.level.value})
    gc.freeze()
    try:
        while True:
            process.answer(channel.receive(channel.Descriptor(requests)))
    except channel.Closed:
        return
