"""The page: one HTML file that contains its style, script and data.

Data from the guest is compressed and in base64: no name of a file or function is part of the
markup, and the script displays it as text. The sources in ``page`` are in folders: the ``model`` of
the run, charts over ``time``, the ``map`` of an address space, the details of ``faults``, the
``style``. In the page they are one script and one style, in the order of the lists below.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

SCRIPTS = (
    "dom",
    *("model/format", "model/meanings", "model/data", "model/memory", "model/replay"),
    *("model/history", "model/app"),
    *("time/zoom", "time/processes", "time/marks", "time/timeline", "time/timelineinput"),
    "time/scrubber",
    *("map/layout", "map/cells", "map/spacemap"),
    *("faults/walk", "faults/code", "faults/fault", "faults/faultlist", "faults/costs"),
    "main",
)
"""Files of the script; each may use those before it while it is loaded."""
STYLES = ("style/colours", "style/frame", "style/parts")


def page(data: dict[str, Any]) -> Iterator[bytes]:
    """Yields the file in pieces."""
    packed = base64.b64encode(zlib.compress(msgspec.json.encode(data), 6))
    before, style, between, script, middle, after = _template()
    yield from (before, style, between, packed, middle, script, after)


@cache
def _template() -> tuple[bytes, ...]:
    text = _part("page.html")
    before, rest = text.split("/*STYLE*/")
    between, rest = rest.split("DATA")
    middle, after = rest.split("/*SCRIPT*/")
    style = "".join(_part(f"{name}.css") for name in STYLES)
    script = "".join(_part(f"{name}.js") for name in SCRIPTS)
    return tuple(part.encode() for part in (before, style, between, script, middle, after))


def _part(name: str) -> str:
    return (files("emu.observe.report") / "page" / name).read_text("utf-8")
