"""Are the headers of ELF files read as readelf reads them, and damaged ones without harm?"""

import re
import struct
import subprocess
from pathlib import Path

import pytest

from kernel.base.elf_headers import (
    named_sections,
    program_headers,
    read_header,
    reader,
    section_headers,
)
from tests.kernel.syscalls.guests import compiled


def readelf(option: str) -> str:
    command: list[str | Path] = ["riscv64-linux-gnu-readelf", option, "-W", compiled("return 0;")]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_are_the_fields_those_of_readelf() -> None:
    read = reader(Path(compiled("return 0;")).read_bytes())
    header = read_header(read)
    assert header is not None
    entry = re.search(r"Entry point address: +0x([0-9a-f]+)", readelf("-h"))
    assert entry is not None and header.entry == int(entry[1], 16)
    rows = re.findall(
        r"^  \w+ +0x([0-9a-f]+) 0x([0-9a-f]+) 0x[0-9a-f]+ 0x([0-9a-f]+) 0x([0-9a-f]+)",
        readelf("-l"),
        re.MULTILINE,
    )
    assert [[int(word, 16) for word in row] for row in rows] == [
        [each.offset, each.address, each.file_size, each.size]
        for each in program_headers(read, header)
    ]
    sections = re.findall(
        r"^  \[ *\d+\] (\S+) +[A-Z]\S+ +([0-9a-f]{16}) ([0-9a-f]+) ([0-9a-f]+)",
        readelf("-S"),
        re.MULTILINE,
    )
    assert len(sections) > 10
    assert {name: (int(a, 16), int(o, 16), int(s, 16)) for name, a, o, s in sections} == {
        name: (each.address, each.offset, each.size)
        for name, each in named_sections(read).items()
        if name
    }


def header(**changed: int) -> bytes:
    """A header with one program header and one section header behind it."""
    fields = {"program_table": 64, "program_header_size": 56, "program_header_count": 1}
    fields |= {"section_table": 120, "section_header_size": 64, "section_header_count": 1}
    fields |= {"name_table_index": 0, **changed}
    return struct.pack(
        "<16sHHIQQQIHHHHHH",
        b"\x7fELF\2\1\1",
        *(2, 243, 1, 0, fields["program_table"], fields["section_table"], 0, 64),
        *(fields["program_header_size"], fields["program_header_count"]),
        *(fields["section_header_size"], fields["section_header_count"]),
        fields["name_table_index"],
    )


@pytest.mark.parametrize(
    "changed, segments, sections",
    [
        ({}, 1, 1),
        ({"program_header_count": 0xFFFF, "section_header_count": 0xFFFF}, 3, 2),
        ({"program_header_size": 0, "section_header_size": 0}, 0, 0),
        ({"program_header_size": 32, "section_header_size": 40}, 0, 0),
        ({"program_table": (1 << 64) - 1, "section_table": 1 << 62}, 0, 0),
        ({"program_table": 1 << 40, "section_table": 1 << 61}, 0, 0),
    ],
)
def test_is_a_table_read_as_far_as_it_is_in_the_file(
    changed: dict[str, int], segments: int, sections: int
) -> None:
    read = reader(header(**changed) + bytes(56 + 2 * 64))
    found = read_header(read)
    assert len(program_headers(read, found)) == segments
    assert len(section_headers(read, found)) == sections
    assert set(named_sections(read)) <= {""}


@pytest.mark.parametrize(
    "data",
    [b"", b"\x7fELF", header()[:63], b"\x7fELF\1\1\1" + header()[7:], b"#!/bin/sh" + bytes(64)],
)
def test_has_what_is_not_a_64_bit_elf_file_no_headers(data: bytes) -> None:
    assert read_header(reader(data)) is None
    assert named_sections(reader(data)) == {}
    assert program_headers(reader(data), None) == []
    assert section_headers(reader(data), None) == []


def test_are_names_that_do_not_end_left_out_in_bounded_time() -> None:
    """Each of many sections has a name that begins in a table without a zero byte."""
    count = 0xFFFF
    names = 120 + 64 * count
    section = struct.pack("<IIQQQQIIQQ", 0, 3, 0, 0, names, 1 << 20, 0, 0, 1, 0)
    data = header(section_header_count=count) + bytes(56) + section * count + b"x" * (1 << 20)
    assert named_sections(reader(data)) == {}
