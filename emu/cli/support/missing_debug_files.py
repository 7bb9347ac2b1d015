"""Says which file with debug information is missing, so that lines or names are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel.process.observer import Observer

if TYPE_CHECKING:
    from emu.cli.support.message_stream import Lines
    from emu.observe.dwarf.debug_files import Missing
    from kernel.process.process import Process


class MissingDebugFiles(Observer):
    """Reports each executed program once, in one line; libraries are not reported.

    Files that distributions package separately are reported for the first program only: otherwise
    a shell would print a line for each of its commands.
    """

    def __init__(self, lines: Lines) -> None:
        self._note = lines.note
        self._run: dict[str, bool] = {}
        """The programs, and whether one was the first."""
        self._missing: dict[str, list[Missing]] = {}

    def started(self, process: Process) -> None:
        self._runs(process.program.path, first=True)

    def execed(self, process: Process) -> None:
        self._runs(process.program.path, first=False)

    def tell(self, program: str, missing: list[Missing]) -> None:
        """Whether before or after the program is said to run."""
        if program not in self._missing:
            self._missing[program] = missing
            if program in self._run:
                self._say(program)

    def _runs(self, program: str, *, first: bool) -> None:
        if program not in self._run:
            self._run[program] = first
            if program in self._missing:
                self._say(program)

    def _say(self, program: str) -> None:
        missing = [it for it in self._missing[program] if self._run[program] or not it.linked]
        if missing:
            first, more = missing[0], len(missing) - 1
            names = f"{first.name} and {more} more" if more else first.name
            self._note(
                f"{program}: debug file {names} {first.problem} (no {first.tells} without it)"
            )
