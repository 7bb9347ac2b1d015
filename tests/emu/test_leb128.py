"""Are LEB128 numbers decoded as DWARF's examples and an encoder say?"""

from __future__ import annotations

import random

import pytest

from emu import leb128

UNSIGNED = {2: "02", 127: "7f", 128: "8001", 129: "8101", 12857: "b964"}
"""DWARF 5, table 7.7."""
SIGNED = {2: "02", -2: "7e", 127: "ff00", -127: "817f", 128: "8001", -128: "807f", -129: "ff7e"}
"""DWARF 5, table 7.8."""


def encode(value: int, *, signed: bool = False) -> bytes:
    """The procedures of DWARF 5, appendix C."""
    out = bytearray()
    while True:
        byte = value & 0x7F
        value >>= 7
        if value == (-1 if signed and byte & 0x40 else 0):
            return bytes([*out, byte])
        out.append(byte | 0x80)


@pytest.mark.parametrize(("signed", "table"), [(False, UNSIGNED), (True, SIGNED)])
def test_are_the_examples_of_the_specification_decoded(signed: bool, table: dict[int, str]) -> None:
    for value, text in table.items():
        code = bytes.fromhex(text)
        assert encode(value, signed=signed) == code
        assert leb128.decode(code, 0, signed=signed) == (value, len(code))


@pytest.mark.parametrize("signed", [False, True])
def test_is_each_64_bit_number_what_was_encoded_and_the_next_begins_behind(signed: bool) -> None:
    chance = random.Random(1)
    low = -(1 << 63) if signed else 0
    numbers = [low, low + (1 << 64) - 1, *(chance.getrandbits(n) for n in range(1, 64))]
    data, at = b"".join(encode(number, signed=signed) for number in numbers), 0
    for number in numbers:
        value, at = leb128.decode(data, at, signed=signed)
        assert value == number
    assert at == len(data)


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xff" * 9, b"\x80" * 10 + b"\x01"])
def test_is_a_number_that_does_not_end_an_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="LEB128"):
        leb128.decode(data, 0)
