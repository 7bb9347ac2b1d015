"""Skeletons: the file that a student completes, made from the reference solution.

A region between ``# BEGIN SOLUTION`` and ``# END SOLUTION`` is removed. In a function ``raise
NotImplementedError`` replaces it. A region that begins with ``# BEGIN SOLUTION: text`` is replaced
by that text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_BEGIN, _END = "# BEGIN SOLUTION", "# END SOLUTION"


class BadRegion(Exception):
    """The marks of the reference's regions do not match in pairs; ``line`` is the first error."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line}: {problem}")
        self.line = line


def skeleton(reference: str) -> str:
    """Removes the marked regions of the reference. Raises :class:`BadRegion`."""
    text = "\n".join(_without_solutions(reference.splitlines())) + "\n"
    return re.sub(r"\n{4,}", "\n\n\n", text)


def solution(reference: str) -> str:
    """Removes the marks of the regions from the reference."""
    lines = reference.splitlines()
    remaining = [line for line in lines if not line.strip().startswith((_BEGIN, _END))]
    return "\n".join(remaining) + "\n"


def _without_solutions(lines: list[str]) -> Iterator[str]:
    begin_line = 0
    function = ""
    for number, line in enumerate(lines, 1):
        found = re.match(r"\s*def (\w+)", line)
        if found and not begin_line:
            function = found[1]
        mark = line.strip()
        if mark.startswith(_BEGIN):
            if begin_line:
                raise BadRegion(number, f"region begins inside the region of line {begin_line}")
            begin_line = number
            yield from _replacement(line, function)
        elif mark == _END:
            if not begin_line:
                raise BadRegion(number, "end of a region without a begin")
            begin_line = 0
        elif not begin_line:
            yield line
    if begin_line:
        raise BadRegion(begin_line, "region without an end")


def _replacement(mark: str, function: str) -> Iterator[str]:
    indent = mark[: len(mark) - len(mark.lstrip())]
    _, _, text = mark.strip().partition(":")
    if text:
        yield f"{indent}{text.strip()}"
    elif indent:
        yield f'{indent}raise NotImplementedError("{function}()")'
