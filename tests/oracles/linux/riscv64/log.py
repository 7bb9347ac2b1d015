"""Records and reads the output of the programs on Debian's riscv64 kernel.

`python -m tests.oracles.linux.riscv64.log` recreates the log, with qemu-system-riscv64; the tests
need only the log.
"""

from __future__ import annotations

import hashlib
import lzma
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.oracles.linux.differences import System
from tests.oracles.linux.riscv64.machine import INIT, OPTIONS, QEMU, BootError, boot
from tests.oracles.linux.sources import (
    FLAGS,
    PROGRAMS,
    build_for_guest,
    kernel_options,
    source,
    texts,
)
from toolchain.errors import ToolchainError
from toolchain.kernel import fetch_kernel

LOG = Path(__file__).with_name("log.xz")
KERNEL = Path(".root/kernel/vmlinux")


@dataclass(frozen=True)
class Entry:
    """Output of a program, and the digest of what the program was made of."""

    digest: str
    lines: list[str]


@dataclass(frozen=True)
class Log:
    kernel: str
    """Release and version, as uname(2) gives them."""
    qemu: str
    entries: dict[str, Entry]

    @property
    def system(self) -> System:
        return System(self.kernel.split()[0], "riscv64")

    def to_text(self) -> str:
        rows = [self.kernel, self.qemu]
        for program, entry in self.entries.items():
            rows += [f"{program} {entry.digest} {len(entry.lines)}", *entry.lines]
        return "".join(f"{row}\n" for row in rows)


def parse(text: str) -> Log:
    """The reverse of to_text()."""
    rows = iter(text.splitlines())
    kernel, qemu = next(rows), next(rows)
    entries = {}
    for row in rows:
        program, digest_of_program, count = row.split()
        entries[program] = Entry(digest_of_program, [next(rows) for _ in range(int(count))])
    return Log(kernel, qemu, entries)


def load(path: Path = LOG) -> Log:
    return parse(lzma.decompress(path.read_bytes()).decode())


def digest(program: Path) -> str:
    """Of all that decides what the program prints, but for the compiler and the kernel."""
    parts = (*texts(program), INIT.read_text(), *FLAGS, *OPTIONS, *kernel_options(program))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def outdated(entries: dict[str, Entry]) -> list[str]:
    """Programs that are not the ones that the log is of."""
    now = {name: digest(source(name)) for name in PROGRAMS}
    recorded = {name: entry.digest for name, entry in entries.items()}
    return sorted({name for name, _ in now.items() ^ recorded.items()})


def outputs(console: str, programs: Iterable[str]) -> dict[str, list[str]]:
    """Output of each program, from what the console showed.

    Raises BootError when one failed.
    """
    found: dict[str, list[str]] = {}
    pattern = r"\n@begin (\S+)\n(.*?)\n@end \1 (\S+)\n"
    for name, text, status in re.findall(pattern, console, re.DOTALL):
        if status != "0":
            raise BootError(f"{name}: ended with status {status}:\n{text}")
        found[name] = text.splitlines()
    absent = set(programs) - set(found)
    if absent:
        raise BootError(f"{', '.join(sorted(absent))}: did not run")
    return found


def record(kernel: Path, programs: Iterable[str]) -> Log:
    """Runs the programs; those that ask for the same options of the kernel run in one boot."""
    groups: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for name in programs:
        groups[kernel_options(source(name))].append(name)
    lines: dict[str, list[str]] = {}
    release = ""
    for options, names in groups.items():
        console = boot(kernel, {name: build_for_guest(name) for name in names}, options)
        lines |= outputs(console, names)
        release = console.partition("\n@linux ")[2].partition("\n")[0]
    entries = {name: Entry(digest(source(name)), lines[name]) for name in sorted(lines)}
    return Log(release, _qemu_version(), entries)


def _qemu_version() -> str:
    done = subprocess.run([QEMU, "--version"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0]


def main() -> int:
    try:
        fetch_kernel(KERNEL)
        log = record(KERNEL, PROGRAMS)
    except (ToolchainError, BootError) as error:
        print(f"linux-log: {error}", file=sys.stderr)
        return 1
    LOG.write_bytes(lzma.compress(log.to_text().encode(), preset=9 | lzma.PRESET_EXTREME))
    lines = sum(len(entry.lines) for entry in log.entries.values())
    print(f"{log.kernel}: {len(log.entries)} programs, {lines:,} lines")
    return 0


if __name__ == "__main__":
    sys.exit(main())
