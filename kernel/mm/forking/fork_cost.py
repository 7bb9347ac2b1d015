"""Cost of a fork."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class ForkCost:
    """Cost of one fork: pages shared, frames copied, and frames that ``eager`` would copy.

    ``tables_shared`` and ``middles_shared`` are the numbers of leaf tables and of middle tables
    shared instead of copied. ``ptes_written`` counts the parent's PTEs that lost W, the child's
    PTEs, and its pointers to shared tables: one for a shared middle table, with all of its leaf
    tables, and one for each other leaf table.
    """

    pages_shared: int = 0
    tables_shared: int = 0
    middles_shared: int = 0
    frames_copied: int = 0
    eager_copies: int = 0
    ptes_written: int = 0
