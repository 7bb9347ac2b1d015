"""The programs that ask Linux for its counts: their sources, and how each is built and booted."""

from __future__ import annotations

import re
from pathlib import Path

from toolchain.build import build

FOLDER = Path(__file__).parent / "programs"
PROGRAMS = sorted(path.stem for path in FOLDER.glob("*.c"))
FLAGS = ("-O1", "-Wno-unused-result", "-D_FILE_OFFSET_BITS=64")


def source(program: str) -> Path:
    return FOLDER / f"{program}.c"


def build_for_guest(program: str) -> Path:
    return build([source(program)], flags=FLAGS)


def kernel_options(program: Path) -> tuple[str, ...]:
    """Options of the kernel's command line that a source asks for, in a line of its own:
    `/* kernel: hugepages=16 */`."""
    return _words_after("kernel", program)


def emu_options(program: Path) -> tuple[str, ...]:
    """Options of emu that a source asks for: `/* emu: --expose-frames */`."""
    return _words_after("emu", program)


def _words_after(name: str, program: Path) -> tuple[str, ...]:
    lines = re.findall(rf"^/\* {name}: (.*) \*/$", program.read_text(), re.MULTILINE)
    return tuple(word for line in lines for word in line.split())


def texts(program: Path) -> list[str]:
    """The text of a source, and of each header of ours that it includes."""
    found = [program]
    for path in found:
        names = re.findall(r'^#include "(.*)"', path.read_text(), re.MULTILINE)
        found += [new for name in names if (new := path.with_name(name)) not in found]
    return [path.read_text() for path in found]
