"""Finds a GCC cross compiler for 64-bit RISC-V Linux."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from toolchain.errors import ToolchainNotFoundError
from toolchain.interpreters import INTERPRETERS

KNOWN_PREFIXES = (
    "riscv64-linux-gnu-",  # Debian, Ubuntu, Fedora, Arch
    "riscv64-unknown-linux-gnu-",  # riscv-gnu-toolchain, crosstool-NG, Homebrew taps
    "riscv64-linux-musl-",  # musl-cross-make
    "riscv64-unknown-linux-musl-",
)

HOW_TO_INSTALL = (
    "no RISC-V cross compiler for Linux found; install "
    "gcc-riscv64-linux-gnu and libc6-dev-riscv64-cross (Debian, Ubuntu), "
    "riscv64-linux-gnu-gcc (Arch), "
    "gcc-riscv64-linux-gnu with a sysroot (Fedora) or "
    "a riscv64-unknown-linux-gnu toolchain (macOS), "
    "or set RISCV_PREFIX=/path/to/riscv64-…-linux-…-"
)


@dataclass(frozen=True)
class Toolchain:
    """One cross compiler.

    `sysroot` is the directory in which a dynamically linked program finds its
    interpreter, lib/ld-linux-riscv64-lp64d.so.1; None when the compiler has no
    shared C library.
    """

    prefix: str
    gcc: Path
    version: str
    sysroot: Path | None


@lru_cache(maxsize=1)
def find() -> Toolchain:
    """The compiler to use: of $RISCV_PREFIX, else $CC if suitable, else the first in PATH.

    Raises ToolchainNotFoundError, also when $RISCV_PREFIX is not the prefix of one.
    """
    given = os.environ.get("RISCV_PREFIX")
    if given:
        found = _examine(f"{given}gcc")
        if found is None:
            raise ToolchainNotFoundError(
                f"RISCV_PREFIX={given}: {given}gcc is not a compiler for RISC-V Linux"
            )
        return found
    for command in _candidates():
        found = _examine(command)
        if found is not None:
            return found
    raise ToolchainNotFoundError(HOW_TO_INSTALL)


def _candidates() -> Iterator[str]:
    """Commands that may be such a compiler, the most likely first."""
    # $CC is usually the native compiler, which _examine rejects.
    own = os.environ.get("CC")
    if own and " " not in own:
        yield own
    for prefix in KNOWN_PREFIXES:
        yield f"{prefix}gcc"
    for folder in os.get_exec_path():
        yield from sorted(map(str, Path(folder).glob("riscv64*-linux*-gcc")))


def _examine(command: str) -> Toolchain | None:
    """The toolchain of a command, or None when it is not a compiler for RISC-V Linux."""
    path = shutil.which(command)
    if path is None:
        return None
    gcc = Path(path)
    target = gcc_output(gcc, "-dumpmachine")
    if not (target.startswith("riscv64") and "linux" in target):
        return None
    version = gcc_output(gcc, "--version").partition("\n")[0]
    return Toolchain(path.removesuffix("gcc"), gcc, version, _sysroot(gcc))


def _sysroot(gcc: Path) -> Path | None:
    """The directory that has lib/ with the dynamic linker, or None."""
    for name in INTERPRETERS:
        # GCC prints the bare name when it has no such file.
        answer = Path(gcc_output(gcc, f"-print-file-name={name}"))
        if answer.is_absolute() and answer.exists():
            # The file may be a symbolic link; the directory that has it is the sysroot's lib/.
            return answer.parent.resolve().parent
    root = gcc_output(gcc, "-print-sysroot")
    if root and any((Path(root) / "lib" / name).exists() for name in INTERPRETERS):
        return Path(root).resolve()
    return None


def gcc_output(gcc: Path, option: str) -> str:
    """The output of the compiler for an option; "" when it fails."""
    try:
        done = subprocess.run([gcc, option], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
