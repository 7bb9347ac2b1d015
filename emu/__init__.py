"""Runs RISC-V Linux programs on a machine whose memory management can be watched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emu.api import Machine, Result
    from emu.cannot_run import CannotRun
    from emu.options import Options

__all__ = ["CannotRun", "Machine", "Options", "Result"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from emu import api

        return getattr(api, name)
    raise AttributeError(f"module 'emu' has no attribute {name!r}")
