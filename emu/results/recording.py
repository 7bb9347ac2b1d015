"""The records of a run that its result needs, collected as they occur."""

from __future__ import annotations

from functools import cached_property

from emu.observe.analysis.cow_collector import CowCollector
from emu.observe.analysis.cow_profile import CowProfile
from emu.observe.model.records import AnyRecord, Fault

MOST_FAULTS = 100_000
"""Maximum number of page faults that a result has, so that no guest takes the host's memory."""


class Recording:
    """A sink of records, which are kept in memory."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.dropped = 0
        """Number of page faults beyond the maximum; the profile has them too."""
        self._collector = CowCollector()

    def __call__(self, record: AnyRecord) -> None:
        if isinstance(record, Fault):
            if len(self.faults) < MOST_FAULTS:
                self.faults.append(record)
            else:
                self.dropped += 1
        self._collector(record)

    @cached_property
    def profile(self) -> CowProfile:
        """The profile of copy-on-write, to be read after the run."""
        return self._collector.result()
