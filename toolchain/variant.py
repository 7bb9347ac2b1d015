"""Kinds of linking a program."""

from __future__ import annotations

from enum import StrEnum


class Variant(StrEnum):
    """Kind of linking, as `emu build --link` names it."""

    STATIC = "static"  # ET_EXEC: fixed addresses, no interpreter
    STATIC_PIE = "static-pie"  # ET_DYN without an interpreter
    DYNAMIC = "dynamic"  # ET_DYN with an interpreter and shared libraries
