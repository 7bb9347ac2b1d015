"""Runs that are recorded, in this process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from emu.observe.model.records import AnyRecord
from emu.observe.model.sink import RecordingOptions
from emu.observe.record.record_builder import RecordBuilder
from emu.observe.record.recorder import Recorder
from emu.options import Options
from emu.session import Session
from kernel.process.observer import Observer

HANDLES = r"""
#include <signal.h>
#include <sys/mman.h>
char stack[65536] __attribute__((aligned(65536)));
static void handler(int number) { (void)number; }
int main(void) {
    stack_t other = {stack, 0, sizeof stack};
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
    sigaltstack(&other, 0);
    sigaction(SIGUSR1, &action, 0);
    return raise(SIGUSR1);
}
"""
"""A guest that takes a signal on a stack of its own, named ``stack``."""


@dataclass(frozen=True)
class Recorded:
    status: int
    output: str
    records: list[AnyRecord]
    summary: dict[str, Any]


def record(
    command: Sequence[str | os.PathLike[str]],
    *,
    recording: RecordingOptions | None = None,
    observers: Sequence[Observer] = (),
    stdin: bytes = b"",
    **options: Any,
) -> Recorded:
    """A run with its invariants checked, and its trace."""
    words = [os.fspath(word) for word in command]
    session = Session(Options(check=True, timeout=100, **options), words)
    session.console.feed(stdin)
    session.console.capture(1)
    session.console.capture(2)
    trace: list[AnyRecord] = []
    recording = recording or RecordingOptions()
    builder = RecordBuilder(trace.append, recording.backtraces)
    recorder = Recorder(session.kernel, words, builder, recording)
    recorder.begin()
    status = session.run([recorder, *observers])
    recorder.finish(session.summary)
    return Recorded(status, session.console.captured(1).decode(), trace, session.summary)
