"""The same C source as a RISC-V program and as one of this machine."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from toolchain.build import build, cache_folder

PROJECT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(__file__).parent / "programs"
HELLO = PROJECT / "guest" / "hello.c"
FLAGS = ("-fno-math-errno",)  # so that sqrt is an instruction


def source(name: str) -> Path:
    return HELLO if name == HELLO.stem else PROGRAMS / f"{name}.c"


@cache
def for_guest(name: str) -> Path:
    """A static RISC-V program, for emu and for qemu-riscv64."""
    return build([source(name)], flags=FLAGS)


@cache
def for_host(name: str) -> Path:
    """The same for this machine, stored in the same cache."""
    path = source(name)
    headers = [*PROGRAMS.glob("*.h"), *HELLO.parent.glob("*.h")]
    digest = hashlib.sha256(b"\0".join(text.read_bytes() for text in [path, *sorted(headers)]))
    program = cache_folder() / "native" / digest.hexdigest()[:24] / name
    if not program.exists():
        program.parent.mkdir(parents=True, exist_ok=True)
        draft = program.with_name(f"{name}.{os.getpid()}")
        command = [str(host_compiler()), "-static", "-O2", "-Wall", *FLAGS]
        subprocess.run([*command, "-o", str(draft), str(path)], check=True)
        draft.replace(program)
    return program


def host_compiler() -> str | None:
    return shutil.which("gcc")
