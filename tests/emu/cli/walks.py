"""Runs ``emu walk``; it must succeed."""

from __future__ import annotations

import re
from pathlib import Path

from tests.emu.commands import emu


def walk(*words: str | Path) -> str:
    """The drawing as one line of text, with single spaces."""
    outcome = emu("walk", *words)
    assert (outcome.status, outcome.messages) == (0, []), outcome.stderr
    assert all(len(line) <= 80 for line in outcome.stdout.splitlines())
    return re.sub(r"[\s│├└─►]+", " ", outcome.stdout)
