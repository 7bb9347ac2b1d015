"""Packets of a Perfetto trace: tracks, and the slices, instants and counters on them.

Messages and field numbers are those of Perfetto's ``protos/perfetto/trace``:
``trace_packet.proto``, ``interned_data/interned_data.proto`` and, below ``track_event``,
``track_event.proto``, ``track_descriptor.proto`` and ``debug_annotation.proto``. See
https://perfetto.dev/docs/reference/synthetic-track-event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import IntEnum
from typing import TypeAlias

from emu.observe.formats.protobuf import double, fixed64, message, number, text


class Name(str):
    """An interned text: written once and then referred to by number.

    The writer keeps all of them, so values of unlimited number, such as addresses, must not be
    interned.
    """

    __slots__ = ()


Value: TypeAlias = "bool | int | float | str | Sequence[Value] | Mapping[str, Value] | None"
Arguments: TypeAlias = Mapping[str, Value]


class Kind(IntEnum):
    """TrackEvent.Type."""

    BEGIN = 1
    END = 2
    INSTANT = 3
    COUNTER = 4


class _Names(IntEnum):
    """Fields of InternedData, by use."""

    CATEGORY = 1
    EVENT = 2
    ARGUMENT = 3
    VALUE = 29


_PACKET = 1  # of Trace
_PROCESS_TREE, _TIMESTAMP, _SEQUENCE, _TRACK_EVENT = 2, 8, 10, 11  # of TracePacket
_INTERNED_DATA, _SEQUENCE_FLAGS, _TRACK_DESCRIPTOR = 12, 13, 60
_CLEARED, _NEEDS_INTERNED = 1, 2  # sequence_flags


class Packets:
    """Writes packets, all of one sequence. Times are nanoseconds."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._interned: dict[_Names, dict[str, int]] = {use: {} for use in _Names}
        self._new: list[bytes] = []
        self._flags = _CLEARED | _NEEDS_INTERNED
        self._tracks = 0

    def event(
        self,
        kind: Kind,
        time: int,
        track: int,
        name: str = "",
        category: str = "",
        arguments: Arguments | None = None,
        *,
        flows: Iterable[int] = (),
        ended_flows: Iterable[int] = (),
    ) -> None:
        """Writes an event on a track. An arrow connects events with the same flow number."""
        fields = [number(9, kind), number(11, track)]
        if name:
            fields.append(number(10, self._intern(_Names.EVENT, name)))
        if category:
            fields.append(number(3, self._intern(_Names.CATEGORY, category)))
        fields += [fixed64(47, flow) for flow in flows]
        fields += [fixed64(48, flow) for flow in ended_flows]
        for key, value in (arguments or {}).items():
            key_number = number(1, self._intern(_Names.ARGUMENT, key))
            fields.append(message(4, key_number, self._value(value)))
        self._packet(time, message(_TRACK_EVENT, *fields))

    def count(self, time: int, track: int, value: float) -> None:
        """Writes a counter's new value."""
        shown = number(30, value) if isinstance(value, int) else double(44, value)
        fields = number(9, Kind.COUNTER), number(11, track), shown
        self._packet(time, message(_TRACK_EVENT, *fields))

    def process_track(self, pid: int) -> int:
        return self._track("", 0, message(3, number(1, pid)))

    def thread_track(self, parent: int, pid: int, tid: int, name: str, track: int = 0) -> int:
        """Creates a track for a thread; or renames ``track``."""
        descriptor = message(4, number(1, pid), number(2, tid), text(5, name))
        return self._track("", parent, descriptor, track=track)

    def counter_track(self, parent: int, name: str, unit: str) -> int:
        descriptor = message(8, text(6, unit))
        return self._track(name, parent, descriptor)

    def plain_track(self, parent: int, name: str) -> int:
        return self._track(name, parent)

    def process(self, time: int, pid: int, parent: int, name: str) -> None:
        """Writes a process's parent and its new name, which tracks cannot express."""
        fields = number(1, pid), number(2, parent), text(3, name)
        self._packet(time, message(_PROCESS_TREE, message(1, *fields)))

    def _track(self, name: str, parent: int, descriptor: bytes = b"", track: int = 0) -> int:
        if not track:
            self._tracks += 1
            track = self._tracks
        fields = [number(1, track), descriptor]
        if name:
            fields.append(text(2, name))
        if parent:
            fields.append(number(5, parent))
        self._packet(None, message(_TRACK_DESCRIPTOR, *fields))
        return track

    def _value(self, value: Value) -> bytes:
        """The field of a DebugAnnotation for ``value``."""
        match value:
            case bool():
                return number(2, value)
            case int():
                return number(4, value)
            case float():
                return double(5, value)
            case Name():
                return number(17, self._intern(_Names.VALUE, value))
            case str():
                return text(6, value)
            case Mapping():
                parts = [message(11, text(10, key), self._value(v)) for key, v in value.items()]
                return b"".join(parts)
            case None:
                return text(6, "none")
        return b"".join(message(12, self._value(part)) for part in value)

    def _intern(self, use: _Names, string: str) -> int:
        known = self._interned[use]
        found = known.get(string)
        if found is None:
            found = known[string] = len(known) + 1
            self._new.append(message(use, number(1, found), text(2, string)))
        return found

    def _packet(self, time: int | None, data: bytes) -> None:
        fields = [number(_SEQUENCE, 1), number(_SEQUENCE_FLAGS, self._flags)]
        if time is not None:
            fields.append(number(_TIMESTAMP, time))
        if self._new:
            fields.append(message(_INTERNED_DATA, *self._new))
            self._new.clear()
        self._flags = _NEEDS_INTERNED
        self._write(message(_PACKET, *fields, data))
