"""Are source locations those of the source's marks and of binutils?"""

from __future__ import annotations

import re
import subprocess
from bisect import bisect_right
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from emu.observe.model.records import Caller, Exec, Fault, Fork, SourceLocation
from emu.observe.model.source_location import with_line
from emu.observe.symbols.elf_image import Image
from guest.manifest import BY_NAME
from tests.emu.commands import program
from tests.emu.observe.support.ledger import of_kind
from tests.emu.observe.support.recorded import Recorded, record
from toolchain.build import build, cache_folder
from toolchain.find import find
from toolchain.variant import Variant

KINDS = [
    (variant, level)
    for variant in (Variant.STATIC, Variant.DYNAMIC)
    for level in ("-O0", "-O2", "-Os")
]
SOURCE = r"""
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#define FUNCTION __attribute__((noipa)) static
#define INLINE static inline __attribute__((always_inline))
#define STORE(page) pages[page][9] = page
static volatile char pages[7][4096] __attribute__((aligned(4096)));
FUNCTION void plain(int value)
{
    pages[0][value] = value; /* plain */
}
INLINE void innermost(int value)
{
    value++;
    pages[1][5] = value; /* innermost */
}
INLINE void inner(int value)
{
    innermost(value * 3); /* inner */
}
FUNCTION void outer(int value)
{
    if (value)
        inner(value + 1); /* outer */
}
FUNCTION void by_macro(void)
{
    STORE(2); /* macro */
}
FUNCTION void in_a_loop(int count)
{
    for (int at = 0; at < count; at++) {
        pages[3][at]++; /* loop */
    }
}
FUNCTION void atomically(void)
{
    __atomic_fetch_add((int *)&pages[4][8], 2, __ATOMIC_SEQ_CST); /* atomic */
}
void *(*volatile library)(void *, int, size_t) = memset;
FUNCTION long by_library(void)
{
    library((char *)pages[5], 1, 4096); /* library */
    return 1;
}
#line 1000 "elsewhere.c"
FUNCTION void renamed(void)
{
    pages[6][0] = 1; /* renamed */
}
#line 57 "lines.c"
int main(void)
{
    for (int page = 0; page < 7; page++)
        pages[page][0] = 7;
    if (!fork()) {
        plain(5);
        outer(6);
        by_macro();
        in_a_loop(7);
        atomically();
        by_library();
        renamed();
        _exit(0);
    }
    wait(0);
    return 0;
}
"""
PLACES = ["plain", "innermost", "macro", "loop", "atomic", "library", "renamed"]
"""Marks in the source, one at the store to each page."""
FUNCTIONS = ["plain", "innermost", "by_macro", "in_a_loop", "atomically", "by_library", "renamed"]


CALLS = ["plain(5)", "outer(6)", "by_macro()", "in_a_loop(7)", "atomically()", "by_library()"]
CALLS.append("renamed()")


def line_of(mark: str) -> int:
    """Line number, by #line, of a mark or of a call."""
    found = 0
    for line in SOURCE.splitlines():
        directive = re.match(r"#line (\d+)", line)
        found = int(directive[1]) - 1 if directive else found + 1
        if f"/* {mark} */" in line or f" {mark};" in line:
            return found
    raise LookupError(mark)


@cache
def source() -> Path:
    program("lines", SOURCE)
    return cache_folder() / "test-sources" / "lines.c"


@cache
def run(variant: Variant, level: str) -> Recorded:
    built = build([source()], variant=variant, flags=[level])
    return record([built], deterministic=True)


def copied(recorded: Recorded) -> list[Fault]:
    """Faults of the child's stores to the pages."""
    (fork,) = of_kind(recorded.records, Fork)
    faults = of_kind(recorded.records, Fault)
    filled = [f.page for f in faults if f.place.function == "main" and f.outcome == "zero_filled"]
    return [
        fault
        for page in filled[-7:]
        for fault in faults
        if (fault.pid, fault.page, fault.outcome) == (fork.child, page, "copied")
    ]


@pytest.mark.parametrize("variant, level", KINDS)
def test_each_store_is_on_its_line(variant: Variant, level: str) -> None:
    faults = copied(run(variant, level))
    assert len(faults) == len(PLACES)
    for fault, mark, function in zip(faults, PLACES, FUNCTIONS, strict=True):
        place = with_line(fault.place, fault.backtrace)
        assert (place.function, place.line) == (function, line_of(mark))
        file = "elsewhere.c" if mark == "renamed" else "lines.c"
        assert Path(place.file).name == file
        assert (place is fault.place) == (mark != "library")


@pytest.mark.parametrize("variant, level", KINDS)
def test_who_an_inlined_function_was_called_by(variant: Variant, level: str) -> None:
    place = copied(run(variant, level))[1].place
    callers = [(caller.function, caller.line) for caller in place.inlined]
    assert callers == [("inner", line_of("inner")), ("outer", line_of("outer"))]


@pytest.mark.parametrize("variant, level", KINDS)
def test_the_callers_of_each_store(variant: Variant, level: str) -> None:
    for fault, call in zip(copied(run(variant, level)), CALLS, strict=True):
        names = [place.function for place in fault.backtrace]
        main = fault.backtrace[names.index("main")]
        assert (main.line, Path(main.file).name) == (line_of(call), "lines.c")


# Beside binutils. Its addr2line 2.40 takes the file of a function that is not inlined for that of
# the whole unit, so files are those of the table of lines.


def addr2line_frames(path: Path, addresses: list[int]) -> dict[int, list[tuple[str, int]]]:
    """Function and line of each address, and of the functions into which it was inlined."""
    command = [f"{find().prefix}addr2line", "-a", "-i", "-f", "-e", str(path)]
    words = "\n".join(map(hex, addresses))
    done = subprocess.run(command, input=words, capture_output=True, text=True, check=True)
    found: dict[int, list[tuple[str, int]]] = {}
    lines = iter(done.stdout.splitlines())
    chain: list[tuple[str, int]] = []
    for line in lines:
        if line.startswith("0x"):
            chain = found.setdefault(int(line, 16), [])
        else:
            number = next(lines).split(" ")[0].rpartition(":")[2]
            chain.append((line, int(number) if number.isdigit() else 0))
    return found


def chain(place: SourceLocation) -> list[tuple[str, int]]:
    each: list[SourceLocation | Caller] = [place, *place.inlined]
    return [(re.sub(r"\.(isra|constprop|part|cold).*", "", at.function), at.line) for at in each]


def own_code(path: Path) -> list[int]:
    """Every second address in the functions that are not the C library's."""
    with path.open("rb") as file:
        elf = ELFFile(file)
        units = {
            die.attributes["DW_AT_low_pc"].value
            for unit in elf.get_dwarf_info().iter_CUs()
            for die in unit.iter_DIEs()
            if die.tag == "DW_TAG_subprogram" and "DW_AT_low_pc" in die.attributes
        }
        symbols = elf.get_section_by_name(".symtab").iter_symbols()
        sizes = {symbol["st_value"]: symbol["st_size"] for symbol in symbols if symbol["st_size"]}
        return [at for start in units for at in range(start, start + sizes.get(start, 0), 2)]


def files(path: Path, addresses: list[int]) -> dict[int, set[str]]:
    """Files of each address in the line table."""
    command = [f"{find().prefix}objdump", "--dwarf=decodedline", str(path)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows: dict[int, set[str]] = defaultdict(set)
    for line in text.splitlines():
        words = line.split()
        if len(words) > 2 and words[2].startswith("0x"):
            rows[int(words[2], 16)].add(words[0])
    starts = sorted(rows)
    return {at: rows[starts[bisect_right(starts, at) - 1]] for at in addresses}


@pytest.mark.parametrize("level", ["-O0", "-O2"])
@pytest.mark.parametrize("variant", [Variant.STATIC, Variant.DYNAMIC])
@pytest.mark.parametrize("name", ["demo_cow", "isolation", "threads", "signals"])
def test_every_address_of_a_program_is_as_binutils_says(
    name: str, variant: Variant, level: str
) -> None:
    known = BY_NAME[name]
    path = build([known.source], variant=variant, flags=[*known.flags, level])
    image, addresses = Image(path.read_bytes()), own_code(path)
    expected, in_files = addr2line_frames(path, addresses), files(path, addresses)
    assert len(addresses) > 100
    wrong = [
        (hex(at), image.places[at], expected[at])
        for at in addresses
        if chain(image.places[at]) != expected[at]
        or Path(image.places[at].file).name not in in_files[at]
    ]
    assert wrong == []


@pytest.mark.parametrize("variant", [Variant.STATIC, Variant.DYNAMIC])
@pytest.mark.parametrize("name", ["fork_exec", "mremap", "threads"])
def test_every_place_of_a_fault_is_where_its_pc_is(name: str, variant: Variant) -> None:
    known = BY_NAME[name]
    path = build([known.source], variant=variant, flags=known.flags)
    records = record([path], deterministic=True).records
    start = of_kind(records, Exec)[0].maps[0]
    base = 0 if variant is Variant.STATIC else start.start
    faults = of_kind(records, Fault)
    places = {f.place.pc: f.place for f in faults if f.place.image == start.name}
    expected = addr2line_frames(path, [pc - base for pc in places])
    assert len(places) > (10 if variant is Variant.STATIC else 1)
    with path.open("rb") as file:
        symbols = defaultdict(set)
        for symbol in ELFFile(file).get_section_by_name(".symtab").iter_symbols():
            symbols[symbol["st_value"]].add(symbol.name)
    for pc, place in places.items():
        outermost = place.inlined[-1].function if place.inlined else place.function
        assert not outermost or outermost in symbols[pc - base - place.offset]
        if place.line:
            assert chain(place) == expected[pc - base]


def test_an_address_outside_the_file_is_not_a_place() -> None:
    image = Image(build([source()]).read_bytes())
    for address in (-1, 0, 1, 1 << 40, (1 << 64) - 1, 1 << 64):
        assert image.places[address] == SourceLocation(address) and image.rules[address] is None
