"""Echo of a terminal's input: held until its batch of input is processed, or the output goes on."""

from __future__ import annotations

from kernel.vfs.pty.output import Output
from kernel.vfs.pty.settings import ECHOCTL, Settings, is_control

MOST = 4096
"""Maximum number of bytes held; later ones are lost."""


class Echo:
    """Bytes to echo, processed as output."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self.held = bytearray()
        self.erasing = False
        """True between the backslash and the slash of ECHOPRT."""

    def raw(self, data: bytes, settings: Settings) -> None:
        """Echoes bytes without showing control characters."""
        if len(self.held) < MOST:
            self.held += self._output.processed(data, settings)

    def shown(self, char: int, settings: Settings) -> None:
        """Echoes a character; a control character as ``^X`` with ECHOCTL."""
        if settings.lflag & ECHOCTL and is_control(char) and char != ord("\t"):
            if len(self.held) < MOST:
                self.held += bytes((ord("^"), char ^ 0o100))
            self._output.column += 2
        else:
            self.raw(bytes((char,)), settings)

    def erase_tab(self, width: int, after_tab: bool) -> None:
        """Moves back over a tab, ``width`` columns after another or after the line's beginning."""
        if not after_tab:
            width += self._output.line_column
        count = 8 - (width & 7)
        if len(self.held) < MOST:
            self.held += b"\b" * count
        self._output.column = max(0, self._output.column - count)

    def begin_line(self) -> None:
        """Notes the column of the first character of a line."""
        self._output.line_column = self._output.column

    def move_back(self) -> None:
        """Corrects the column for a byte of a character whose first byte was counted."""
        self._output.column = max(0, self._output.column - 1)

    def finish_erasing(self, settings: Settings) -> None:
        if self.erasing:
            self.erasing = False
            self.raw(b"/", settings)

    def take(self, count: int) -> bytes:
        data = bytes(self.held[:count])
        del self.held[:count]
        return data
