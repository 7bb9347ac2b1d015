"""A pseudo-terminal: a master and a slave side, and the line discipline between them (pty(7))."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from kernel.base.wait import WaitQueue
from kernel.vfs.core.caller import Clock, Process
from kernel.vfs.core.inode import Inode
from kernel.vfs.core.linux_abi import makedev
from kernel.vfs.core.open_file import OpenFile
from kernel.vfs.pty.input_queue import SIZE
from kernel.vfs.pty.line_discipline import MOST_PENDING, LineDiscipline
from kernel.vfs.pty.packet_mode import PacketMode, Status
from kernel.vfs.pty.settings import Settings
from kernel.vfs.tty.job_control import SIGCONT, SIGHUP, ControllingTerminal, drop_session

MOST_OUTPUT = 2 * SIZE
"""Maximum number of bytes of output that the master has not read, without echo."""
_MOST_WITH_ECHO = MOST_OUTPUT + SIZE
SLAVE_MAJOR = 136
_SIGWINCH = 28


class Jobs(Protocol):
    """The kernel, as terminals see it."""

    @property
    def clock(self) -> Clock: ...
    @property
    def processes(self) -> Mapping[int, Process]: ...
    def signal_group(self, group: int, signo: int, /) -> None: ...
    def signal_process(self, pid: int, signo: int, /) -> None: ...


class OpenSlave(Protocol):
    """An open file of the slave."""

    hung_up: bool


class Pty(ControllingTerminal):
    """One pair. Its slave can be opened while the master is open."""

    def __init__(
        self, number: int, jobs: Jobs, open_slave: Callable[[Pty, Inode, int, str], OpenFile]
    ) -> None:
        super().__init__(makedev(SLAVE_MAJOR + (number >> 8), number & 0xFF))
        self.number = number
        self.jobs = jobs
        self._open_slave = open_slave
        self.line = LineDiscipline(self)
        self.output = bytearray()
        """Output that the master has not read."""
        self.packets = PacketMode()
        self.locked = True
        self.exclusive = False
        self.window = bytes(8)
        """struct winsize."""
        self.stopped = self.stopped_by_call = self.master_stopped = False
        """Flow control: output stopped by a key or tcflow(3), by the latter, and the master's."""
        self.master_is_open = True
        self.slave_was_closed = False
        """True when the last slave was closed, until one is opened again."""
        self.slaves: dict[OpenSlave, None] = {}
        """Open files of the slave, in the order of opening."""
        self.last_input = 0
        """Time of the last input, in nanoseconds of the monotonic clock."""
        self.master_changed = WaitQueue()
        self.slave_changed = WaitQueue()

    @property
    def name(self) -> str:
        return f"/dev/pts/{self.number}"

    def open_as(self, node: Inode, flags: int, path: str) -> OpenFile:
        """Opens the slave as ``node``."""
        return self._open_slave(self, node, flags, path)

    def open_by_session(self, node: Inode, flags: int) -> OpenFile:
        return self.open_as(node, flags, "/dev/tty")

    # From the master to the slave.

    @property
    def input_room(self) -> int:
        return 0 if self.master_stopped else MOST_PENDING - len(self.line.pending)

    def put_input(self, data: bytes) -> int:
        """Takes as much input as there is room for."""
        data = data[: self.input_room]
        if data:
            self.last_input = self.jobs.clock.monotonic()
            self.line.pending += data
            self.line.receive()
            self.slave_changed.wake()
        return len(data)

    def take_input(self, count: int) -> bytes:
        data = self.line.take(count)
        self.master_changed.wake()
        return data

    def put_urgent_input(self, data: bytes) -> None:
        """Adds input even if what the master writes is stopped."""
        stopped, self.master_stopped = self.master_stopped, False
        self.put_input(data)
        self.master_stopped = stopped

    def stop_master(self, stopped: bool) -> None:
        self.master_stopped = stopped
        self.master_changed.wake()

    def drop_pending_input(self) -> None:
        self.line.pending.clear()
        self.master_changed.wake()

    def flush_input(self) -> None:
        self.line.flush_input()
        self.line.receive()
        self.master_changed.wake()
        self.slave_changed.wake()

    def set_settings(self, settings: Settings) -> None:
        before = self.line.settings
        self.line.change(settings)
        if self.packets.note_settings(before, settings):
            self.master_changed.wake()
        self.slave_changed.wake()

    # From the slave to the master.

    @property
    def output_room(self) -> int:
        return 0 if self.stopped else max(0, MOST_OUTPUT - len(self.output))

    def put_output(self, data: bytes) -> int:
        """Processes as much output as there is room for."""
        self.send_echo()
        done = 0
        while done < len(data) and self.output_room:
            part = data[done : done + max(1, self.output_room // 8)]
            self.output += self.line.output.processed(part, self.line.settings)
            done += len(part)
        if done:
            self.master_changed.wake()
        return done

    def take_output(self, count: int) -> bytes:
        data = bytes(self.output[:count])
        del self.output[:count]
        self.send_echo()
        self.slave_changed.wake()
        return data

    def put_urgent_output(self, data: bytes) -> None:
        """Adds output as it is, even if output is stopped."""
        if len(self.output) < MOST_OUTPUT:
            self.output += data
            self.master_changed.wake()

    def drop_output(self) -> None:
        """Discards what the master could read."""
        self.take_output(SIZE)

    def send_echo(self) -> None:
        room = _MOST_WITH_ECHO - len(self.output)
        if self.line.echo.held and not self.stopped and room > 0:
            self.output += self.line.echo.take(room)
            self.master_changed.wake()

    def flush_output(self) -> None:
        del self.output[SIZE:]
        self._note(Status.FLUSH_WRITE)
        self.slave_changed.wake()

    def input_flushed(self) -> None:
        self._note(Status.FLUSH_READ)

    def _note(self, status: Status) -> None:
        if self.packets.note(status):
            self.master_changed.wake()

    def set_stopped(self, stopped: bool) -> None:
        """Stops or starts output by a key, which does not start what a call has stopped."""
        if not self.stopped_by_call and stopped != self.stopped:
            self.stopped = stopped
            self._note(Status.STOP if stopped else Status.START)
            self.send_echo()
            self.slave_changed.wake()

    def stop_by_call(self, stopped: bool) -> None:
        if stopped != self.stopped_by_call:
            self.stopped_by_call = False
            self.set_stopped(stopped)
            self.stopped_by_call = stopped

    # Signals, and the end of a side.

    def signal_foreground(self, signo: int) -> None:
        self.jobs.signal_group(self.foreground, signo)

    def set_window(self, window: bytes) -> None:
        if window != self.window:
            self.window = window
            self.signal_foreground(_SIGWINCH)

    def slave_closed(self, file: OpenSlave) -> None:
        del self.slaves[file]
        if not self.slaves:
            self.slave_was_closed = True
            self.master_changed.wake()

    def hang_up(self) -> None:
        """Takes the terminal from its session and from all who have opened it (vhangup(2))."""
        for file in self.slaves:
            file.hung_up = True
        session, foreground, jobs = self.session, self.foreground, self.jobs
        if session:
            drop_session(self, jobs.processes)
            leader = jobs.processes.get(session)
            if leader is not None:
                leader.former_foreground = foreground
            jobs.signal_process(session, SIGHUP)
            jobs.signal_process(session, SIGCONT)
        self.slave_changed.wake()
