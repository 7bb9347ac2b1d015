"""Traces with random damage, read by every command that reads traces: accepted or rejected."""

from __future__ import annotations

import io
import json
import os
import random
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any

from emu.cli.main import main
from tests.emu.observe.support.traced import traced

HOSTILE = "\x1b]0;owned\x07\x9b31m\u202egpj\u2066<script>alert(1)</script>\x7f\0\n"
READERS = (
    ("cow", "--json"),
    ("cow", "--max-cow-kb", "1"),
    ("why", "--json", "--at", "0x7b000"),
    ("why", "--all", "--at", "0x7b000"),
    ("report", "-o", os.devnull),
)
SLOW = ("why", "--at", "pages+0x1000")  # reads a file that the trace names
STATUSES = (0, 2, 3)
_NUMBERS = (0, -1, 1, 7, 4096, 1 << 31, 1 << 38, 1 << 53, 1 << 63, (1 << 64) - 1, 1 << 64, 1e308)
_WORST: tuple[Any, ...] = (
    *_NUMBERS,
    *(10**400, 0.5, None, True, "", HOSTILE, "é", "/etc/passwd", "../" * 40, "x" * 70_000),
    *(
        [],
        {},
        [HOSTILE],
        {HOSTILE: HOSTILE},
        [[[[[[]]]]]],
        {"start": 1, "end": 0, "rights": "rw-p"},
    ),
)


def run(seed: int) -> list[tuple[int, str]]:
    """Status and messages of each reader for one damaged trace.

    Exceptions of emu are passed on.
    """
    pick = random.Random(seed)
    data = _damaged(pick, pick.choice(_originals()))
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder, "t.jsonl")
        trace.write_bytes(data)
        readers = READERS if seed % 8 else (*READERS, SLOW)
        return [read(trace, words, f"seed {seed}") for words in readers]


def read(trace: Path, words: tuple[str, ...], what: str) -> tuple[int, str]:
    """Output of a reader, which must be safe for a terminal."""
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main([words[0], str(trace), *words[1:]])
    out.flush()
    printed = out.buffer.getvalue().decode()
    command = f"{what}: emu {' '.join(words)}"
    assert status in STATUSES, f"{command}: status {status}, {err.getvalue()}"
    for line in (printed + err.getvalue()).splitlines():
        assert line.isprintable(), f"{command}: {line!r}"
    messages = [line for line in err.getvalue().splitlines() if line.startswith("emu: ")]
    if status == 2:
        assert len(messages) == 1 and len(messages[0]) < 2000, f"{command}: {err.getvalue()}"
    return status, "\n".join(messages)


@cache
def _originals() -> tuple[bytes, ...]:
    return traced("--deterministic").jsonl, traced("--deterministic", "--heap").jsonl


def _damaged(pick: random.Random, original: bytes) -> bytes:
    lines = original.splitlines(keepends=True)
    for _ in range(pick.randrange(1, 4)):
        _damage(pick, lines)
    data = b"".join(lines)
    match pick.randrange(12):
        case 0:
            return b"\xef\xbb\xbf" + data
        case 1:
            return data.replace(b"\n", b"\r\n")
        case 2:
            return data.replace(b":", b" : ").replace(b",", b" ,\t")
        case 3:
            return data[: pick.randrange(len(data))]
    return data


def _damage(pick: random.Random, lines: list[bytes]) -> None:
    """Makes one change, usually to a value of a record."""
    at = pick.randrange(len(lines)) if pick.random() < 0.8 else 0
    match pick.randrange(10):
        case 0:
            lines.insert(pick.randrange(len(lines) + 1), lines[at])
        case 1:
            del lines[at]
            lines.append(b"")
        case 2:
            lines.insert(pick.randrange(len(lines)), lines.pop(at))
        case 3:
            line = bytearray(lines[at] or b"\n")
            for _ in range(pick.choice((1, 1, 3))):
                line[pick.randrange(len(line))] = pick.choice(b'\0\x1b\x7f\xff"\\{}[],:0\n')
            lines[at] = bytes(line)
        case 4:
            deep = pick.choice((50, 900, 2_000, 20_000))
            lines[at] = lines[at].replace(b"{", b'{"new":%s,' % (b"[" * deep + b"]" * deep), 1)
        case _:
            lines[at] = _with_another_value(pick, lines[at])


def _with_another_value(pick: random.Random, line: bytes) -> bytes:
    try:
        record = json.loads(line)
    except ValueError:
        return line
    inside, value = None, record
    while isinstance(value, dict | list) and value and (inside is None or pick.random() < 0.8):
        key: Any = (
            pick.choice(list(value)) if isinstance(value, dict) else pick.randrange(len(value))
        )
        inside, value = (value, key), value[key]
    if inside is not None:
        container, key = inside
        if isinstance(container, dict) and pick.random() < 0.1:
            del container[key]
        else:
            container[key] = pick.choice(_WORST)
    return json.dumps(record, ensure_ascii=pick.random() < 0.5).encode("utf-8", "replace") + b"\n"
