"""Finds a GCC that makes 64-bit RISC-V programs for Linux."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from toolchain.errors import ToolchainNotFoundError

KNOWN_PREFIXES = (
    "riscv64-linux-gnu-",  # Debian, Ubuntu, Fedora, Arch
    "riscv64-unknown-linux-gnu-",  # riscv-gnu-toolchain, crosstool-NG, Homebrew taps
    "riscv64-linux-musl-",  # musl-cross-make
    "riscv64-unknown-linux-musl-",
)

# The dynamic linkers a program may name, under lib/ of the sysroot.
INTERPRETERS = ("ld-linux-riscv64-lp64d.so.1", "ld-musl-riscv64.so.1")

HOW_TO_INSTALL = (
    "no RISC-V cross compiler for Linux found; install "
    "gcc-riscv64-linux-gnu and libc6-dev-riscv64-cross (Debian, Ubuntu), "
    "riscv64-linux-gnu-gcc (Arch), "
    "gcc-riscv64-linux-gnu with a sysroot (Fedora) or "
    "a riscv64-unknown-linux-gnu toolchain (macOS), "
    "or name one: RISCV_PREFIX=/path/to/riscv64-…-linux-…-"
)


@dataclass(frozen=True)
class Toolchain:
    """One cross compiler.

    `sysroot` is the folder under which a dynamically linked program finds its
    interpreter, as lib/ld-linux-riscv64-lp64d.so.1; None when the compiler
    has no shared C library.
    """

    prefix: str
    gcc: Path
    version: str
    sysroot: Path | None


@lru_cache(maxsize=1)
def find() -> Toolchain:
    """The compiler to use: $RISCV_PREFIX, then $CC if it fits, then the first on PATH.

    Raises ToolchainNotFoundError, also when $RISCV_PREFIX names no such compiler.
    """
    wanted = os.environ.get("RISCV_PREFIX")
    if wanted:
        found = _examine(f"{wanted}gcc")
        if found is None:
            raise ToolchainNotFoundError(
                f"RISCV_PREFIX={wanted}: {wanted}gcc is no compiler for RISC-V Linux"
            )
        return found
    for command in _candidates():
        found = _examine(command)
        if found is not None:
            return found
    raise ToolchainNotFoundError(HOW_TO_INSTALL)


def _candidates() -> Iterator[str]:
    """Commands that may be such a compiler, the likeliest first."""
    # $CC is most often the compiler of this machine, which _examine turns down.
    own = os.environ.get("CC")
    if own and " " not in own:
        yield own
    for prefix in KNOWN_PREFIXES:
        yield f"{prefix}gcc"
    for folder in os.get_exec_path():
        yield from sorted(map(str, Path(folder).glob("riscv64*-linux*-gcc")))


def _examine(command: str) -> Toolchain | None:
    """The compiler behind a command, or None when it is none for RISC-V Linux."""
    path = shutil.which(command)
    if path is None:
        return None
    gcc = Path(path)
    target = ask(gcc, "-dumpmachine")
    if not (target.startswith("riscv64") and "linux" in target):
        return None
    version = ask(gcc, "--version").partition("\n")[0]
    return Toolchain(path.removesuffix("gcc"), gcc, version, _sysroot(gcc))


def _sysroot(gcc: Path) -> Path | None:
    """The folder that holds lib/ with the dynamic linker, or None."""
    for name in INTERPRETERS:
        # GCC answers with the bare name when it has no such file.
        answer = Path(ask(gcc, f"-print-file-name={name}"))
        if answer.is_absolute() and answer.exists():
            # The linker itself may be a link into elsewhere; its folder is what counts.
            return answer.parent.resolve().parent
    root = ask(gcc, "-print-sysroot")
    if root and any((Path(root) / "lib" / name).exists() for name in INTERPRETERS):
        return Path(root).resolve()
    return None


def ask(gcc: Path, option: str) -> str:
    """What the compiler prints for an option; "" when it fails."""
    try:
        done = subprocess.run([gcc, option], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


# Where distributions put the sysroot of riscv64-linux-gnu-gcc; asking the compiler takes 30 ms.
_USUAL_SYSROOTS = (Path("/usr/riscv64-linux-gnu"), Path("/usr/riscv64-linux-gnu/sys-root"))


def sysroot() -> Path | None:
    """The folder whose lib/ holds the dynamic linker of the cross compiler; None without one."""
    if not os.environ.get("RISCV_PREFIX"):
        for root in _USUAL_SYSROOTS:
            if (root / "lib" / INTERPRETERS[0]).exists():
                return root
    try:
        return find().sysroot
    except ToolchainNotFoundError:
        return None
