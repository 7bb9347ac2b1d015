"""Are functions found, and so their callers, in a file without symbols?"""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from emu.observe.cfi.function_starts import Starts
from emu.observe.model.records import Fault
from guest.manifest import BY_NAME
from tests.emu.observe.support.ledger import of_kind
from tests.emu.observe.support.recorded import record
from toolchain.build import build
from toolchain.find import find
from toolchain.sysroot import sysroot

BASE = 0x10000


@pytest.mark.parametrize(
    "name, wrong", [("demo_cow", 0), ("pipes", 0), ("fp", 0), ("threads", 0.2)]
)
def test_the_callers_are_those_of_the_symbols(name: str, wrong: float, tmp_path: Path) -> None:
    whole, stripped = build([BY_NAME[name].source], flags=BY_NAME[name].flags), tmp_path / name
    subprocess.run([f"{find().prefix}strip", "-o", stripped, whole], check=True)
    runs = [record([path], deterministic=True).records for path in (whole, stripped)]
    found: Counter[str] = Counter()
    for known, other in zip(*(of_kind(run, Fault) for run in runs), strict=True):
        right, calls = ([place.pc for place in each.backtrace] for each in (known, other))
        assert not other.place.function
        found["same" if calls == right else "cut" if calls == right[: len(calls)] else "wrong"] += 1
    assert found["same"] > 0.7 * found.total()
    assert found["wrong"] <= wrong * found.total()


def test_of_the_c_library_most_functions_are_found() -> None:
    root = sysroot()
    assert root is not None
    with Path(root, "lib/libc.so.6").open("rb") as file:
        elf = ELFFile(file)
        text = elf.get_section_by_name(".text")
        assert text is not None
        starts = Starts(text.data(), text["sh_addr"])
        symbols = elf.get_section_by_name(".dynsym").iter_symbols()
        known = {
            symbol["st_value"]
            for symbol in symbols
            if symbol["st_info"]["type"] == "STT_FUNC"
            and text["sh_addr"] <= symbol["st_value"] < text["sh_addr"] + text["sh_size"]
        }
    assert len(known) > 2000
    found = sum(starts.before(address) == address for address in known)
    assert found > 0.5 * len(known)  # the others are called only by programs, and set up no frame


def words(*codes: int) -> bytes:
    return b"".join(code.to_bytes(4 if code & 3 == 3 else 2, "little") for code in codes)


RET, NOP, JAL_8, PUSH, ADD = 0x8082, 0x0001, 0x0080_00EF, 0x1141, 0x9532


@pytest.mark.parametrize(
    "code, expected",
    [
        (words(JAL_8, ADD, RET, ADD, RET, NOP), BASE + 8),  # called, after a return
        (words(JAL_8, ADD, ADD, ADD, RET, NOP), None),  # also reached by fall-through
        (words(ADD, ADD, RET, PUSH, ADD, ADD), BASE + 6),  # sets up a frame after a return
        (words(ADD, ADD, ADD, PUSH, ADD, ADD), None),  # sets up a frame in its middle
        (words(0xFF5F_F06F, 0xFF01_0113, ADD), BASE + 4),  # the same, uncompressed
        (words(0x0000_0013, 0xFF01_0113, ADD), BASE + 4),  # after a nop for alignment
        (words(0x0010_0073, 0xFF01_0113, ADD), BASE + 4),  # after an ebreak
        (words(0x0000_80E7, PUSH, ADD, ADD), BASE + 4),  # after a far call: may not return
        (words(ADD, 0x9502, PUSH, ADD), None),  # after a call of a function pointer, which returns
        (b"", None),
        (words(RET), None),
    ],
)
def test_what_is_a_start(code: bytes, expected: int | None) -> None:
    starts = Starts(code, BASE)
    assert starts.before(BASE + len(code)) == expected
    assert starts.before(BASE) is None
    if expected is not None:
        assert starts.before(expected) == expected and starts.before(expected - 1) is None
