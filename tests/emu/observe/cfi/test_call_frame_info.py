"""Do the rules agree with binutils, and are damaged files handled without exceptions?"""

from __future__ import annotations

import random
import re
import struct
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from emu.observe.cfi.call_frame_info import CallFrames, Rule
from emu.observe.cfi.cfi_parser import Cursor, Damaged
from toolchain.build import build
from toolchain.find import find
from toolchain.sysroot import sysroot
from toolchain.variant import Variant

SOURCE = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
int deep(int n, char *text)
{
    char local[n + 1];
    memcpy(local, text, n);
    return n > 1 ? deep(n - 1, local) + local[n - 1] : snprintf(text, n, "%d", n);
}
int main(int argc, char **argv)
{
    int numbers[] = {3, 1, argc};
    qsort(numbers, 3, sizeof *numbers, compare);
    printf("%d %d\n", numbers[0], deep(argc, argv[0]));
}
"""
KINDS = [
    (Variant.STATIC, "-O2"),
    (Variant.STATIC, "-O0"),
    (Variant.STATIC, "-O2 -fasynchronous-unwind-tables"),
    (Variant.DYNAMIC, "-O2"),
    (Variant.DYNAMIC, "-O0 -fasynchronous-unwind-tables"),
    (Variant.DYNAMIC, "-O1 -fno-omit-frame-pointer -fasynchronous-unwind-tables"),
]
FDE = re.compile(r" FDE cie=\w+ pc=(\w+)\.\.(\w+)")
ROW = re.compile(r"[0-9a-f]{16} ")


@cache
def compiled(variant: Variant, flags: str, folder: Path) -> Path:
    source = folder / "frames.c"
    source.write_text(SOURCE)
    return build([source], variant=variant, flags=flags.split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("frames")


def frames(data: bytes, reads: list[int] | None = None) -> CallFrames:
    """``reads`` collects the number of bytes of each read."""

    def read(offset: int, count: int) -> bytes:
        if reads is not None:
            reads.append(count)
        return data[offset : offset + count]

    return CallFrames(read)


def table(path: Path) -> Iterator[tuple[int, int, dict[str, str]]]:
    """Yields (start, end, rules) of each row of each FDE, from objdump."""
    command = [f"{find().prefix}objdump", "--dwarf=frames-interp", str(path)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for block in text.split("\n\n"):
        lines = block.splitlines()
        head = next((match for line in lines if (match := FDE.search(line))), None)
        if head is None or not int(head[1], 16):
            continue
        rows = [line.split() for line in lines if ROW.match(line) and not FDE.search(line)]
        names = next((line.split() for line in lines if "LOC" in line), [])
        ends = [int(row[0], 16) for row in rows[1:]] + [int(head[2], 16)]
        for row, end in zip(rows, ends, strict=False):
            yield int(row[0], 16), end, dict(zip(names[1:], row[1:], strict=False))


def words(rule: Rule) -> tuple[str, str, str]:
    register = {2: "sp", 5: "t0", 8: "s0"}[rule.register]
    ra, fp = ("u" if place is None else f"c{place:+}" for place in (rule.ra, rule.fp))
    return (f"{register}{rule.offset:+}", ra, fp)


def disagreements(path: Path) -> tuple[int, list[object]]:
    """Number of addresses compared, and those whose rule differs from objdump's."""
    call_frames, compared = frames(path.read_bytes()), 0
    wrong: list[object] = []
    for start, end, row in table(path):
        for address in sorted({start, end - 1} if start < end else ()):
            rule = call_frames.rule(address)
            expected = (row["CFA"], row.get("ra", "u"), row.get("s0", "u"))
            compared += 1
            if expected[1].startswith("r"):  # ra is in another register: not expressible
                right = rule is None
            else:
                right = rule is not None and words(rule) == expected
            if not right:
                wrong.append((hex(address), rule, expected))
    return compared, wrong


@pytest.mark.parametrize("variant, flags", KINDS)
def test_every_rule_of_a_program_is_as_objdump_says(
    variant: Variant, flags: str, folder: Path
) -> None:
    compared, wrong = disagreements(compiled(variant, flags, folder))
    assert wrong == []
    assert compared > (3000 if variant is Variant.STATIC else 5)


def test_every_rule_of_the_c_library() -> None:
    root = sysroot()
    assert root is not None
    compared, wrong = disagreements(Path(root, "lib/libc.so.6"))
    assert wrong == [] and compared > 3000


@pytest.mark.parametrize("encoding", [0x0B, 0x1B])
def test_a_search_table_may_be_relative_to_something_else(encoding: int) -> None:
    """Relative to 0 or to each pointer's own address; linkers use the table's start."""
    root = sysroot()
    assert root is not None
    data = bytearray(Path(root, "lib/libc.so.6").read_bytes())
    table = struct.unpack("<IIQQQQQQ", data[segment(data, 0x6474E550) :][:56])
    offset, start, count = table[2], table[3], struct.unpack_from("<I", data, table[2] + 8)[0]
    assert data[offset + 3] == 0x3B
    functions = starts(data, offset, start)
    expected = list(map(frames(bytes(data)).rule, functions))
    data[offset + 3] = encoding
    for at in range(12, 12 + 8 * count, 4):
        (value,) = struct.unpack_from("<i", data, offset + at)
        base = start + at if encoding == 0x1B else 0
        struct.pack_into("<i", data, offset + at, value + start - base)
    data[data.index(b".eh_frame\0")] = 0  # so that the search table is the only way
    assert list(map(frames(bytes(data)).rule, functions)) == expected
    assert None not in expected


def segment(data: bytearray, wanted: int) -> int:
    """Offset of the program header of this type in the file."""
    (table,) = struct.unpack_from("<Q", data, 32)
    headers = (table + 56 * n for n in range(data[56]))
    return next(at for at in headers if struct.unpack_from("<I", data, at)[0] == wanted)


def starts(data: bytearray, offset: int, start: int) -> list[int]:
    """Start addresses of some of the functions in the search table."""
    (count,) = struct.unpack_from("<I", data, offset + 8)
    fields = struct.iter_unpack("<ii", data[offset + 12 : offset + 12 + 8 * count])
    return [start + function for function, _ in fields][:: max(count // 200, 1)]


def test_start_is_outermost(folder: Path) -> None:
    data = compiled(Variant.STATIC, "-O2", folder).read_bytes()
    entry = int.from_bytes(data[24:32], "little")
    rule = frames(data).rule(entry + 12)
    assert rule is not None and rule.outermost


def test_outside_of_every_function_is_not_a_rule(folder: Path) -> None:
    call_frames = frames(compiled(Variant.DYNAMIC, KINDS[4][1], folder).read_bytes())
    assert [call_frames.rule(at) for at in (0, 1, 0x7FFF_FFFF, 1 << 63, 1 << 70, -5)] == [None] * 6


@pytest.mark.parametrize("size", [0, 10, 63, 64, 100, 500, 5000])
@pytest.mark.parametrize("variant", [Variant.STATIC, Variant.DYNAMIC])
def test_a_short_file_has_no_rule(variant: Variant, size: int, folder: Path) -> None:
    path = compiled(variant, KINDS[4][1], folder)
    starts = [start for start, _, _ in table(path)][-20:]
    call_frames = frames(path.read_bytes()[:size])
    for start in starts:
        call_frames.rule(start)


def sections(path: Path) -> list[tuple[int, int]]:
    """Ranges of the bytes that are read: headers, and call frame information."""
    from elftools.elf.elffile import ELFFile

    with path.open("rb") as file:
        elf = ELFFile(file)
        named = [s for s in elf.iter_sections() if "_frame" in s.name or s.name == ".shstrtab"]
        headers = (elf["e_shoff"], elf["e_shoff"] + elf["e_shnum"] * 64)
        return [
            (0, 600),
            headers,
            *((s["sh_offset"], s["sh_offset"] + s["sh_size"]) for s in named),
        ]


@pytest.mark.parametrize("variant, flags", [KINDS[0], KINDS[4], KINDS[5]])
def test_damage_is_never_an_exception_and_reads_no_more(
    variant: Variant, flags: str, folder: Path
) -> None:
    path = compiled(variant, flags, folder)
    whole, places = path.read_bytes(), sections(path)
    starts = [start for start, _, _ in table(path)]
    dice = random.Random(flags)
    for _ in range(300 if variant is Variant.DYNAMIC else 40):
        data = bytearray(whole)
        for _ in range(dice.choice((1, 3, 30))):
            low, high = dice.choice(places)
            if low < high:
                data[dice.randrange(low, high)] = dice.choice((0, 1, 0x7F, 0x80, 0xFF, 0x50, 0x0A))
        reads: list[int] = []
        call_frames = frames(bytes(data), reads)
        for start in dice.choices(starts, k=20):
            call_frames.rule(start + dice.randrange(0, 20, 2))
        assert len(reads) < 1000 and sum(reads) < 21 * len(data), "20 look-ups"


@pytest.mark.parametrize(
    "encoding, data, pointer",
    [
        (0x00, "0102030405060708", 0x0807060504030201),
        (0x01, "8001", 0x80),
        (0x09, "7f", (1 << 64) - 1),
        (0x0B, "feffffff", (1 << 64) - 2),
        (0x1B, "feffffff", 0x1002 - 2),
        (0x3B, "04000000", 0x5004),
        (0x12, "0400", 0x1006),
        (0x1C, "ffffffffffffffff", 0x1001),
        (0x50, "000000000000" + "0100000000000000", 1),
    ],
)
def test_encoded_pointers(encoding: int, data: str, pointer: int) -> None:
    cursor = Cursor(b"\0\0" + bytes.fromhex(data), 0x1000)
    cursor.at = 2
    assert cursor.pointer(encoding, 0x5000) == pointer
    assert cursor.left == 0


@pytest.mark.parametrize("encoding", [0x05, 0x0F, 0x20, 0x40, 0x60, 0x30])
def test_an_encoding_without_a_base_is_damage(encoding: int) -> None:
    with pytest.raises(Damaged):
        Cursor(bytes(16)).pointer(encoding)


def test_a_number_without_an_end_is_damage() -> None:
    with pytest.raises(Damaged):
        Cursor(b"\x80" * 100).leb()
