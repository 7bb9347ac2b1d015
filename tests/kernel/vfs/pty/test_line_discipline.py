"""What is read, echoed and signalled when keys are typed at a terminal?"""

from __future__ import annotations

import pytest

from kernel.vfs.pty.input_queue import SIZE
from kernel.vfs.pty.line_discipline import LineDiscipline
from kernel.vfs.pty.settings import ECHO, ICANON, VEOL, VMIN, Settings


class FakeLine:
    """A terminal whose output has any room."""

    def __init__(self) -> None:
        self.discipline = LineDiscipline(self)
        self.sent = b""
        self.signals: list[int] = []
        self.stopped = False

    def signal_foreground(self, signo: int) -> None:
        self.signals.append(signo)

    def set_stopped(self, stopped: bool) -> None:
        self.stopped = stopped

    def send_echo(self) -> None:
        if not self.stopped:
            self.sent += self.discipline.echo.take(1 << 20)

    def flush_output(self) -> None:
        self.sent = b""

    def input_flushed(self) -> None:
        pass

    def type(self, keys: bytes) -> bytes:
        """Types keys; returns their echo."""
        self.sent = b""
        self.discipline.pending += keys
        self.discipline.receive()
        return self.sent

    def change(self, **fields: int | bytes) -> None:
        """Replaces fields of the settings."""
        now = self.discipline.settings
        values: dict[str, int | bytes] = {
            "iflag": now.iflag, "oflag": now.oflag, "cflag": now.cflag, "lflag": now.lflag,
            "characters": now.characters,
        }  # fmt: skip
        self.discipline.change(Settings(**{**values, **fields}))  # type: ignore[arg-type]


@pytest.fixture
def line() -> FakeLine:
    return FakeLine()


def test_is_a_line_read_when_it_is_complete(line: FakeLine) -> None:
    assert line.type(b"ab") == b"ab"
    assert line.discipline.available == 0
    assert line.type(b"c\rnext") == b"c\r\nnext"
    assert line.discipline.available == 4
    assert line.discipline.take(2) == b"ab"
    assert line.discipline.take(100) == b"c\n"
    assert line.discipline.available == 0


@pytest.mark.parametrize(
    ("keys", "echo", "text"),
    [
        (b"ab\x7fc\n", b"ab\b \bc\r\n", b"ac\n"),
        (b"one two\x17\n", b"one two" + 3 * b"\b \b" + b"\r\n", b"one \n"),
        (b"gone\x15\n", b"gone" + 4 * b"\b \b" + b"\r\n", b"\n"),
        (b"\x16\x03\n", b"^\b^C\r\n", b"\x03\n"),
        (b"a\t\x7f\n", b"a\t" + 7 * b"\b" + b"\r\n", b"a\n"),
    ],
)
def test_how_is_a_line_edited(line: FakeLine, keys: bytes, echo: bytes, text: bytes) -> None:
    assert line.type(keys) == echo
    assert line.discipline.take(100) == text


def test_does_an_end_of_file_end_a_line_without_being_read(line: FakeLine) -> None:
    line.type(b"\x04ab\x04cd\x04")
    assert [line.discipline.take(count) for count in (9, 9)] == [b"", b"ab"]
    assert line.discipline.take(2) == b"cd"
    assert line.discipline.available == 0, "the end behind the bytes asked for is taken, too"


def test_does_a_key_signal_and_discard_what_was_typed(line: FakeLine) -> None:
    assert line.type(b"abc\x03") == b"^C"
    line.type(b"d\n")
    assert line.signals == [2]
    assert line.discipline.take(9) == b"d\n"


def test_is_echo_held_while_output_is_stopped(line: FakeLine) -> None:
    assert line.type(b"\x13held") == b""
    assert line.type(b"\x11") == b"held"


def test_does_a_line_that_is_too_long_keep_its_end(line: FakeLine) -> None:
    line.change(lflag=ICANON)
    line.type(b"x" * 2 * SIZE + b"\n")
    data = line.discipline.take(2 * SIZE)
    assert len(data) == SIZE
    assert data.endswith(b"x\n")


def test_does_input_wait_for_room_behind_complete_lines(line: FakeLine) -> None:
    line.change(lflag=ICANON)
    line.type(b"first\n" + b"x" * SIZE + b"\n")
    assert line.discipline.pending
    assert line.discipline.take(99) == b"first\n"
    assert line.discipline.take(2 * SIZE) == b"x" * (SIZE - 1) + b"\n"


def test_is_input_kept_when_canonical_mode_ends_or_begins(line: FakeLine) -> None:
    line.type(b"line\npart")
    line.change(lflag=0)
    assert line.discipline.take(99) == b"line\npart"
    line.type(b"raw")
    line.change(lflag=ICANON)
    assert line.discipline.take(99) == b"raw"


def test_are_all_bytes_data_in_raw_mode(line: FakeLine) -> None:
    line.change(iflag=0, lflag=0)
    every = bytes(range(256))
    assert line.type(every) == b""
    assert line.discipline.take(999) == every
    assert line.signals == []


def test_when_is_raw_input_reported_to_poll(line: FakeLine) -> None:
    characters = bytearray(line.discipline.settings.characters)
    characters[VMIN] = 3
    line.change(lflag=0, characters=bytes(characters))
    line.type(b"ab")
    assert not line.discipline.polls_readable()
    line.type(b"c")
    assert line.discipline.polls_readable()


def test_does_a_character_of_ones_own_end_a_line(line: FakeLine) -> None:
    characters = bytearray(line.discipline.settings.characters)
    characters[VEOL] = ord(";")
    line.change(lflag=ICANON | ECHO, characters=bytes(characters))
    assert line.type(b"a;b") == b"a;b"
    assert line.discipline.take(9) == b"a;"
