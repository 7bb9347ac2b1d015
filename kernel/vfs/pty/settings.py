"""Settings of a pseudo-terminal: struct termios, and what follows from it (termios(3))."""

from __future__ import annotations

import struct

from kernel.vfs.tty.termios_abi import B38400, CFLAGS, CHARACTERS, IFLAGS, LFLAGS, OFLAGS, SIZE

PARMRK, ISTRIP, IUTF8 = IFLAGS["PARMRK"], IFLAGS["ISTRIP"], IFLAGS["IUTF8"]
INLCR, IGNCR, ICRNL, IUCLC = IFLAGS["INLCR"], IFLAGS["IGNCR"], IFLAGS["ICRNL"], 0x200
IXON, IXANY = IFLAGS["IXON"], IFLAGS["IXANY"]
OPOST, ONLCR, OCRNL = OFLAGS["OPOST"], OFLAGS["ONLCR"], OFLAGS["OCRNL"]
ONOCR, ONLRET, OLCUC, XTABS = OFLAGS["ONOCR"], OFLAGS["ONLRET"], 2, 0x1800
ISIG, ICANON, ECHO, ECHOE = LFLAGS["ISIG"], LFLAGS["ICANON"], LFLAGS["ECHO"], LFLAGS["ECHOE"]
ECHOK, ECHONL, ECHOCTL = LFLAGS["ECHOK"], LFLAGS["ECHONL"], LFLAGS["ECHOCTL"]
ECHOPRT, ECHOKE, NOFLSH = LFLAGS["ECHOPRT"], LFLAGS["ECHOKE"], LFLAGS["NOFLSH"]
TOSTOP, IEXTEN, EXTPROC = LFLAGS["TOSTOP"], LFLAGS["IEXTEN"], 0x10000
CS8, CREAD, PARENB = CFLAGS["CS8"], CFLAGS["CREAD"], CFLAGS["PARENB"]

(
    VINTR, VQUIT, VERASE, VKILL, VEOF, VTIME, VMIN, _VSWTC, VSTART, VSTOP, VSUSP, VEOL,
    VREPRINT, _VDISCARD, VWERASE, VLNEXT, VEOL2,
) = range(len(CHARACTERS))  # fmt: skip

_LAYOUT = struct.Struct("<4IB19s")
_SPEEDS = struct.Struct("<II")
SIZE_2 = SIZE + _SPEEDS.size
"""Size of struct termios2."""
_CHARACTERS = bytes((3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0, 0, 0))
_PROCESSING_INPUT = ISTRIP | IUCLC | IGNCR | ICRNL | INLCR | IXON | PARMRK
_PROCESSING_LOCAL = ICANON | ISIG | ECHO


class Settings:
    """One state of the settings; never changed, only replaced."""

    def __init__(
        self,
        iflag: int = ICRNL | IXON,
        oflag: int = OPOST | ONLCR,
        cflag: int = B38400 | CS8 | CREAD,
        lflag: int = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
        line: int = 0,
        characters: bytes = _CHARACTERS,
        speeds: tuple[int, int] = (38400, 38400),
    ) -> None:
        self.iflag, self.oflag, self.lflag = iflag, oflag, lflag
        # As of a line without a modem: eight bits, no parity.
        self.cflag = cflag & ~PARENB | CS8 | CREAD
        self.line, self.characters, self.speeds = line, characters, speeds
        self.canonical = bool(lflag & ICANON)
        self.echoes = bool(lflag & ECHO)
        self.plain = not iflag & _PROCESSING_INPUT and not lflag & _PROCESSING_LOCAL
        """True when input is passed on as it is."""
        self.special = self._special()
        """Characters that are not just data."""

    @classmethod
    def unpack(cls, raw: bytes, before: Settings) -> Settings:
        """Reads struct termios, or termios2 with its speeds."""
        iflag, oflag, cflag, lflag, line, characters = _LAYOUT.unpack(raw[:SIZE])
        speeds = _SPEEDS.unpack(raw[SIZE:SIZE_2]) if len(raw) >= SIZE_2 else before.speeds
        return cls(iflag, oflag, cflag, lflag, line, characters, speeds)

    def pack(self) -> bytes:
        return _LAYOUT.pack(
            self.iflag, self.oflag, self.cflag, self.lflag, self.line, self.characters
        )

    def pack_2(self) -> bytes:
        return self.pack() + _SPEEDS.pack(*self.speeds)

    def _special(self) -> frozenset[int]:
        """Characters with a function now; a function whose character is NUL is turned off."""
        char, found = self.characters, set[int]()
        extended = bool(self.lflag & IEXTEN)
        if self.iflag & IXON:
            found |= {char[VSTART], char[VSTOP]}
        if self.lflag & ISIG:
            found |= {char[VINTR], char[VQUIT], char[VSUSP]}
        if self.canonical:
            found |= {char[VERASE], char[VKILL], char[VEOF], char[VEOL], ord("\n")}
            if extended:
                found |= {char[VWERASE], char[VLNEXT], char[VEOL2]}
            if extended and self.echoes:
                found.add(char[VREPRINT])
        if self.iflag & (IGNCR | ICRNL):
            found.add(ord("\r"))
        if self.iflag & INLCR:
            found.add(ord("\n"))
        return frozenset(found - {0})

    def is_special(self, char: int, *functions: int) -> bool:
        """True when ``char`` has one of the functions VINTR, VQUIT ..."""
        return char != 0 and any(self.characters[each] == char for each in functions)

    def is_continuation(self, char: int) -> bool:
        """True for a byte of a UTF-8 sequence after its first."""
        return bool(self.iflag & IUTF8) and char & 0xC0 == 0x80

    @property
    def flow_by_usual_keys(self) -> bool:
        """True when Ctrl-S and Ctrl-Q stop and start the output."""
        char = self.characters
        return bool(self.iflag & IXON) and (char[VSTOP], char[VSTART]) == (0o23, 0o21)


def is_control(char: int) -> bool:
    return char < 32 or char == 127
