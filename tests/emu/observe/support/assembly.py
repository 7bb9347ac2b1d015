"""Guests in assembly, without a C library, so that their instructions can be counted by hand."""

from __future__ import annotations

import hashlib
from pathlib import Path

from elftools.elf.elffile import ELFFile

from guest.manifest import FOLDER
from toolchain.build import build, cache_folder

_START = '#include "exact.h"\n    .globl _start\n_start:\n'


def assembled(text: str) -> Path:
    """A program of ``text``, which begins at ``_start`` and may use the macros of exact.h."""
    text = _START + text
    folder = cache_folder() / "test-sources"
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / f"asm_{hashlib.sha256(text.encode()).hexdigest()[:16]}.S"
    if not source.exists():
        draft = source.with_suffix(".draft")
        draft.write_text(text)
        draft.replace(source)
    return build([source], flags=("-nostdlib", f"-I{FOLDER}"))


def bare(name: str) -> Path:
    """Builds an assembly guest of the project."""
    return build([FOLDER / f"{name}.S"], flags=("-nostdlib",))


def label(program: Path, name: str) -> int:
    """The address of a label."""
    with program.open("rb") as file:
        symbols = ELFFile(file).get_section_by_name(".symtab")
        (symbol,) = symbols.get_symbol_by_name(name)
        address: int = symbol["st_value"]
        return address
