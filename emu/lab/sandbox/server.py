"""Server loop of the sandbox: calls the functions of the lab's files for the grader."""

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
"""Maximum number of characters in a command."""


class Server:
    """Calls functions of the modules of the lab's files, with the memory and the allocator."""

    def __init__(
        self, requests: channel.Source, replies: int, memory: int, settings: dict[str, Any]
    ) -> None:
        self.port = GraderPort(requests, replies)
        base, size = settings["base"], settings["size"]
        content = memoryview(mmap.mmap(memory, size, prot=mmap.PROT_READ))
        self.memory = Memory(self.port, content, base)
        self.port.on_flush = self.memory._forget_writes
        self.modules: dict[str, ModuleType] = {}
        self.frames: Frames = MachineFrames(self.port, settings["zero"])

    def load(self, files: list[list[str]]) -> None:
        """Runs the files, each ``[lab, file name, source]``."""
        for lab, name, source in files:
            module = ModuleType(name.removesuffix(".py").replace("/", "."))
            sys.modules[module.__name__] = module
            module.__file__ = name
            exec(compile(source, name, "exec", dont_inherit=True), module.__dict__)
            self.modules[lab] = module

    def use_frames(self, first: int, total: int) -> None:
        """Uses the student's allocator of the lab ``frames`` from now on."""
        module = self.modules[_FRAMES_LAB]
        if "Allocator" not in module.__dict__:
            raise NameError(f"{module.__file__} has no class Allocator")
        allocator = module.__dict__["Allocator"](self.memory, first, total)
        managed = range(first, first + total)
        machine = MachineFrames(self.port, self.frames.zero)
        self.frames = OwnFrames(self.port, allocator, managed, machine)

    def call(self, lab: str, function: str, arguments: list[Any]) -> Any:
        entry = ENTRIES[lab][function]
        local = LocalArguments(self.memory, self.frames)
        values = [decode(kind, arguments, local) for kind in entry.arguments]
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
        """Executes a request and replies with its result."""
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
    """Sends the output of the code to the grader, which may show it. It does not affect grading."""

    def __init__(self, port: GraderPort) -> None:
        self._port = port

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        for start in range(0, len(text), _OUTPUT_CHUNK):
            self._port.send_command("print", text[start : start + _OUTPUT_CHUNK])
        return len(text)


def describe_exception(error: BaseException) -> dict[str, Any]:
    """Returns the type and text of an exception, and the lines of its traceback in lab files."""
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
        text = "(str() of the exception failed)"
    return {"type": type(error).__name__, "text": text[:2000], "places": places[-40:]}


def _report_location(replies: int) -> Callable[[int, FrameType | None], NoReturn]:
    """Returns a signal handler that reports the lines being executed to the grader, and exits."""

    def handler(_signal: int, frame: FrameType | None) -> NoReturn:
        places: list[list[Any]] = []
        while frame is not None:
            if is_lab_file(frame.f_code.co_filename):
                places.insert(0, [frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name])
            frame = frame.f_back
        channel.send(replies, {"late": places[-40:]})
        os._exit(0)

    return handler


def serve(requests: int, replies: int, memory: int, parent: int) -> None:
    """Confines this process and answers requests until the grader closes the connection.

    The first three are descriptors; ``parent`` is the id of the process that forked this one.
    """
    source = channel.Descriptor(requests)
    settings = channel.receive(source)
    process = Server(source, replies, memory, settings)
    close_others({0, 1, 2, requests, replies})
    signal.signal(signal.SIGUSR1, _report_location(replies))
    restrict_imports(ALLOWED)
    bound_recursion()
    sys.stdout = sys.stderr = OutputStream(process.port)
    confinement = confine(settings["limit"], settings["seconds"], parent)
    channel.send(replies, {"ready": confinement.level.value})
    gc.freeze()
    try:
        while True:
            process.answer(channel.receive(source))
    except channel.Closed:
        return
