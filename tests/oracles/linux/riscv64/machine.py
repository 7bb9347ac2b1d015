"""Boots Debian's riscv64 kernel on qemu-system-riscv64, with an initramfs of the programs."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.oracles.linux.riscv64.cpio import Archive
from toolchain.build import build

QEMU = "qemu-system-riscv64"
BOARD = (
    *("-M", "virt", "-smp", "1", "-m", "1G", "-bios", "default", "-no-reboot"),
    *("-display", "none", "-monitor", "none", "-serial", "stdio"),
)
OPTIONS = ("console=ttyS0", "loglevel=1", "panic=-1", "transparent_hugepage=madvise")
"""Options that a program may rely on; those of its own are added."""
SECONDS = 600
INIT = Path(__file__).with_name("init.c")


class BootError(Exception):
    """The machine did not run the programs to their end."""


def boot(kernel: Path, programs: Mapping[str, Path], options: Sequence[str] = ()) -> str:
    """All that the console showed; the programs run in the order of their names."""
    with tempfile.TemporaryDirectory() as folder:
        initramfs = Path(folder) / "initramfs"
        initramfs.write_bytes(_initramfs(programs))
        command = [QEMU, *BOARD, "-kernel", str(kernel), "-initrd", str(initramfs)]
        command += ["-append", " ".join((*OPTIONS, *options))]
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                check=False,
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired as error:
            shown = (error.stdout or b"").decode(errors="replace")
            raise BootError(f"no end after {SECONDS} s:\n{_last_lines(shown)}") from error
    console = done.stdout.decode(errors="replace").replace("\r\n", "\n")
    if done.returncode or "\n@done\n" not in console or "\n@failed " in console:
        raise BootError(f"{QEMU} ended with status {done.returncode}:\n{_last_lines(console)}")
    return console


def _initramfs(programs: Mapping[str, Path]) -> bytes:
    archive = Archive()
    archive.add_folder("dev")
    archive.add_character_device("dev/console", 5, 1)
    archive.add_program("init", build([INIT]).read_bytes())
    archive.add_folder("programs")
    for name, program in programs.items():
        archive.add_program(f"programs/{name}", program.read_bytes())
    return archive.to_bytes()


def _last_lines(console: str) -> str:
    return "\n".join(console.splitlines()[-20:])
