"""Do the folded stacks account for every copied byte?"""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from emu.observe.formats.folded import Folded
from emu.observe.model.records import AnyRecord, Caller, Exec, Fault, Fork, SourceLocation, Start
from emu.observe.model.sink import RecordingOptions
from tests.emu.commands import emu, program
from tests.emu.observe.support.huge_guest import huge_run
from tests.emu.observe.support.traced import traced

LINE = re.compile(r"(.*) (\d+)")
"""Pattern of a line in speedscope's importer of this format (src/import/bg-flamegraph.ts)."""


def stacks(text: bytes) -> dict[tuple[str, ...], int]:
    found: dict[tuple[str, ...], int] = {}
    for line in text.decode().splitlines():
        match = LINE.fullmatch(line)
        assert match, line
        frames = tuple(match[1].split(";"))
        assert frames not in found
        found[frames] = int(match[2])
    return found


class RetainingBytesIO(io.BytesIO):
    """A file in memory whose contents remain available after close()."""

    def close(self) -> None:
        pass


def folded(*trace_records: AnyRecord) -> dict[tuple[str, ...], int]:
    file = RetainingBytesIO()
    sink = Folded(file)
    for record in trace_records:
        sink(record)
    sink.close()
    return stacks(file.getvalue())


def fault(
    place: SourceLocation, *backtrace: SourceLocation, outcome: str = "copied", call: str = ""
) -> Fault:
    return Fault(
        seq=1,
        time=0,
        pid=2,
        tid=2,
        place=place,
        access="store",
        cause=15,
        stval=4096,
        outcome=outcome,
        call=call,
        backtrace=list(backtrace),
    )


@pytest.mark.parametrize("policy", ["cow", "eager", "shared-tables"])
def test_the_bytes_are_those_that_the_kernel_copied(policy: str) -> None:
    trace = traced("--fork-policy", policy)
    faults = trace.summary["faults"]
    copied = trace.summary["frames_copied"]
    assert isinstance(faults, dict) and isinstance(copied, int) and copied
    found = stacks(trace.folded)
    of_files = sum(n for frames, n in found.items() if frames[1] == "[private file pages]")
    assert of_files == 4096 * faults["file_copied"] > 0
    assert sum(found.values()) - of_files == 4096 * copied
    at_forks = [count for frames, count in found.items() if frames[-1] == "fork_[k]"]
    assert bool(at_forks) == (policy == "eager")


def test_who_copied_what() -> None:
    found = stacks(traced().folded)
    child = {frames: n for frames, n in found.items() if "child" in frames}
    own = {frames[frames.index("main") :]: n for frames, n in child.items() if "put_[i]" in frames}
    assert own == {("main", "child", "fill", "put_[i]"): 2 * 4096}
    (kernels,) = [frames for frames in child if frames[-1].endswith("_[k]")]
    assert kernels[-1] == "read_[k]" and child[kernels] == 4096
    assert {frames[0] for frames in found} == {"first", "second"}
    assert {frames[0] for frames in child} == {"first"}


def test_private_copies_of_a_files_pages_are_apart_from_those_for_fork() -> None:
    place, main = SourceLocation(1, "f"), SourceLocation(2, "main")
    assert folded(fault(place, main), fault(place, main, outcome="file_copied")) == {
        ("?", "main", "f"): 4096,
        ("?", "[private file pages]", "main", "f"): 4096,
    }


def test_equal_stacks_are_one_line() -> None:
    place = SourceLocation(1, "f")
    main = SourceLocation(2, "main")
    assert folded(fault(place, main), fault(place, main), fault(place)) == {
        ("?", "main", "f"): 8192,
        ("?", "f"): 4096,
    }


def test_what_copies_nothing_is_not_there() -> None:
    assert folded(fault(SourceLocation(1, "f"), outcome="reused")) == {}
    assert folded(Fork(seq=0, time=0, pid=2, tid=2, child=3, place=SourceLocation(1, "f"))) == {}


def test_inlined_functions_are_marked() -> None:
    place = SourceLocation(1, "store", inlined=(Caller("put"), Caller("fill")))
    outer = SourceLocation(2, "wrap", inlined=(Caller("main"),))
    assert list(folded(fault(place, outer))) == [
        ("?", "main", "wrap_[i]", "fill", "put_[i]", "store_[i]")
    ]


def test_names_may_have_any_character() -> None:
    special = SourceLocation(1, "operator new(a; b)\n c\udcff")
    assert list(folded(fault(special, SourceLocation(2, "é main 12")))) == [
        ("?", "é main 12", "operator new(a: b)  c?")
    ]


def test_without_symbols_it_is_the_address() -> None:
    assert list(
        folded(fault(SourceLocation(0x1234, image="/usr/lib/my lib.so"), SourceLocation(0x20)))
    ) == [("?", "?:0x20", "my lib.so:0x1234")]


def test_the_kernel_before_the_program_has_begun() -> None:
    start = Start(
        seq=0, time=0, schema=1, emu="", command=["./p", "x"], fork_policy="cow", memory=0
    )
    assert list(folded(start, fault(SourceLocation(0), call="execve"))) == [("p", "execve_[k]")]


def test_the_root_is_the_program_that_the_process_runs() -> None:
    def runs(pid: int, path: str) -> Exec:
        return Exec(seq=0, time=0, pid=pid, path=path, entry=0, root=0, maps=[])

    child = fault(SourceLocation(1, "f"))
    child.pid = 3
    fork = Fork(seq=0, time=0, pid=2, tid=2, child=3, place=SourceLocation(9, "g"), frames_copied=2)
    found = folded(runs(2, "/bin/sh"), fork, child, runs(3, "/bin/ls"), child)
    assert found == {("sh", "g", "fork_[k]"): 8192, ("sh", "f"): 4096, ("ls", "f"): 4096}


def test_a_full_disk_is_an_oserror() -> None:
    sink = Folded(open("/dev/full", "wb"))  # noqa: SIM115
    sink(fault(SourceLocation(1, "f")))
    with pytest.raises(OSError, match="No space left"):
        sink.close()


TAKES_A_SIGNAL = r"""
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
static char stack[65536] __attribute__((aligned(65536)));
static void handler(int number) { (void)number; }
int main(void)
{
    stack_t other = {stack, 0, sizeof stack};
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
    memset(stack, 1, sizeof stack);
    sigaltstack(&other, 0);
    sigaction(SIGUSR1, &action, 0);
    if (!fork()) {
        raise(SIGUSR1);
        _exit(0);
    }
    wait(0);
    return 7;
}
"""


def test_a_page_that_a_signal_frame_copied_is_attributed_to_the_kernel(tmp_path: Path) -> None:
    guest = program("takes_a_signal", TAKES_A_SIGNAL)
    folded, trace = tmp_path / "t.folded", tmp_path / "t.jsonl"
    assert emu("trace", "-o", folded, "-o", trace, guest).status == 7
    (line,) = [line for line in folded.read_text().splitlines() if "signal delivery" in line]
    assert re.search(r"main;.*;signal delivery_\[k\] 4096$", line)
    text = emu("cow", trace).stderr
    assert re.search(r"^ +4 +\d+  .*\(signal delivery\)$", text, re.MULTILINE), text


@pytest.mark.parametrize("cow", ["page", "huge"])
def test_is_a_huge_page_copied_whole_512_pages(cow: str) -> None:
    run = huge_run(RecordingOptions(backtraces=4), thp_cow=cow)
    found = folded(*run.records)
    of_fork = sum(size for stack, size in found.items() if "[private file pages]" not in stack)
    assert of_fork == 4096 * run.summary["frames_copied"]
    pages = 512 if cow == "huge" else 2
    assert [size for stack, size in found.items() if stack[-1] == "main"] == [4096 * pages]
