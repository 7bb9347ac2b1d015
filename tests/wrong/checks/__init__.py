"""All checks of wrong kernels, the cheapest first."""

from __future__ import annotations

from tests.wrong.checks import (
    access,
    around,
    edges,
    exact,
    files,
    guests,
    hart,
    huge,
    huge_parts,
    mappings,
    middles,
    sharing,
    tables,
    vector,
    walk,
)
from tests.wrong.checks.check import Check

CHECKS: list[Check] = [
    *walk.CHECKS,
    *hart.CHECKS,
    *sharing.CHECKS,
    *tables.CHECKS,
    *middles.CHECKS,
    *around.CHECKS,
    *huge.CHECKS,
    *huge_parts.CHECKS,
    *exact.CHECKS,
    *edges.CHECKS,
    *access.CHECKS,
    *mappings.CHECKS,
    *files.CHECKS,
    *vector.CHECKS,
    *guests.CHECKS,
]
