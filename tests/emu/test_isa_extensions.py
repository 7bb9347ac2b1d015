"""Is a program that was built for extensions the machine lacks reported before it runs?"""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest

from emu.isa_extensions import missing_extensions
from tests.emu.commands import emu
from toolchain.build import build
from toolchain.variant import Variant

SOURCE = '#include <stdio.h>\nint main(void) { puts("ran"); }\n'
LACKING = "built for extensions that the machine lacks: "


def built(folder: Path, *flags: str, variant: Variant = Variant.STATIC) -> Path:
    source = folder / "prog.c"
    source.write_text(SOURCE)
    return build([source], variant=variant, flags=list(flags))


def source(folder: Path, text: str, *, variant: Variant = Variant.STATIC) -> Path:
    path = folder / "source.c"
    path.write_text(text)
    return build([path], variant=variant)


@pytest.mark.parametrize(
    ("march", "names"),
    [("rv64gc_zba_zbb", "zba, zbb"), ("rv64gc_zfh_zicbom", "zfh, zfhmin, zicbom")],
)
@pytest.mark.parametrize("variant", [Variant.STATIC, Variant.DYNAMIC])
def test_are_they_named_in_one_line(
    tmp_path: Path, march: str, names: str, variant: Variant
) -> None:
    program = built(tmp_path, f"-march={march}", variant=variant)
    outcome = emu("run", program)
    assert (outcome.status, outcome.stdout) == (0, "ran\n")
    assert outcome.stderr == f"emu: {program}: {LACKING}{names}\n"


def test_is_the_vector_extension_named_with_what_it_implies(tmp_path: Path) -> None:
    message = emu("run", built(tmp_path, "-march=rv64gcv")).messages[0]
    assert {"v", "zve64d", "zvl128b"} <= set(message.partition(LACKING)[2].split(", "))


@pytest.mark.parametrize("variant", [Variant.STATIC, Variant.DYNAMIC])
def test_are_supported_extensions_not_reported(tmp_path: Path, variant: Variant) -> None:
    usual = built(tmp_path, variant=variant)
    assert emu("run", usual).stderr == ""
    hints = built(tmp_path, "-march=rv64gc_zihintpause_zmmul", variant=variant)
    assert emu("run", hints).stderr == ""


def uleb(value: int) -> bytes:
    return bytes([value & 0x7F | 0x80, value >> 7]) if value > 0x7F else bytes([value])


def attributes(arch: str, *, vendor: bytes = b"riscv") -> bytes:
    """Contents of .riscv.attributes with a number and another text before the architecture."""
    tags = uleb(4) + uleb(16) + uleb(129) + b"other\0" + uleb(5) + arch.encode() + b"\0"
    inner = b"\x01" + (5 + len(tags)).to_bytes(4, "little") + tags
    body = vendor + b"\0" + inner
    return (4 + len(body)).to_bytes(4, "little") + body


def elf(data: bytes, *, section: bool = False) -> bytes:
    """An ELF file with those attributes as a segment, or only as a section."""
    table = struct.pack("<IIQQQQQQ", 0x7000_0003, 4, 256, 0, 0, len(data), 0, 1)
    if section:
        table = struct.pack("<IIQQQQIIQQ", 0, 0x7000_0003, 0, 0, 256, len(data), 0, 0, 1, 0)
    sizes = (64, 0, 0, 64, 1, 0) if section else (64, 56, 1, 0, 0, 0)
    head = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, 243, 1, 0, 64, 64, 0, *sizes)
    return (head + table).ljust(256, b"\0") + data


def missing(content: bytes) -> set[str]:
    return missing_extensions(lambda offset, count: content[offset : offset + count])


@pytest.mark.parametrize(
    ("arch", "names"),
    [
        ("rv64i2p1_m2p0_a2p1_f2p2_d2p2_c2p0_zicsr2p0_zifencei2p0_zmmul1p0_zca1p0_zcd1p0", ""),
        ("rv64imafdc", ""),
        ("rv64imafdcv_zba", "v zba"),
        ("rv64i2p1_m2p0_v1p0_zcb1p0_zcmp1p0_zicond1p0", "v zcb zcmp zicond"),
        ("rv64imafdc_zvl128b1p0_zve64d1p0_zic64b1p0", "zvl128b zve64d"),
        ("rv64imafdc_ssaia1p0_svinval1p0_smepmp_h1p0", ""),
        ("rv64imafdc_xtheadba1p0_xventanacondops", "xtheadba xventanacondops"),
        ("rv64imafdcb1p0_q2", "b q"),
        ("RV64GC_Zbb", "zbb"),
        ("", ""),
        ("rv128i_zba", ""),
        ("rv64gc_\x1b[2J", ""),
    ],
)
def test_which_names_are_missing(arch: str, names: str) -> None:
    others = attributes("rv64gcv", vendor=b"gnu")
    for section in (False, True):
        content = elf(b"A" + others + attributes(arch), section=section)
        assert missing(content) == set(names.split())


def test_does_a_damaged_file_yield_nothing() -> None:
    """At worst it yields wrong names; never an exception or an endless loop."""
    pick, hits = random.Random(0), 0
    whole = [elf(b"A" + attributes("rv64gcv_zba1p0"), section=each) for each in (False, True)]
    for _ in range(3000):
        data = bytearray(pick.choice(whole))
        for _ in range(pick.randrange(1, 5)):
            where = pick.randrange(len(data))
            match pick.randrange(3):
                case 0:
                    data[where] = pick.choice((0, 1, 0x7F, 0x80, 0xFF, pick.randrange(256)))
                case 1:
                    data[where : where + 8] = pick.choice((b"\xff" * 8, bytes(8)))
                case _:
                    del data[where:]
                    data = data or bytearray(b"\x7f")
        names = missing(bytes(data))
        assert all(name.isalnum() and name.isascii() for name in names)
        hits += names == {"v", "zba"}
    assert 0 < hits < 3000


EXECS = """
#include <unistd.h>
int main(int c, char **v) { execv(v[1], v + 1); return 1; }
"""
CALLS = """
#include <dlfcn.h>
int main(int c, char **v) {
    void *library = dlopen(v[1], RTLD_NOW);
    return library ? ((int (*)(void)) dlsym(library, "seven"))() : 1;
}
"""


def test_are_the_extensions_of_a_program_that_is_executed_later_reported(tmp_path: Path) -> None:
    lacking = built(tmp_path, "-march=rv64gc_zbb")
    for program in (lacking, built(tmp_path)):
        outcome = emu("run", "--ro", program.parent, source(tmp_path, EXECS), program)
        assert (outcome.status, outcome.stdout) == (0, "ran\n")
        assert outcome.messages == ([f"emu: {lacking}: {LACKING}zbb"] if program == lacking else [])


def test_are_the_extensions_of_a_library_reported(tmp_path: Path) -> None:
    code = tmp_path / "library.c"
    code.write_text("int seven(void) { return 7; }\n")
    flags = ["-shared", "-fPIC", "-nostdlib", "-march=rv64gc_zba"]
    library = build([code], tmp_path / "library.so", variant=Variant.DYNAMIC, flags=flags)
    program = source(tmp_path, CALLS, variant=Variant.DYNAMIC)
    outcome = emu("run", "--ro", tmp_path, program, library)
    assert outcome.status == 7
    assert outcome.messages == [f"emu: {library}: {LACKING}zba"]


def test_is_a_file_that_is_mapped_many_times_reported_once(tmp_path: Path) -> None:
    lacking = built(tmp_path, "-march=rv64gc_zbb")
    copies = """
    #include <stdio.h>
    #include <sys/stat.h>
    #include <sys/mman.h>
    #include <fcntl.h>
    #include <unistd.h>
    int main(int c, char **v) {
        for (int n = 0; n < 100; n++) {
            int file = open(v[1], O_RDONLY);
            if (mmap(0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0) == MAP_FAILED) return 1;
            close(file);
        }
    }
    """
    outcome = emu("run", "--ro", lacking.parent, source(tmp_path, copies), lacking)
    assert (outcome.status, len(outcome.messages)) == (0, 1)
