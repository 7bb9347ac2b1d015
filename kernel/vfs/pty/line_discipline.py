"""The line discipline: from what is typed to what is read, echo and signals (termios(3))."""

from __future__ import annotations

from typing import Protocol

from kernel.vfs.pty.echo import Echo
from kernel.vfs.pty.erase import erase
from kernel.vfs.pty.input_queue import END_OF_FILE, SIZE, InputQueue
from kernel.vfs.pty.output import Output
from kernel.vfs.pty.settings import (
    ECHOCTL,
    ECHONL,
    ICANON,
    ICRNL,
    IEXTEN,
    IGNCR,
    INLCR,
    ISIG,
    ISTRIP,
    IUCLC,
    IXANY,
    IXON,
    NOFLSH,
    PARMRK,
    VEOF,
    VEOL,
    VEOL2,
    VERASE,
    VINTR,
    VKILL,
    VLNEXT,
    VMIN,
    VQUIT,
    VREPRINT,
    VSTART,
    VSTOP,
    VSUSP,
    VTIME,
    VWERASE,
    Settings,
)

MOST_PENDING = 8192
"""Maximum number of bytes that wait for room in the queue."""
_SIGNALS = ((VINTR, 2), (VQUIT, 3), (VSUSP, 20))
_NEWLINE, _RETURN, _MARK = ord("\n"), ord("\r"), 0xFF


class Line(Protocol):
    """The terminal that a line discipline belongs to."""

    def signal_foreground(self, signo: int, /) -> None: ...
    def set_stopped(self, stopped: bool, /) -> None:
        """Stops or starts the output, by a key."""

    def send_echo(self) -> None:
        """Sends what the echo holds, as far as there is room."""

    def flush_output(self) -> None:
        """Discards output that its reader has no room for yet."""

    def input_flushed(self) -> None: ...


class LineDiscipline:
    """Input of a terminal: edited lines in canonical mode, single bytes otherwise."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self.settings = Settings()
        self.queue = InputQueue()
        self.output = Output()
        self.echo = Echo(self.output)
        self.pending = bytearray()
        """Input that waits for room in the queue."""
        self._literal = False
        """True after VLNEXT."""

    # Reading.

    @property
    def available(self) -> int:
        """Number of bytes that a read may take now: of complete lines in canonical mode."""
        return self.queue.complete if self.settings.canonical else len(self.queue)

    @property
    def minimum(self) -> int:
        return self.settings.characters[VMIN]

    @property
    def timeout(self) -> int:
        """VTIME, in nanoseconds."""
        return self.settings.characters[VTIME] * 100_000_000

    def polls_readable(self) -> bool:
        """True when poll(2) reports input: VMIN bytes of it if no timeout ends the read."""
        least = 1
        if not self.settings.canonical and not self.timeout:
            least = max(1, self.minimum)
        return self.available >= least

    def take(self, count: int) -> bytes:
        take = self.queue.take_line if self.settings.canonical else self.queue.take
        data = take(count)
        self.receive()
        return data

    def flush_input(self) -> None:
        self.queue.clear()
        self._literal = self.echo.erasing = False
        self._line.input_flushed()

    # Settings.

    def change(self, settings: Settings) -> None:
        """Sets the settings. Input that was not read becomes a line, or a line's input bytes."""
        before, self.settings = self.settings, settings
        if (before.lflag ^ settings.lflag) & ICANON:
            self.queue.forget_lines()
            if settings.canonical and len(self.queue):
                self.queue.end_line()
            self._literal = self.echo.erasing = False
        if before.iflag & IXON and not settings.iflag & IXON:
            self._line.set_stopped(False)
        self.receive()

    # Receiving.

    def receive(self) -> None:
        """Processes pending input as far as there is room. A line that fills the queue loses its
        last byte for each further one, so that its end still fits.
        """
        queue = self.queue
        while self.pending:
            room = SIZE - len(queue)
            if self.settings.iflag & PARMRK:
                room = -(-room // 3)
            room -= 1
            if room <= 0:
                if not self.settings.canonical or queue.complete:
                    break
                if room < 0:
                    queue.drop_last()
                room = 1
            data = bytes(self.pending[:room])
            del self.pending[:room]
            self._process(data)
        self._line.send_echo()

    def _process(self, data: bytes) -> None:
        if self.settings.plain and not self._literal:
            self.queue.put(data)
            return
        for char in data:
            self._process_one(char)

    def _process_one(self, char: int) -> None:
        settings = self.settings
        if settings.iflag & ISTRIP:
            char &= 0x7F
        if settings.iflag & IUCLC and settings.lflag & IEXTEN and 65 <= char <= 90:
            char += 32
        if self._literal:
            self._literal = False
            self._put(char)
        elif char in settings.special:
            self._process_special(char)
        else:
            self._restart_by_any()
            self._put(char)

    def _restart_by_any(self) -> None:
        if self.settings.iflag & (IXON | IXANY) == IXON | IXANY:
            self._line.set_stopped(False)

    def _process_special(self, char: int) -> None:
        settings = self.settings
        if settings.iflag & IXON and settings.is_special(char, VSTART, VSTOP):
            self._line.set_stopped(not settings.is_special(char, VSTART))
            return
        if settings.lflag & ISIG:
            for function, signo in _SIGNALS:
                if settings.is_special(char, function):
                    self._signal(signo, char)
                    return
        self._restart_by_any()
        if char == _RETURN:
            if settings.iflag & IGNCR:
                return
            if settings.iflag & ICRNL:
                char = _NEWLINE
        elif char == _NEWLINE and settings.iflag & INLCR:
            char = _RETURN
        if not (settings.canonical and self._edit(char)):
            self._put(char)

    def _signal(self, signo: int, char: int) -> None:
        """Signals the foreground group, and discards input and output unless NOFLSH is set."""
        self._line.signal_foreground(signo)
        if not self.settings.lflag & NOFLSH:
            self.echo.held.clear()
            self._line.flush_output()
            self.flush_input()
        if self.settings.iflag & IXON:
            self._line.set_stopped(False)
        if self.settings.echoes:
            self.echo.shown(char, self.settings)

    def _edit(self, char: int) -> bool:
        """Executes a function of canonical mode; False for a character without one."""
        settings = self.settings
        extended, echo = bool(settings.lflag & IEXTEN), self.echo
        if settings.is_special(char, VERASE, VKILL) or (
            extended and settings.is_special(char, VWERASE)
        ):
            erase(char, self.queue, echo, settings)
        elif extended and settings.is_special(char, VLNEXT):
            self._literal = True
            if settings.echoes:
                echo.finish_erasing(settings)
                if settings.lflag & ECHOCTL:
                    echo.raw(b"^\b", settings)
        elif extended and settings.echoes and settings.is_special(char, VREPRINT):
            self._reprint(char)
        elif char == _NEWLINE:
            if settings.echoes or settings.lflag & ECHONL:
                echo.raw(b"\n", settings)
            self.queue.put_end(char)
        elif settings.is_special(char, VEOF):
            self.queue.put_end(END_OF_FILE)
        elif settings.is_special(char, VEOL) or (extended and settings.is_special(char, VEOL2)):
            if settings.echoes:
                self._echo_first()
                echo.shown(char, settings)
            self.queue.put_end(char)
        else:
            return False
        return True

    def _reprint(self, char: int) -> None:
        self.echo.finish_erasing(self.settings)
        self.echo.shown(char, self.settings)
        self.echo.raw(b"\n", self.settings)
        for index in range(self.queue.complete, len(self.queue)):
            self.echo.shown(self.queue.at(index), self.settings)

    def _echo_first(self) -> None:
        """Notes the column of the first character of a line."""
        if not self.queue.edited:
            self.echo.begin_line()

    def _put(self, char: int) -> None:
        settings = self.settings
        if settings.echoes:
            self.echo.finish_erasing(settings)
            if char == _NEWLINE:
                self.echo.raw(b"\n", settings)
            else:
                self._echo_first()
                self.echo.shown(char, settings)
        if char == _MARK and settings.iflag & PARMRK:
            self.queue.put(bytes((_MARK,)))
        self.queue.put(bytes((char,)))
