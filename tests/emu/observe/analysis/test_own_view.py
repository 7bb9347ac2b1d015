"""Is what a program reads in its own /proc of its copy-on-write what ``emu cow`` reports?

A child reads smaps_rollup, stores to memory that it shares with its waiting parent, and reads it
again: Shared_Dirty decreases by the pages that were copied.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from emu.observe.analysis.cow_collector import CowCollector
from emu.observe.model.sink import RecordingOptions
from emu.observe.record.record_builder import RecordBuilder
from emu.observe.record.recorder import Recorder
from emu.options import Options
from emu.session import Session
from kernel.mm.forking.fork import POLICIES
from kernel.mm.outcome import Outcome
from kernel.mm.usage.memory_view import MemoryView
from tests.guest.running import ROOTS, missing
from tests.kernel.syscalls.guests import compiled

C = r"""
static volatile char pages[64][4096] __attribute__((aligned(4096)));
static char view[4096];
static void look(void) {
    int fd = open("/proc/self/smaps_rollup", O_RDONLY);
    while (read(fd, view, sizeof view) > 0) continue;
    close(fd);
}
int main(void) {
    for (int page = 0; page < 64; page++) pages[page][0] = 1;
    look();
    if (!fork()) {
        look();
        for (int page = 0; page < 40; page++) pages[page][7] = 2;
        look();
        for (int page = 30; page < 64; page++) pages[page][9] = 3;
        look();
        _exit(0);
    }
    wait(NULL);
    return 0;
}
"""
HUGE = C.replace("[64][4096] __attribute__((aligned(4096)))", "[1024][4096] ALIGNED").replace(
    "static volatile", "#define ALIGNED __attribute__((aligned(2 << 20)))\nstatic volatile"
)
PYTHON = """
import gc, os
data = [{} for _ in range(3000)]
def look():
    with open("/proc/self/smaps_rollup", "rb", 0) as file:
        file.read()
look()
if not os.fork():
    look()
    gc.collect()
    look()
    data[0]["key"] = 1
    look()
    os._exit(0)
os.wait()
"""
SHELL = """
x=$(printf %20000s); mapfile -t view < /proc/self/smaps_rollup
(mapfile -t view < /proc/self/smaps_rollup
y=${x// /abc}; mapfile -t view < /proc/self/smaps_rollup
for i in 1 2 3 4 5 6 7 8 9; do y+=$y$i; y=${y:0:9000}; done
mapfile -t view < /proc/self/smaps_rollup)
exit 0
"""


class View(NamedTuple):
    """Figures of one look: what the process read, and the pages copied until then."""

    shared_dirty: int
    copied: int


def _python(folder: Path) -> tuple[list[str], dict[str, Any]]:
    root = ROOTS / "python"
    if not root.is_dir():
        missing("the root folder with Python")
    (folder / "script.py").write_text(PYTHON)
    words = ["/usr/bin/python3", "-S", "-E", "/given/script.py"]
    return words, {"root": str(root), "read_only": [(str(folder), "/given")]}


def _shell(folder: Path) -> tuple[list[str], dict[str, Any]]:
    bash = ROOTS / "static" / "usr" / "bin" / "bash-static"
    if not bash.is_file():
        missing("the root folder with bash")
    return [str(bash), "-c", SHELL], {}


def _c(_: Path) -> tuple[list[str], dict[str, Any]]:
    return [str(compiled(C))], {}


def _huge(copied: str) -> Callable[[Path], tuple[list[str], dict[str, Any]]]:
    """The pages are in a huge page, which stores split, or copy whole."""
    options = {"thp": "always", "thp_cow": copied}
    return lambda _: ([str(compiled(HUGE))], options)


PROGRAMS = {
    "C": _c,
    "python3": _python,
    "a shell": _shell,
    "C in huge pages": _huge("page"),
    "C in huge copies": _huge("huge"),
}


@pytest.mark.root
@pytest.mark.parametrize("policy", [policy for policy in POLICIES if policy != "eager"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_does_a_child_see_as_much_copied_as_is_reported(
    name: str, policy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words, options = PROGRAMS[name](tmp_path)
    session = Session(Options(check=True, timeout=100, fork_policy=policy, **options), words)
    for descriptor in (1, 2):
        session.console.capture(descriptor)
    views: dict[Any, list[View]] = {}
    read = MemoryView.smaps_rollup_text

    def looked_at(view: MemoryView) -> str:
        text = read(view)
        shared = re.search(r"^Shared_Dirty: +(\d+) kB$", text, re.MULTILINE)
        assert shared is not None
        copied = session.kernel.stats.frames_copied
        views.setdefault(view._space, []).append(View(int(shared[1]), copied))
        return text

    monkeypatch.setattr(MemoryView, "smaps_rollup_text", looked_at)
    collector = CowCollector()
    builder = RecordBuilder(collector, 0)
    recorder = Recorder(session.kernel, words, builder, RecordingOptions())
    recorder.begin()
    assert session.run([recorder]) == 0, session.console.captured(2)
    recorder.finish(session.summary)
    child = list(views.values())[1]
    assert len(child) >= 3
    for before, after in pairwise(child):
        assert before.shared_dirty - after.shared_dirty == 4 * (after.copied - before.copied)
    copied = child[-1].copied - child[0].copied
    assert copied >= 5
    profile = collector.result()
    assert profile.copies == session.kernel.stats.faults[Outcome.COPIED]
    assert profile.copied == session.kernel.stats.frames_copied
    assert (name != "C in huge copies") == (profile.huge_copied == 0)
    assert max(share.by_child.copied for share in profile.forks) >= copied
