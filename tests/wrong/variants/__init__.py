"""The catalogue of wrong kernels."""

from __future__ import annotations

from tests.wrong.variant import Variant
from tests.wrong.variants import (
    around,
    exact,
    faults,
    files,
    forking,
    frames,
    hart,
    huge,
    huge_parts,
    loops,
    mappings,
    processes,
    tables,
    vector,
    walk,
)

VARIANTS: list[Variant] = [
    *walk.VARIANTS,
    *hart.VARIANTS,
    *frames.VARIANTS,
    *forking.VARIANTS,
    *loops.VARIANTS,
    *tables.VARIANTS,
    *around.VARIANTS,
    *huge.VARIANTS,
    *huge_parts.VARIANTS,
    *exact.VARIANTS,
    *faults.VARIANTS,
    *mappings.VARIANTS,
    *files.VARIANTS,
    *processes.VARIANTS,
    *vector.VARIANTS,
]
