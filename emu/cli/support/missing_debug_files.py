"""Reports files with debug information that are missing, and what is unknown without them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel.process.observer import Observer

if TYPE_CHECKING:
    from emu.cli.support.message_stream import MessageStream
    from emu.observe.dwarf.debug_files import Missing
    from kernel.process.process import Process


class MissingDebugFiles(Observer):
    """Reports each executed program once, in one line; libraries are not reported.

    Files that distributions package separately are reported for the first program only: otherwise
    a shell would print a line for each of its commands.
    """

    def __init__(self, messages: MessageStream) -> None:
        self._note = messages.note
        self._executed: dict[str, bool] = {}
        """Paths of executed programs; True for the first program."""
        self._missing: dict[str, list[Missing]] = {}

    def started(self, process: Process) -> None:
        self._add_program(process.program.path, first=True)

    def execed(self, process: Process) -> None:
        self._add_program(process.program.path, first=False)

    def add(self, program: str, missing: list[Missing]) -> None:
        """Adds the missing files of a program, before or after its execution is observed."""
        if program not in self._missing:
            self._missing[program] = missing
            if program in self._executed:
                self._report(program)

    def _add_program(self, program: str, *, first: bool) -> None:
        if program not in self._executed:
            self._executed[program] = first
            if program in self._missing:
                self._report(program)

    def _report(self, program: str) -> None:
        first_program = self._executed[program]
        missing = [each for each in self._missing[program] if first_program or not each.linked]
        if missing:
            first, more = missing[0], len(missing) - 1
            names = f"{first.name} and {more} more" if more else first.name
            self._note(
                f"{program}: debug file {names} {first.problem} (no {first.information} without it)"
            )
