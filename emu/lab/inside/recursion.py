"""Calls without end raise RecursionError, in each Python."""

from __future__ import annotations

import sys

_TOOL = "emu"


def bound_recursion() -> None:
    """Python 3.13 does not count the calls that its specialised CALL_PY_GENERAL makes, of functions
    with defaults, ``*args`` or ``**kwargs``, and takes memory until there is none. While CALL is
    watched, by whom does not matter, no call is specialised.
    """
    if sys.version_info[:2] != (3, 13):
        return
    monitoring = sys.monitoring
    monitoring.use_tool_id(monitoring.OPTIMIZER_ID, _TOOL)
    monitoring.set_events(monitoring.OPTIMIZER_ID, monitoring.events.CALL)
