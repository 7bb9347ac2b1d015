"""ELF files with random damage, each run as a program: it runs, or is refused with one line."""

from __future__ import annotations

import random
import struct
import tempfile
from functools import cache
from pathlib import Path

from emu import CannotRun, Machine
from emu.machine.pte import PAGE_SIZE as P
from kernel.mm.mappings.vma import USER_END
from tests.kernel.elves import PT_INTERP, PT_STACK, File, Segment
from tests.kernel.syscalls.guests import compiled

REFUSED = (2, 126, 127)
_BOUNDARY_VALUES = (0, 1, 0xFFF, P, USER_END, USER_END - P, 1 << 62, 1 << 63, (1 << 64) - 1)
_SECONDS = 0.1  # for damage that makes a program run for ever


def run(seed: int) -> int | str:
    """Runs one damaged file; returns the program's status, or the message of the refusal.

    Exceptions of emu and broken invariants are passed on.
    """
    pick = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        _put(root / "linker", File().encode())
        _put(root / "prog", _damaged(pick, pick.choice(_originals())))
        machine = Machine(root=name, memory=8 << 20, timeout=_SECONDS, check=True)
        try:
            result = machine.run(["/prog", "argument"])
        except CannotRun as refusal:
            return _checked_refusal(seed, refusal)
    assert result.summary["frames_leaked"] == 0, f"seed {seed}: frames leaked"
    assert 0 <= result.status < 256, f"seed {seed}: status {result.status}"
    assert all(note.isprintable() for note in result.notes), f"seed {seed}: {result.notes}"
    return result.status


def _checked_refusal(seed: int, refusal: CannotRun) -> str:
    line = str(refusal)
    assert refusal.status in REFUSED, f"seed {seed}: status {refusal.status}, {line}"
    assert line.startswith("/prog: ") and line.isprintable(), f"seed {seed}: {line!r}"
    return line


def _put(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o755)


def _damaged(pick: random.Random, original: bytes) -> bytes:
    data = bytearray(original)
    for _ in range(pick.randrange(1, 8)):
        _damage(pick, data)
    return bytes(data)


def _damage(pick: random.Random, data: bytearray) -> None:
    """Makes one change, most often in the headers; a file may also be truncated."""
    spans = (64, 64 + 56 * 10, len(data))
    where = pick.randrange(min(pick.choice(spans), len(data)))
    match pick.randrange(4):
        case 0:
            data[where] = pick.randrange(256)
        case 1:
            at = min(where & ~7, len(data) - 8)
            struct.pack_into("<Q", data, at, pick.choice(_BOUNDARY_VALUES))
        case 2:
            data[where] ^= 1 << pick.randrange(8)
        case _:
            del data[max(where, 1) :]
            data += bytes(8)


@cache
def _originals() -> tuple[bytes, ...]:
    """Handmade, with an interpreter, position-independent, a script, and compiled."""
    interpreter = Segment(PT_INTERP, file_size=8, size=8, offset=0x900)
    dynamic = bytearray(File([Segment(), Segment(PT_STACK), interpreter]).encode())
    dynamic[0x900:0x908] = b"/linker\0"
    writable = Segment(flags=6, address=0x2800, offset=0x1800, file_size=0x10, size=0x5000)
    pie = File([Segment(address=0), writable], header={"type": 3, "entry": 0x800})
    script = b"#!/linker  argument\n" + bytes(800)
    whole = compiled('say("whole\\n"); return 0;').read_bytes()
    return File().encode(), bytes(dynamic), pie.encode(), script, whole
