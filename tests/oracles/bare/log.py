"""Records and reads the log of fuzz.c. ``python -m tests.oracles.bare.log`` makes it.

It is made by qemu-system-riscv64; the tests need only the log.
"""

from __future__ import annotations

import lzma
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.oracles.bare.cases import ACCESSES, DIGEST_EVERY
from tests.oracles.bare.replay import Outcome
from toolchain.build import build

FOLDER = Path(__file__).parent
LOG = FOLDER / "log.xz"
SEED, CASES = 9, 4096
"""A seed with every difference, on which qemu does not abort: 7.2 aborts ("phys_page != -1") when
an instruction runs on from RAM into a page outside it, in one of some 10,000 cases."""
QEMU = "qemu-system-riscv64"
BOARD = ("-M", "virt", "-m", "16M", "-bios", "none", "-display", "none", "-monitor", "none")
FLAGS = (
    *("-nostdlib", "-nostartfiles", "-ffreestanding", "-mcmodel=medany", "-Wno-main"),
    *("-Wl,-z,norelro", "-Wl,--no-warn-rwx-segments", "-T", str(FOLDER / "link.ld")),
)


@dataclass(frozen=True)
class Entry:
    """One case of the log."""

    digest: int
    outcomes: tuple[Outcome, ...]
    arena: int | None
    """Digest of the arena after the case."""


def record(seed: int, cases: int) -> str:
    """Runs fuzz.c on qemu's board."""
    with tempfile.TemporaryDirectory() as folder:
        flags = (*FLAGS, f"-DSEED={seed}", f"-DCASES={cases}")
        sources = [FOLDER / "start.S", FOLDER / "fuzz.c"]
        program = build(sources, Path(folder) / "fuzz", flags=flags)
        command = [QEMU, *BOARD, "-serial", "stdio", "-kernel", str(program)]
        run = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return f"seed {seed} cases {cases}\n{run.stdout}"


def load(path: Path = LOG) -> str:
    return lzma.decompress(path.read_bytes()).decode()


def header(text: str) -> tuple[int, int]:
    """A log's seed and number of cases."""
    words = text[: text.index("\n")].split()
    return int(words[1]), int(words[3])


def entries(text: str) -> Iterator[Entry]:
    """The cases of a log, without its first line."""
    lines = iter(text.splitlines()[1:])
    for number, line in enumerate(lines):
        begin, digest = line.split()
        assert begin == "="
        outcomes = tuple(outcome(next(lines)) for _ in range(ACCESSES))
        arena = None
        if (number + 1) % DIGEST_EVERY == 0:
            begin, value = next(lines).split()
            assert begin == "#"
            arena = int(value, 16)
        yield Entry(int(digest, 16), outcomes, arena)


def outcome(line: str) -> Outcome:
    """The outcome in a line of the log."""
    cause, *words = line.split()
    assert not any(word.startswith("@") for word in words), "mepc wasn't the access's"
    result = int(words.pop(0), 16) if words and not words[0].startswith("*") else 0
    changes = []
    for word in words:
        place, bits = word[1:].split("^")
        table, index = place.split(".")
        changes.append((int(table, 16), int(index, 16), int(bits, 16)))
    return Outcome(int(cause, 16), result, tuple(changes))


def main() -> int:
    if shutil.which(QEMU) is None:
        print(f"needs {QEMU}: apt-get install qemu-system-misc", file=sys.stderr)
        return 1
    text = record(SEED, CASES)
    packed = lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME)
    LOG.write_bytes(packed)
    print(f"{CASES} cases, {CASES * ACCESSES} accesses: {len(packed) >> 10} KiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
