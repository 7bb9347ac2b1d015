"""Programs with debug information in separate files, and the same ones with all in one."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from msgspec.structs import replace

from emu.observe.dwarf.debug_files import DebugFiles, Missing, Source
from emu.observe.model.records import SourceLocation
from emu.observe.symbols.elf_image import Image
from kernel.base.elf_headers import reader
from toolchain.find import find

HEADER = """static inline __attribute__((always_inline)) void poke(char *at, int by)
{
    *at += by;
}
static inline __attribute__((always_inline)) int poke_all(char *at, int count)
{
    int sum = 0;
    for (int each = 0; each < count; each++) {
        poke(at + each, each);
        if (at[each] & 1)
            sum += at[each];
    }
    return sum;
}
"""
SOURCE = """#include <sys/wait.h>
#include <unistd.h>
#include "poke.h"
int other(int);
char page[8192] __attribute__((aligned(4096)));
static inline __attribute__((always_inline)) int twice(int by)
{
    int first = poke_all(page + 40, by);
    poke(page + first, by); /* in twice */
    return first + poke_all(page + 90, first);
}
__attribute__((noipa)) int touch(int by)
{
    page[5] = 1; /* here */
    poke(page + 9, by);
    if (by & 1)
        by += twice(by);
    poke(page + 19, by);
    poke(page + 29, by * 5);
    return by * 3;
}
int main(void)
{
    touch(other(4));
    if (!fork()) {
        page[1] = 2; /* copies */
        poke(page + 4096, 3);
        _exit(0);
    }
    wait(0);
}
"""
OTHER = """#include "poke.h"
static char many[64];
__attribute__((noipa)) int other(int n)
{
    return poke_all(many, n) + poke_all(many + 8, n + 1) + n;
}
"""
NAMES = ("touch", "main", "other")
SPLITS = [["-gdwarf-4", "-gsplit-dwarf"], ["-gdwarf-5", "-gsplit-dwarf"]]
every_split = pytest.mark.parametrize("split", SPLITS, ids=["dwarf-4", "dwarf-5"])


def compile_program(folder: Path, *flags: str) -> Path:
    """Compiles the program in ``folder``, with poke.h in a folder of its own."""
    (folder / "include").mkdir(parents=True)
    (folder / "include" / "poke.h").write_text(HEADER)
    compiler: list[str | Path] = [find().gcc, "-O1", "-g", "-Iinclude", *flags]
    for name, text in (("prog", SOURCE), ("other", OTHER)):
        (folder / f"{name}.c").write_text(text)
        subprocess.run([*compiler, "-c", f"{name}.c"], cwd=folder, check=True)
    linked = [*compiler, "-static", "-Wl,--build-id", "prog.o", "other.o", "-o", "prog"]
    subprocess.run(linked, cwd=folder, check=True)
    return folder / "prog"


def functions(program: Path) -> dict[str, tuple[int, bytes]]:
    """Address and code of each function of the test program."""
    with program.open("rb") as file:
        elf = ELFFile(file)
        table = elf.get_section_by_name(".symtab")
        data = program.read_bytes()
        found = {}
        for name in NAMES:
            entry = table.get_symbol_by_name(name)[0].entry
            offset = next(elf.address_offsets(entry.st_value))
            found[name] = entry.st_value, data[offset : offset + entry.st_size]
        return found


class _Opened:
    def __init__(self, data: bytes) -> None:
        self.size, self.read = len(data), reader(data)


@contextmanager
def _open(path: str) -> Iterator[Source | None]:
    yield _Opened(Path(path).read_bytes()) if Path(path).is_file() else None


def image(program: Path) -> tuple[Image, list[Missing]]:
    """The image with the debug information that is found, and messages for missing files."""
    missing: list[Missing] = []
    files = DebugFiles(_open, lambda path: path)
    files.report_missing = lambda _, found: missing.extend(found)
    data = program.read_bytes()
    return Image(data, files.look(data, str(program))), missing


def places(program: Path, like: Path | None = None) -> dict[tuple[str, int], SourceLocation]:
    """Source locations of each instruction of the test program, with paths below its folder.

    Function addresses are read from another file if the program has none.
    """
    found, (code, _) = {}, image(program)
    for name, (start, bytes_) in functions(like or program).items():
        for offset in range(0, len(bytes_), 2):
            found[name, offset] = _below(code.places[start + offset], program.parent)
    return found


def _below(place: SourceLocation, folder: Path) -> SourceLocation:
    inlined = tuple(replace(it, file=_file(it.file, folder)) for it in place.inlined)
    return replace(place, pc=0, file=_file(place.file, folder), inlined=inlined)


def _file(path: str, folder: Path) -> str:
    assert Path(path).is_relative_to(folder), path
    return str(Path(path).relative_to(folder))


def packaged(program: Path, version: int) -> Path:
    """The program's .dwo files in one package, PROG.dwp, as dwp(1) makes it."""
    with program.open("rb") as file:
        units = [
            (unit.header.get("dwo_id") or top.attributes["DW_AT_GNU_dwo_id"].value, dwo)
            for unit in ELFFile(file).get_dwarf_info(follow_links=False).iter_CUs()
            for top in [unit.get_top_DIE()]
            for key in ("DW_AT_dwo_name", "DW_AT_GNU_dwo_name")
            if key in top.attributes
            for dwo in [program.parent / top.attributes[key].value.decode()]
        ]
    columns = {1: "info", 3: "abbrev", 6: "str_offsets"} | ({8: "rnglists"} if version > 4 else {})
    parts, strings = dict.fromkeys(columns.values(), b""), b""
    offsets, sizes = [], []
    for _, dwo in units:
        with dwo.open("rb") as file:
            elf = ELFFile(file)
            data = {
                name: section.data() if section else b""
                for name in (*columns.values(), "str")
                for section in [elf.get_section_by_name(f".debug_{name}.dwo")]
            }
        header = 8 if version > 4 else 0  # offsets are counted from the package's strings
        rest = struct.iter_unpack("<I", data["str_offsets"][header:])
        moved = b"".join(struct.pack("<I", at + len(strings)) for (at,) in rest)
        data["str_offsets"] = data["str_offsets"][:header] + moved
        offsets += [len(parts[name]) for name in columns.values()]
        sizes += [len(data[name]) for name in columns.values()]
        parts = {name: part + data[name] for name, part in parts.items()}
        strings += data["str"]
    slots = 8
    ids, rows = [0] * slots, [0] * slots
    for row, (number, _) in enumerate(units, 1):
        slot = number % slots
        while rows[slot]:
            slot = (slot + ((number >> 32) % slots | 1)) % slots
        ids[slot], rows[slot] = number, row
    index = struct.pack(
        f"<4I{slots}Q", version if version > 4 else 2, len(columns), len(units), slots, *ids
    )
    index += struct.pack(
        f"<{slots + len(columns) + 2 * len(sizes)}I", *rows, *columns, *offsets, *sizes
    )
    package = program.with_name(program.name + ".dwp")
    sections = {f".debug_{name}.dwo": part for name, part in (*parts.items(), ("str", strings))}
    write_elf(package, {**sections, ".debug_cu_index": index})
    return package


def write_elf(path: Path, sections: dict[str, bytes]) -> None:
    prefix, empty = find().prefix, path.with_suffix(".o")
    subprocess.run([f"{prefix}as", "-o", empty, "-"], input=b"", check=True)
    words = []
    for name, data in sections.items():
        part = path.with_name(path.name + name)
        part.write_bytes(data)
        words += ["--add-section", f"{name}={part}"]
    subprocess.run([f"{prefix}objcopy", *words, empty, path], check=True)
