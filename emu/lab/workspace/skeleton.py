"""What a student starts from: the reference solution without what is to be found.

In the reference a region between ``# BEGIN SOLUTION`` and ``# END SOLUTION`` is the solution's. In
a function it becomes ``raise NotImplementedError``, beside functions it is left out. A region that
begins with ``# BEGIN SOLUTION: text`` becomes that text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_BEGIN, _END = "# BEGIN SOLUTION", "# END SOLUTION"


class BadRegion(Exception):
    """The reference's regions are not pairs; ``line`` is where."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(f"line {line}: {why}")
        self.line = line


def skeleton(reference: str) -> str:
    """The reference without its marked regions. Raises :class:`BadRegion`."""
    text = "\n".join(_kept(reference.splitlines())) + "\n"
    return re.sub(r"\n{4,}", "\n\n\n", text)


def solution(reference: str) -> str:
    """The reference as a solution: all of it, but for the marks."""
    lines = reference.splitlines()
    kept = [line for line in lines if not line.strip().startswith((_BEGIN, _END))]
    return "\n".join(kept) + "\n"


def _kept(lines: list[str]) -> Iterator[str]:
    begun = 0
    function = ""
    for number, line in enumerate(lines, 1):
        found = re.match(r"\s*def (\w+)", line)
        if found and not begun:
            function = found[1]
        mark = line.strip()
        if mark.startswith(_BEGIN):
            if begun:
                raise BadRegion(number, f"a region begins inside that of line {begun}")
            begun = number
            yield from _in_place(line, function)
        elif mark == _END:
            if not begun:
                raise BadRegion(number, "a region ends that did not begin")
            begun = 0
        elif not begun:
            yield line
    if begun:
        raise BadRegion(begun, "the region does not end")


def _in_place(mark: str, function: str) -> Iterator[str]:
    indent = mark[: len(mark) - len(mark.lstrip())]
    _, _, text = mark.strip().partition(":")
    if text:
        yield f"{indent}{text.strip()}"
    elif indent:
        yield f'{indent}raise NotImplementedError("{function}()")'
