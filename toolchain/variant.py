"""The ways in which a program is linked."""

from __future__ import annotations

from enum import StrEnum


class Variant(StrEnum):
    """How a program is linked."""

    STATIC = "static"  # ET_EXEC: fixed addresses, no interpreter
    STATIC_PIE = "static-pie"  # ET_DYN without an interpreter
    DYNAMIC = "dynamic"  # ET_DYN with an interpreter and shared libraries
