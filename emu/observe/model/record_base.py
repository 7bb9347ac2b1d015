"""The fields of all records of a trace."""

from __future__ import annotations

import msgspec

from emu.observe.model.bounds import Count, Nanoseconds


class Record(msgspec.Struct, omit_defaults=True, tag_field="event"):
    """A record."""

    seq: Count
    """Number of the record in its run, from 0; records that a filter drops are counted."""
    time: Nanoseconds
    """Time of the event; of its end if it has a duration."""
