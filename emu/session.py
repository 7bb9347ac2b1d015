"""A run of a program in steps, of which the command and the Python interface are made."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from emu.errors import CannotRun
from emu.host.guest_filesystem import build_view, explain_refusal
from emu.host.host_signals import Ticker
from emu.host.orphan_notice import OrphanNotice
from emu.host.published_ports import PublishedPorts
from emu.isa_extensions import missing_extensions
from emu.machine.ram import NoHostMemory
from emu.observe.formats.summary import summarize
from emu.options import Options
from kernel.base.errors import Errno, OutOfMemory
from kernel.components import Components
from kernel.exec.initial_stack import Request
from kernel.kernel import Kernel
from kernel.mm.backing.file_pages import mapped_file
from kernel.process.observer import Observer
from kernel.process.observers import Observers
from kernel.process.process import Process, one_line
from kernel.process.signals.signals import Sig
from kernel.trap.run_loop import Deadlock, Stopped
from kernel.vfs.build_tree import Services, first_context
from kernel.vfs.console import Console
from kernel.vfs.core.credentials import Credentials
from kernel.vfs.core.fd_table import FdTable
from kernel.vfs.core.inode import Inode
from kernel.vfs.proc.system import mount_proc

if TYPE_CHECKING:
    from emu.results.result import Result

DEADLOCK_STATUS = 1
_MOST_NAMED = 32
"""Maximum number of files whose missing extensions are reported."""
_FAULTS = frozenset((Sig.SEGV, Sig.BUS, Sig.ILL, Sig.TRAP))


def _credentials(options: Options) -> Credentials:
    """Those of the guest's first process."""
    return Credentials.of_host() if options.user is None else Credentials(*options.user)


class Session:
    """One run in steps: the constructor sets it up, ``console`` is connected, ``run`` runs it.

    ``host_streams`` are the host's descriptors 0, 1 and 2 that the guest uses. Raises CannotRun.
    """

    def __init__(
        self,
        options: Options,
        command: Sequence[str],
        log: Callable[[str], None] | None = None,
        *,
        host_streams: Sequence[int] = (),
        parts: Components | None = None,
    ) -> None:
        self.notes: list[str] = []
        self.summary: dict[str, Any] = {}
        self.ended_by = 0
        """Number of the user's last signal that ended the guests, or 0."""
        self.stopped = False
        """True when the user or the time limit ended the run."""
        self._named: set[str] = set()
        """Names of files whose missing extensions were reported."""
        self._reported: set[str] = set()
        """All extensions that were reported."""
        self.orphan_notice: OrphanNotice | None = None
        """Set by a user interface that says what a run waits for."""
        self._end = float("inf")
        self._cut_off = False
        self._options = options
        self.lab = parts is not None
        """True when components of the kernel were replaced, as by a lab."""
        self.command = list(command)
        self._log = log or self.notes.append
        try:
            self.kernel = Kernel(options, self._log, parts=parts)
        except NoHostMemory as error:
            raise CannotRun(str(error), 2) from None
        self._services = Services(
            self.kernel.clock.realtime,
            self.kernel.random,
            pages=self.kernel.cache.memory,
            budget=self.kernel.budget,
            disk=self.kernel.disk,
            credentials=_credentials(options),
        )
        try:
            view = build_view(options, self.command[0], self._services)
        except OSError as error:
            subject = error.filename or "current directory"
            raise CannotRun.of_directory(subject, error.errno or 0, error.strerror) from None
        self._view = view
        self.namespace = view.namespace
        mount_proc(self.namespace, self.kernel)
        self.namespace.connect_terminals(self.kernel)
        self._ports = PublishedPorts(self.namespace.network, options.publish, self._log)
        self.console = Console(self.namespace)
        for fd in host_streams:
            self.console.use_host(fd, fd)

    @property
    def root(self) -> str | None:
        """Host directory that is the guest's root, or None."""
        return self._options.root

    def run(self, observers: Sequence[Observer] = ()) -> int:
        """Runs the program to its end; returns a shell's exit status. Raises CannotRun."""
        kernel = self.kernel
        if observers:
            kernel.observe(observers[0] if len(observers) == 1 else Observers(list(observers)))
        try:
            status = self._run()
        except BaseException:
            # Inconsistent memory cannot always be released; the first exception is reported.
            with suppress(Exception):
                kernel.shut_down()
            raise
        finally:
            self._ports.close()
            self.console.restore()
        self.summary = summarize(kernel, self._shut_down())
        self._note_refused_writes()
        self._note_allocations()
        return status

    def result(self, status: int) -> Result:
        """The result of the run that ended with ``status``, with what was captured."""
        from emu.results.result import Result  # not needed by the command

        out, error = self.console.captured(1), self.console.captured(2)
        return Result(status, out, error, self.summary, self.notes, tuple(self.command))

    @property
    def is_over(self) -> bool:
        """True when the user has ended the run or its time limit has passed."""
        return self.stopped or time.monotonic() >= self._end

    def _shut_down(self) -> int:
        """Returns the number of leaked frames; 0 when the kernel was interrupted."""
        if not self._cut_off:
            return self.kernel.shut_down()
        with suppress(Exception):
            self.kernel.shut_down()
        return 0

    def _start(self) -> Process:
        files = FdTable(budget=self.kernel.budget)
        self.console.install(files)
        environment = [
            f"{name}={value}".encode("utf-8", "surrogateescape")
            for name, value in self._options.environment.items()
        ]
        arguments = [word.encode("utf-8", "surrogateescape") for word in self.command]
        name = self.command[0]
        try:
            fs = first_context(self.namespace, self._view.grants, self._services)
        except Errno as error:
            raise CannotRun.of_directory(self._view.grants.cwd, error.errno) from None
        try:
            request = Request(self._view.program, arguments, environment)
            return self.kernel.start(files, fs, request)
        except Errno as error:
            reason = explain_refusal(fs, self._view, error)
            raise CannotRun.of_program(name, error.errno, reason) from None
        except OutOfMemory:
            problem = f"out of memory while loading; {self.kernel.frames.shortage}"
            raise CannotRun(f"{name}: {problem}", 2) from None

    def _run(self) -> int:
        if self._options.timeout is not None:
            self._end = time.monotonic() + self._options.timeout
        ticker = Ticker(
            self.kernel,
            self._options.timeout,
            self._foreground,
            self.console.with_user_settings,
            self.orphan_notice.tick if self.orphan_notice is not None else lambda: None,
        )
        try:
            with ticker:
                process = self._start()
                self._note_image(process, self.command[0])
                self.kernel.new_image = self._note_image
                self.kernel.new_library = self._note_library
                self.kernel.run()
        except Stopped as stop:
            self.stopped = True
            if str(stop):
                self._log(str(stop))
            return stop.status
        except Deadlock as deadlock:
            self._log(str(deadlock))
            return DEADLOCK_STATUS
        finally:
            self.ended_by, self._cut_off = ticker.ended_by, ticker.broke_in
        status = process.status
        assert status is not None
        if status.signal in _FAULTS:
            self._note_death(process, status.signal)
        return status.shell_status

    def _note_image(self, process: Process, name: str | None = None) -> None:
        """Reports extensions that the program or its interpreter needs and the machine lacks."""
        files = {mapped_file(vma.backing) for vma in process.space.vmas} - {None}
        missing = set().union(*(_missing(each) for each in files if each))
        self._note_missing(name or process.program.path, missing)

    def _note_library(self, file: Inode, path: str) -> None:
        """Reports those that a library needs, unless all were reported before."""
        missing = _missing(file)
        if not missing <= self._reported:
            self._note_missing(path, missing)

    def _note_missing(self, name: str, missing: set[str]) -> None:
        if not missing or name in self._named or len(self._named) >= _MOST_NAMED:
            return
        self._named.add(name)
        self._reported |= missing
        names = ", ".join(sorted(missing))
        self._log(f"{one_line(name)}: built for extensions that the machine lacks: {names}")

    def _note_death(self, process: Process, signo: int) -> None:
        """Reports the fault that killed the program, which a shell cannot know."""
        if process.last_fault:
            self._log(f"{process!r} was killed by SIG{Sig(signo).name}: {process.last_fault}")

    def _foreground(self) -> int | None:
        terminal = self.console.terminal
        return (terminal.foreground or None) if terminal is not None else None

    def _note_allocations(self) -> None:
        failing, total = self._options.fail_allocation, self.kernel.frames.allocations
        if failing > total:
            self._log(f"allocation {failing} was not made to fail: there were only {total}")

    def _note_refused_writes(self) -> None:
        refused = self.namespace.refused_writes
        if refused:
            more = f" and {len(refused) - 1} more" if len(refused) > 1 else ""
            self._log(f"{one_line(refused[0])}{more}: write refused (--rw DIR allows it)")


def _missing(file: Inode) -> set[str]:
    try:
        return missing_extensions(file.read_at)
    except Errno:
        return set()  # unreadable: the program gets the error when it reads the file
