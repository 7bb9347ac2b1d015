"""The result of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emu.observe.analysis.cow_profile import ForkShare
    from emu.observe.model.records import Fault
    from emu.results.cow import Cow
    from emu.results.recording import Recording
    from emu.results.table import Table


class NotRecorded(LookupError):
    """The run recorded no page faults."""


@dataclass(frozen=True)
class Result:
    """Outcome of a run; ``status`` is a shell's, 128 + signal when a signal killed the program.

    ``faults``, ``forks`` and ``cow`` raise :class:`NotRecorded` after a run with ``record=False``.
    """

    status: int
    stdout: bytes
    stderr: bytes
    summary: dict[str, Any]
    """The kernel's counters: :func:`emu.observe.formats.summary.summarize`."""
    notes: list[str]
    """Messages of the run: the reason for its end, refused writes and so on, one line each."""
    command: tuple[str, ...] = ()
    """The program and its arguments."""
    recording: Recording | None = field(default=None, repr=False, compare=False)
    """None if page faults were not recorded."""

    @property
    def faults(self) -> Table[Fault]:
        """The page faults in the order in which they occurred, at most 100,000."""
        from emu.results.tables import fault_table

        return fault_table(self._recording.faults)

    @property
    def forks(self) -> Table[ForkShare]:
        """The forks that shared memory, each with the pages that it shared and their copies."""
        from emu.results.tables import fork_table

        return fork_table(self._recording.profile.forks)

    @property
    def cow(self) -> Cow:
        """The cost of copy-on-write: totals, and the lines that caused it."""
        from emu.results.cow import Cow

        return Cow(self._recording.profile)

    @property
    def _recording(self) -> Recording:
        if self.recording is None:
            raise NotRecorded("the run recorded no page faults (expected run(..., record=True))")
        return self.recording

    def _repr_html_(self) -> str:
        from emu.results.summary_html import summary_html

        profile = self.recording.profile if self.recording is not None else None
        output = self.stdout, self.stderr
        return summary_html(self.command, self.status, output, self.notes, self.summary, profile)
