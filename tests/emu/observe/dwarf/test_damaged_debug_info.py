"""Does the recorder handle any contents of a guest's files and names without failing?"""

from __future__ import annotations

import io
import os
import random
import shutil
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from emu.observe.formats.jsonl import JsonLines, read_trace
from emu.observe.model.records import Exec, Fault, SourceLocation
from emu.observe.model.source_location import with_line
from emu.observe.symbols.elf_image import Image
from tests.emu.commands import emu, program
from tests.emu.observe.support.ledger import of_kind
from tests.emu.observe.support.recorded import record
from toolchain.build import build
from toolchain.variant import Variant

SOURCE = r"""
#include <sys/wait.h>
#include <unistd.h>
static volatile char page[4096] __attribute__((aligned(4096)));
static inline __attribute__((always_inline)) void put(int at) { page[at] = at; }
__attribute__((noipa)) void store(int at) { put(at + 1); }
int main(void)
{
    store(1);
    if (!fork()) {
        store(2);
        _exit(0);
    }
    wait(0);
    return 0;
}
"""
MUTATIONS = 300
SECTIONS = (".symtab", ".strtab", ".shstrtab", ".dynsym", ".eh_frame", ".eh_frame_hdr")


def pieces(path: Path) -> list[tuple[int, int]]:
    """(offset, size) of the sections that describe code, and of the headers."""
    with path.open("rb") as file:
        elf = ELFFile(file)
        found = [
            (section["sh_offset"], section["sh_size"])
            for section in elf.iter_sections()
            if section["sh_size"] and section["sh_type"] != "SHT_NOBITS"
            if section.name.startswith(".debug") or section.name in SECTIONS
        ]
        return [*found, (0, 64), (64, 8 * 56), (elf["e_shoff"], 64 * elf["e_shnum"])]


def damaged(data: bytes, where: tuple[int, int], chance: random.Random) -> bytes:
    start, size = where
    copy = bytearray(data)
    at = start + chance.randrange(size)
    match chance.randrange(4):
        case 0:
            for _ in range(chance.choice((1, 4, 64))):
                copy[start + chance.randrange(size)] = chance.randrange(256)
        case 1:
            length = min(chance.choice((1, 4, 8, 256)), start + size - at)
            copy[at : at + length] = chance.choice((b"\0", b"\xff")) * length
        case 2:
            other = start + chance.randrange(size)
            copy[at : at + 16], copy[other : other + 16] = (
                copy[other : other + 16],
                copy[at : at + 16],
            )
        case _:
            del copy[at:]
    return bytes(copy)


@pytest.mark.parametrize("variant", [Variant.STATIC, Variant.DYNAMIC])
def test_a_damaged_file_reports_less_and_raises_nothing(variant: Variant) -> None:
    path = program("damaged", SOURCE, variant)
    data, parts = path.read_bytes(), pieces(path)
    whole = Image(data)
    addresses = [at for at in range(0, 1 << 17, 34) if whole.places[at].function]
    addresses += [0, 1 << 40, (1 << 64) - 1]
    assert len(addresses) > 3
    for seed in range(MUTATIONS // (5 if variant is Variant.STATIC else 1)):
        chance = random.Random(seed)
        image = Image(damaged(data, chance.choice(parts), chance))
        for address in chance.choices(addresses, k=20):
            place = image.places[address]
            assert isinstance(place, SourceLocation) and place.pc == address
            assert place.function.isprintable() or place.function
            image.rules[address]
            image.address(address)


@pytest.mark.parametrize("section", [".debug_info", ".debug_line", ".debug_abbrev", ".symtab"])
def test_a_program_whose_debug_information_is_noise_runs_and_is_traced(
    section: str, tmp_path: Path
) -> None:
    path = program("damaged", SOURCE)
    data = bytearray(path.read_bytes())
    with path.open("rb") as file:
        found = ELFFile(file).get_section_by_name(section)
        assert found is not None
        start, size = found["sh_offset"], found["sh_size"]
    data[start : start + size] = random.Random(section).randbytes(size)
    noisy = tmp_path / "noisy"
    noisy.write_bytes(data)
    noisy.chmod(0o755)
    run = record([noisy], deterministic=True)
    assert run.status == 0
    assert [fault for fault in of_kind(run.records, Fault) if fault.outcome == "copied"]


@pytest.mark.parametrize(
    "content", [b"", b"\x7fELF", b"\x7fELF\x02\x01\x01" + bytes(57), b"#!/x\n"]
)
def test_what_is_not_an_elf_file_has_no_places(content: bytes) -> None:
    image = Image(content)
    assert image.places[64] == SourceLocation(64) and image.rules[64] is None
    assert image.address(0) is None


def test_names_that_are_not_text(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/f\xff\xe9\x80"))
    folder.mkdir()
    source = folder / os.fsdecode(b"s\xfe.c")
    source.write_text(SOURCE)
    path = folder / os.fsdecode(b"p\xff")
    shutil.copy(build([source]), path)
    run = record([path], deterministic=True)
    assert run.status == 0
    (fault,) = [
        f for f in of_kind(run.records, Fault) if "store" in str(f.place) and f.count_before
    ]
    assert with_line(fault.place, []).line == 5 and fault.place.image.endswith("p?")
    file = io.BytesIO()
    sink = JsonLines(file)
    for each in run.records:
        sink(each)
    sink._flush()
    assert list(read_trace(io.BytesIO(file.getvalue()))) == run.records
    outputs = [
        tmp_path / f"t{suffix}" for suffix in (".jsonl", ".folded", ".perfetto-trace", ".txt")
    ]
    words = [word for output in outputs for word in ("-o", str(output))]
    assert emu("trace", *words, path).status == 0
    assert all(output.read_bytes().decode("utf-8", "replace") for output in outputs)


REPLACED = r"""
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    for (int each = 1; each < argc; each++) {
        int from = open(argv[each], O_RDONLY);
        int to = open("/tmp/it", O_WRONLY | O_CREAT | O_TRUNC, 0755);
        while (sendfile(to, from, 0, 1 << 20) > 0)
            ;
        close(to);
        if (!fork()) {
            execl("/tmp/it", "it", NULL);
            _exit(1);
        }
        wait(0);
    }
    return 0;
}
"""


def test_a_program_that_is_replaced_by_another_has_the_others_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = SOURCE.replace("store", "another").replace(
        "#include <unistd.h>", "\n\n#include <unistd.h>"
    )
    shutil.copy(program("damaged", SOURCE), tmp_path / "first")
    shutil.copy(program("damaged_2", second), tmp_path / "second")
    replacing = program("replacing", REPLACED)
    monkeypatch.chdir(tmp_path)
    run = record([replacing, "first", "second"], deterministic=True)
    assert run.status == 0 and len(of_kind(run.records, Exec)) == 3
    stores = [f.place for f in of_kind(run.records, Fault) if f.place.function == "put"]
    callers = [place.inlined[0].function for place in stores]
    assert list(dict.fromkeys(callers)) == ["store", "another"]
    assert list(dict.fromkeys(place.line for place in stores)) == [5, 7]
