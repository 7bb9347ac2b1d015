"""A small program's trace in each format, recorded once for the tests of the formats."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

from emu.observe.formats.jsonl import read_trace
from emu.observe.model import records
from emu.observe.model.records import AnyRecord
from tests.emu.commands import Outcome, emu, program
from toolchain.build import cache_folder

SOURCE = r"""
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
static volatile char pages[8][4096] __attribute__((aligned(4096)));
static inline __attribute__((always_inline)) void put(int page) { pages[page][5] = 1; }
__attribute__((noipa)) void fill(int page) { put(page); }
__attribute__((noipa)) void child(int in) {
    fill(1);
    fill(2);
    read(in, (char *)pages[3], 4); /* the kernel copies this one */
    fill(3);
}
static void handler(int signal) { (void)signal; }
static void *thread(void *unused) { fill(4); return unused; }
int main(int argc, char **argv) {
    int pipes[2];
    pthread_t other;
    if (argc > 1)
        return argc;
    for (int page = 0; page < 8; page++)
        pages[page][0] = 1;
    pipe(pipes);
    write(pipes[1], "text", 4);
    signal(SIGUSR1, handler);
    if (!fork()) {
        child(pipes[0]);
        raise(SIGUSR1);
        execl("./second", "second", "x", NULL);
    }
    pthread_create(&other, NULL, thread, NULL);
    pthread_join(other, NULL);
    wait(NULL);
    fill(5);
    return 3;
}
"""


Kind = TypeVar("Kind")


@dataclass(frozen=True)
class Traced:
    """One run of ``emu trace`` with a file of each format."""

    outcome: Outcome
    jsonl: bytes
    folded: bytes
    perfetto: bytes

    @property
    def records(self) -> list[AnyRecord]:
        return list(read_trace(io.BytesIO(self.jsonl)))

    @property
    def summary(self) -> dict[str, object]:
        end = self.records[-1]
        assert isinstance(end, records.End)
        return end.summary

    def all(self, kind: type[Kind]) -> list[Kind]:
        return [record for record in self.records if isinstance(record, kind)]


@cache
def _folder() -> Path:
    """Folder of ``first`` and ``second``; constant, since their paths are in the trace."""
    folder = cache_folder() / "test-traced"
    folder.mkdir(parents=True, exist_ok=True)
    for word in ("first", "second"):
        draft = folder / f"{word}.{os.getpid()}.draft"
        shutil.copy(program("traced", SOURCE), draft)
        draft.replace(folder / word)
    return folder


@cache
def traced(*options: str) -> Traced:
    """The run under these options, which always include system calls."""
    with tempfile.TemporaryDirectory() as name:
        files = [
            Path(name, f"trace{suffix}") for suffix in (".jsonl", ".folded", ".perfetto-trace")
        ]
        outputs = [word for file in files for word in ("-o", str(file))]
        words = ["trace", *outputs, "--calls", "--check", *options, "./first"]
        outcome = emu(*words, cwd=_folder())
        assert outcome.status == 3, outcome
        return Traced(outcome, *(file.read_bytes() for file in files))
