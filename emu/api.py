"""The Python interface: runs programs on fresh machines.

>>> from emu import Machine
>>> result = Machine(memory="64M").run(["./a.out", "argument"], stdin=b"hello")  # doctest: +SKIP
>>> result.status, result.stdout, result.cow.bytes_copied                        # doctest: +SKIP
>>> [fault.place.line for fault in result.faults.where(outcome="copied")]        # doctest: +SKIP
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Unpack

from emu.options import Options, OptionValues, plain
from emu.results.result import Result
from emu.session import Session
from kernel.components import Components
from kernel.process.observer import Observer

if TYPE_CHECKING:
    from emu.breakpoints.observer import Action, Place
    from emu.observe.record.recorder import Recorder
    from emu.results.recording import Recording

_BACKTRACE = 8
"""Number of callers of a page fault, as in ``emu cow``."""


class Machine:
    """Runs programs, each on a fresh machine with the same options.

    The keywords are the options of :class:`emu.Options`, with sizes such as ``"64M"`` and paths of
    any kind; ``options`` may have them too. ``components`` replace a part of the kernel: a fork
    policy, a pager that handles page faults.
    """

    def __init__(
        self,
        options: Options | None = None,
        components: Components | None = None,
        **values: Unpack[OptionValues],
    ) -> None:
        changes = plain(values)
        self.options = replace(options, **changes) if options is not None else Options(**changes)
        self.components = components

    def run(
        self,
        command: Sequence[str | os.PathLike[str]],
        *,
        stdin: bytes | str = b"",
        observers: Sequence[Observer] = (),
        breakpoints: Mapping[Place, Action] | None = None,
        record: bool = True,
        heap: bool = False,
    ) -> Result:
        """Runs ``command``, the program and its arguments, and captures its output.

        ``stdin`` is its input. ``observers`` receive the kernel's events. ``breakpoints`` maps
        places, such as ``"main"``, to functions that get an :class:`emu.Breakpoint`. ``record``
        collects page faults and forks for the result; without it a run takes less time. ``heap``
        also records which calls allocated the copied heap blocks. Raises CannotRun if the program
        cannot be started, and what an observer or a breakpoint's function raises.
        """
        if isinstance(command, str | bytes | os.PathLike) or not command:
            raise TypeError("command: not a sequence (expected the program and its arguments)")
        arguments = [os.fspath(argument) for argument in command]
        session = Session(self.options, arguments, parts=self.components)
        session.console.feed(stdin.encode() if isinstance(stdin, str) else stdin)
        session.console.capture(1)
        session.console.capture(2)
        return _Run(session, breakpoints or {}, record or heap, heap).result(observers)

    def __repr__(self) -> str:
        changed = [
            f"{each.name}={value!r}"
            for each in fields(Options)
            if (value := getattr(self.options, each.name)) != getattr(_DEFAULTS, each.name)
        ]
        return f"Machine({', '.join(changed)})"


class _Run:
    """One run with the instruments that were asked for."""

    def __init__(
        self, session: Session, breakpoints: Mapping[Place, Action], record: bool, heap: bool
    ) -> None:
        self._session = session
        self._breakpoints = breakpoints
        self._heap = heap
        self._recording: Recording | None = None
        self._recorder = self._make_recorder() if record else None

    def result(self, observers: Sequence[Observer]) -> Result:
        """Runs the program."""
        session, recorder = self._session, self._recorder
        at = None
        every = [*([recorder] if recorder is not None else []), *observers]
        if self._breakpoints:
            from emu.breakpoints.observer import AtBreakpoints

            at = AtBreakpoints(self._breakpoints, session.kernel)
            every.append(at)
        status = session.run(every)
        if at is not None:
            at.check_found()
        if recorder is not None:
            recorder.finish(session.summary)
        self._note_dropped()
        return replace(session.result(status), recording=self._recording)

    def _make_recorder(self) -> Recorder:
        from emu.observe.model.sink import RecordingOptions
        from emu.observe.record.record_builder import RecordBuilder
        from emu.observe.record.recorder import Recorder
        from emu.results.recording import Recording

        session = self._session
        self._recording = Recording()
        options = RecordingOptions(backtraces=_BACKTRACE, heap=self._heap)
        builder = RecordBuilder(self._recording, options.backtraces)
        recorder = Recorder(session.kernel, session.command, builder, options)
        recorder.begin()
        return recorder

    def _note_dropped(self) -> None:
        recording = self._recording
        if recording is not None and recording.dropped:
            self._session.notes.append(
                f"faults: {recording.dropped:,} page faults more than the result has room for"
            )


_DEFAULTS = Options()


def _signature() -> Signature:
    """That of Machine with the options as keywords, for completion and help()."""
    kind = Parameter.KEYWORD_ONLY
    types = OptionValues.__annotations__
    own = [
        Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=annotation)
        for name, annotation in (("options", "Options | None"), ("components", "Components | None"))
    ]
    values = [
        Parameter(
            each.name,
            kind,
            default=getattr(_DEFAULTS, each.name),
            annotation=getattr(types[each.name], "__forward_arg__", types[each.name]),
        )
        for each in fields(Options)
    ]
    return Signature([*own, *values])


Machine.__signature__ = _signature()  # type: ignore[attr-defined]
