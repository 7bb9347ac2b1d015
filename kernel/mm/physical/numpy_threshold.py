"""Sizes of ranges up to which plain Python is not slower than NumPy with its import."""

from __future__ import annotations

from emu.machine.pte import PTES_PER_TABLE
from kernel.base.lazy_numpy import numpy_is_there

FEW_PAGES = 64
_FEW_TABLES = 6


def without_numpy(tables: int) -> bool:
    """Returns whether this number of tables is handled in plain Python."""
    return tables <= _FEW_TABLES and not numpy_is_there()


def is_few(pages: int) -> bool:
    """Returns whether this number of scattered pages is handled one by one."""
    return pages <= FEW_PAGES or without_numpy(pages // PTES_PER_TABLE + 1)
