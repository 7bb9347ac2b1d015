"""Makes unbounded recursion raise RecursionError in every version of Python."""

from __future__ import annotations

import sys

_TOOL = "emu"


def bound_recursion() -> None:
    """Monitors CALL in Python 3.13, so that no call is specialised. The specialised
    CALL_PY_GENERAL, of functions with defaults, ``*args`` or ``**kwargs``, is not counted as
    recursion and uses memory until none is left.
    """
    if sys.version_info[:2] != (3, 13):
        return
    monitoring = sys.monitoring
    monitoring.use_tool_id(monitoring.OPTIMIZER_ID, _TOOL)
    monitoring.set_events(monitoring.OPTIMIZER_ID, monitoring.events.CALL)
