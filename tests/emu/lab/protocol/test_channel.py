"""Does a message arrive as it was sent, in pieces or not, and is an invalid one refused?"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator

import pytest

from emu.lab.protocol import channel
from emu.lab.protocol.channel import Closed, Descriptor, frame, receive, send

MESSAGES = [None, 0, -1, 1 << 80, "\u00e9\n\0", [1, [2, {"a": []}]], {"x" * 300: "y" * 100_000}]


class Pieces:
    """Bytes that arrive at most ``size`` at a time."""

    def __init__(self, data: bytes, size: int) -> None:
        self._data, self._size = data, size

    def read(self, count: int) -> bytes:
        count = min(count, self._size)
        piece, self._data = self._data[:count], self._data[count:]
        return piece


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)


def test_do_messages_arrive_in_order_as_they_were_sent(ends: tuple[int, int]) -> None:
    reading, writing = ends

    def send_all() -> None:
        for message in MESSAGES:
            send(writing, message)
        os.close(writing)

    sender = threading.Thread(target=send_all)
    sender.start()
    source = Descriptor(reading)
    assert [receive(source) for _ in MESSAGES] == MESSAGES
    with pytest.raises(Closed):
        receive(source)
    sender.join()


@pytest.mark.parametrize("size", [1, 3, 4096])
def test_is_a_message_in_pieces_whole(size: int) -> None:
    source = Pieces(b"".join(map(frame, MESSAGES)), size)
    assert [receive(source) for _ in MESSAGES] == MESSAGES


@pytest.mark.parametrize("count", [0, 1, 4, 6])
def test_is_a_message_that_is_cut_off_the_end(count: int) -> None:
    with pytest.raises(Closed):
        receive(Pieces(frame([1, 2])[:count], 100))


def test_is_a_message_that_is_too_long_refused_before_it_is_read() -> None:
    source = Pieces((11).to_bytes(4, "little"), 100)
    with pytest.raises(ValueError, match="11 bytes"):
        receive(source, longest=10)


def test_are_too_many_items_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "_MAX_ITEMS", 3)
    assert receive(Pieces(frame([1, 2, 3, 4]), 100)) == [1, 2, 3, 4]
    with pytest.raises(ValueError, match="too many items"):
        receive(Pieces(frame([1, 2, 3, 4, 5]), 100))


def test_is_text_that_is_not_json_an_invalid_message() -> None:
    with pytest.raises(json.JSONDecodeError):
        receive(Pieces((1).to_bytes(4, "little") + b"{", 100))


def test_does_the_sender_learn_that_there_is_no_reader() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with pytest.raises(Closed):
        send(writing, "x")
    os.close(writing)
