"""Processing of a terminal's output (OPOST), and the column that it leads to."""

from __future__ import annotations

from kernel.vfs.pty.settings import (
    OCRNL,
    OLCUC,
    ONLCR,
    ONLRET,
    ONOCR,
    OPOST,
    XTABS,
    Settings,
    is_control,
)

_UNUSUAL = OCRNL | ONOCR | ONLRET | OLCUC | XTABS
_NEWLINE, _RETURN, _TAB, _BACKSPACE = b"\n\r\t\b"


class Output:
    """The output process of a terminal."""

    def __init__(self) -> None:
        self.column = 0
        self.line_column = 0
        """Column of the first character of the line that is being edited."""

    def processed(self, data: bytes, settings: Settings) -> bytes:
        """Returns what is sent for ``data``, up to 8 bytes for each."""
        if not settings.oflag & OPOST:
            return data
        if settings.oflag & _UNUSUAL:
            return b"".join(self._processed(char, settings) for char in data)
        end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        if end and (settings.oflag & ONLCR or data.rfind(b"\r", 0, end) >= 0):
            self.column = self.line_column = 0
            rest = data[max(data.rfind(b"\r") + 1, end if settings.oflag & ONLCR else 0) :]
        else:
            rest = data
        for char in rest:
            self._advance(char, settings)
        return data.replace(b"\n", b"\r\n") if settings.oflag & ONLCR else data

    def _advance(self, char: int, settings: Settings) -> None:
        if char == _TAB:
            self.column += 8 - (self.column & 7)
        elif char == _BACKSPACE:
            self.column = max(0, self.column - 1)
        elif char == _NEWLINE:
            self.line_column = self.column
        elif not is_control(char) and not settings.is_continuation(char):
            self.column += 1

    def _processed(self, char: int, settings: Settings) -> bytes:
        flags = settings.oflag
        if char == _NEWLINE:
            return self._newline(flags)
        if char == _RETURN:
            if flags & ONOCR and not self.column:
                return b""
            if not flags & OCRNL or flags & ONLRET:
                self.column = self.line_column = 0
            return b"\n" if flags & OCRNL else b"\r"
        if char == _TAB and flags & XTABS == XTABS:
            spaces = 8 - (self.column & 7)
            self.column += spaces
            return b" " * spaces
        self._advance(char, settings)
        one = bytes((char,))
        return one.upper() if flags & OLCUC else one

    def _newline(self, flags: int) -> bytes:
        if flags & (ONLRET | ONLCR):
            self.column = 0
        self.line_column = self.column
        return b"\r\n" if flags & ONLCR else b"\n"
