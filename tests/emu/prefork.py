"""Runs ``emu`` commands in forks of a process that has imported it already.

Most of what a short command takes is Python's imports. A server process, one for each process that
runs tests, imports the package and forks for each command; the child gets the command's streams,
arguments, environment and directory, and ends as ``python -m emu`` would. NumPy is imported too,
and hidden until a command imports it, as the kernel takes other ways where it is. Tests of the
start itself, of signals and of terminals run ``python -m emu``.
"""

from __future__ import annotations

import gc
import io
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from time import monotonic
from types import ModuleType
from typing import NamedTuple, NoReturn, Self

from emu.compilation import finder

PROJECT = Path(__file__).resolve().parents[2]
_MODULES = (
    *("emu.host.break_in", "emu.observe.record.recorder", "emu.observe.record.writer_process"),
    *("emu.observe.formats.text", "emu.observe.formats.jsonl", "emu.observe.analysis.cow_text"),
    *("emu.observe.analysis.cow_collector", "emu.observe.analysis.policy_comparison"),
    *("emu.observe.record.record_builder", "emu.observe.symbols.symbolizer"),
    *("emu.observe.report.builder", "emu.observe.walk.drawing", "emu.lab.workspace.check"),
    *("emu.lab.components.lab_machine", "emu.lab.grading.tasks", "emu.lab.mutants.results"),
    *("emu.cli.commands.run", "emu.cli.commands.cow", "emu.cli.commands.why"),
    *("emu.cli.commands.walk", "emu.cli.commands.compare", "emu.cli.commands.report"),
    *("emu.cli.commands.lab", "kernel.check.memory_check"),
)
_PURE = {module for module in _MODULES if module.startswith(("emu.lab.", "emu.cli.commands.lab"))}
"""Those that cannot be imported beside compiled modules."""
_LENGTH = 4


class Done(NamedTuple):
    """The exit status, as :mod:`subprocess` gives it, and what was written."""

    returncode: int
    stdout: bytes
    stderr: bytes


def run(
    words: Sequence[str],
    *,
    stdin: bytes,
    cwd: Path | None,
    environment: Mapping[str, str],
    seconds: float,
) -> Done:
    """Runs ``emu`` with these arguments. Raises subprocess.TimeoutExpired."""
    order = json.dumps([list(words), str(cwd or os.getcwd()), dict(environment)]).encode()
    server, end = _server(os.getpid()), monotonic() + seconds
    with _Pipes(stdin) as pipes:
        socket.send_fds(server, [len(order).to_bytes(_LENGTH, "little")], pipes.theirs)
        pipes.close_theirs()
        server.sendall(order)
        pid = int.from_bytes(_exactly(server, _LENGTH), "little")
        in_time = pipes.communicate(end)
        if not in_time:
            os.kill(pid, signal.SIGKILL)
        status = int.from_bytes(_exactly(server, _LENGTH), "little", signed=True)
        if not in_time:
            raise subprocess.TimeoutExpired(list(words), seconds)
        return Done(status, bytes(pipes.out), bytes(pipes.err))


class _Pipes:
    """Pipes to a command's streams."""

    def __init__(self, stdin: bytes) -> None:
        (given, self._in), (self._out, out), (self._err, err) = (os.pipe() for _ in range(3))
        self.theirs = [given, out, err]
        self.out, self.err = bytearray(), bytearray()
        self._unwritten = memoryview(stdin)
        os.set_blocking(self._in, False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close_theirs()
        for fd in (self._in, self._out, self._err):
            if fd >= 0:
                os.close(fd)

    def close_theirs(self) -> None:
        while self.theirs:
            os.close(self.theirs.pop())

    def communicate(self, end: float) -> bool:
        """Writes and reads until both outputs are closed; False at the time limit."""
        poll = select.poll()
        poll.register(self._in, select.POLLOUT)
        buffers = {self._out: self.out, self._err: self.err}
        for fd in buffers:
            poll.register(fd, select.POLLIN)
        while buffers:
            ready = poll.poll(max(end - monotonic(), 0) * 1000)
            if not ready:
                return False
            for fd, _ in ready:
                if fd == self._in:
                    if not self._write():
                        poll.unregister(fd)
                        os.close(fd)
                        self._in = -1
                elif data := os.read(fd, 1 << 16):
                    buffers[fd] += data
                else:
                    poll.unregister(fd)
                    del buffers[fd]
        return True

    def _write(self) -> bool:
        """Writes a piece of stdin; False when there is no more, or no reader."""
        try:
            self._unwritten = self._unwritten[os.write(self._in, self._unwritten[: 1 << 16]) :]
        except BrokenPipeError:
            return False
        return bool(self._unwritten)


@cache
def _server(pid: int) -> socket.socket:
    """The server of the process ``pid``; a fork of that process needs its own."""
    ours, theirs = socket.socketpair()
    with theirs:
        subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import serve; serve({theirs.fileno()})"],
            pass_fds=[theirs.fileno()],
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
        )
    return ours


def _exactly(source: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = source.recv(count - len(data))
        if not part:
            raise EOFError
        data += part
    return data


class _Hidden(MetaPathFinder, Loader):
    """A package that has been imported, and is put back where it is imported again."""

    def __init__(self, name: str) -> None:
        self._module = import_module(name)
        names = [each for each in sys.modules if each.partition(".")[0] == name]
        self._modules = {each: sys.modules.pop(each) for each in names}
        self._name = name

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname == self._name else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        spec.submodule_search_locations = list(self._module.__path__)
        sys.modules.update(self._modules)
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        pass


def serve(fd: int) -> None:
    """Forks for each order that comes through the socket ``fd``, until its other end is closed."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    finder.choose()
    for module in _MODULES:
        if not (finder.is_compiled() and module in _PURE):
            __import__(module)
    assert "numpy" not in sys.modules
    sys.meta_path.insert(0, _Hidden("numpy"))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.collect()
    gc.freeze()  # a collection would copy the pages of all these objects in each fork
    with socket.socket(fileno=fd) as source:
        while True:
            head, fds, _, _ = socket.recv_fds(source, _LENGTH, 3)
            if not head:
                return
            order = _exactly(source, int.from_bytes(head, "little"))
            pid = os.fork()
            if not pid:
                source.close()
                words, cwd, environment = json.loads(order)
                _become(words, cwd, environment, fds)
                break
            for each in fds:
                os.close(each)
            source.sendall(pid.to_bytes(_LENGTH, "little"))
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            source.sendall(status.to_bytes(_LENGTH, "little", signed=True))
    _end()


def _end() -> NoReturn:
    """Runs the command, and exits without the destruction of all modules, which takes 35 ms."""
    from emu.__main__ import main

    status = 1
    try:
        status = main()
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else bool(ended.code)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        os._exit(status)


def _become(words: list[str], cwd: str, environment: dict[str, str], fds: list[int]) -> None:
    """Sets arguments, directory, environment and descriptors as for ``python -m emu``."""
    for number, each in enumerate(fds):
        os.dup2(each, number)
        os.close(each)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    sys.argv = ["emu", *words]
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = io.TextIOWrapper(
        io.FileIO(2, "w", closefd=False), "utf-8", "backslashreplace", write_through=True
    )
    vars(sys).update(__stdin__=sys.stdin, __stdout__=sys.stdout, __stderr__=sys.stderr)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
