"""Does a line of ``--trace faults`` have the outcome, the thread and the new PTE?"""

import re
from functools import cache
from typing import Any

from emu.observe.formats.fault_log import FaultLines
from tests.emu.commands import machine
from tests.emu.observe.support.huge_guest import FIRST, PAGE, SECOND, ZEROES
from tests.emu.observe.support.huge_guest import SOURCE as HUGE
from tests.emu.observe.support.recorded import HANDLES
from tests.kernel.syscalls.guests import compiled

GUEST = r"""
static volatile char page[8192] __attribute__((aligned(4096)));
static volatile long far __attribute__((aligned(4096)));
int main(void) {
    int pipes[2];
    pipe(pipes);
    page[0] = 1;
    char *m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    say("%p %p\n", (void *)page, m);
    (void)*(volatile char *)m;
    if (!fork()) {
        page[5] = 2;
        write(pipes[1], "text", 4);
        read(pipes[0], m, 4);
        _exit(0);
    }
    wait(NULL);
    page[6] = 3;
    __atomic_add_fetch((volatile int *)(m + 8), 1, __ATOMIC_SEQ_CST);
    *(volatile long *)(m + 4096 - 4) = 1;
    *(volatile int *)16 = 1;
}
"""
LINE = re.compile(
    r"\[pid (?P<pid>\d+)\] (?:pc (?P<pc>0x[0-9a-f]+)  (?P<instruction>.*?)"
    r"|kernel, in (?P<call>\w+))  (?P<access>load|store|fetch) (?P<address>0x[0-9a-f]+)"
    r" → (?P<done>.*?)  pte (?P<before>none|0x[0-9a-f]+ [RWXUGAD-]{7}(?: CoW)?)"
    r"(?: → (?P<after>0x[0-9a-f]+ [RWXUGAD-]{7}(?: CoW)?))?(?:  count (?P<count>[\d →]+?))?"
    r"(?:  (?P<around>\d+) pages? around mapped)?"
)


@cache
def trace() -> tuple[list[dict[str, Any]], int, int]:
    """The lines, and the addresses of the guest's two mappings."""
    lines: list[str] = []
    result = machine(deterministic=True).run(
        [compiled(GUEST)], observers=[FaultLines(lines.append)]
    )
    found = [LINE.fullmatch(line) for line in lines]
    unmatched = [line for line, match in zip(lines, found, strict=True) if match is None]
    assert unmatched == []
    page, m = (int(word, 16) for word in result.stdout.split())
    return [match.groupdict() for match in found if match], page, m


def about(address: int) -> list[dict[str, Any]]:
    return [line for line in trace()[0] if int(line["address"], 16) == address]


def test_a_copy_and_a_reuse() -> None:
    _, page, _ = trace()
    (copied,) = about(page + 5)
    assert (copied["pid"], copied["done"], copied["access"]) == ("3", "COPIED", "store")
    assert copied["instruction"].startswith("sb ")
    assert copied["before"].endswith("R--U--D CoW") and copied["after"].endswith("RW-U-AD")
    assert copied["before"].split()[0] != copied["after"].split()[0]
    assert copied["count"] == "2 → 1"
    (reused,) = about(page + 6)
    assert (reused["pid"], reused["done"], reused["count"]) == ("2", "REUSED", "1 → 1")
    assert reused["before"].split()[0] == reused["after"].split()[0] == copied["before"].split()[0]


def test_the_zero_page_and_a_kernel_write() -> None:
    _, _, m = trace()
    first, second, third = about(m)[0], about(m)[1], about(m + 8)[0]
    assert (first["done"], first["access"]) == ("zero page mapped", "load")
    assert first["after"].endswith("R--U-A- CoW")
    assert (second["call"], second["pid"], second["done"]) == ("read", "3", "zero-filled")
    assert (third["pid"], third["instruction"].split(".")[0]) == ("2", "amoadd")
    assert third["access"] == "store"


def test_an_access_across_two_pages_names_the_byte_that_faulted() -> None:
    _, _, m = trace()
    (line,) = about(m + 4096)
    assert line["instruction"].startswith("sd ") or line["instruction"].startswith("c.sd")


def test_what_the_kernel_writes_for_a_child_is_the_childs() -> None:
    """clone(2) writes the child's id into the child's memory."""
    (line,) = [line for line in trace()[0] if line["call"] == "clone"]
    assert (line["pid"], line["done"]) == ("3", "COPIED")


def test_a_fault_that_kills() -> None:
    (line,) = about(16)
    assert (line["done"], line["before"], line["after"]) == (
        "SIGSEGV (nothing mapped)",
        "none",
        None,
    )


def test_every_fetch_is_of_the_pc() -> None:
    fetches = [line for line in trace()[0] if line["access"] == "fetch"]
    assert fetches
    assert all(0 <= int(l["address"], 16) - int(l["pc"], 16) <= 2 for l in fetches)  # noqa: E741


def test_a_signals_frame_is_the_kernels_store_for_no_call() -> None:
    lines: list[str] = []
    machine(deterministic=True).run([compiled(HANDLES)], observers=[FaultLines(lines.append)])
    assert sum("kernel, for a signal  store" in line for line in lines) == 1
    assert not any("None" in line for line in lines)


def test_is_said_which_page_is_huge_and_which_was_split() -> None:
    lines: list[str] = []
    machine(deterministic=True).run([compiled(HUGE)], observers=[FaultLines(lines.append)])
    ends = {
        int(line.split(" → ")[0].split()[-1], 16): line.split("  ")[-1]
        for line in lines
        if "huge" in line
    }
    whole, split = "huge page, 2 MiB", "huge page split"
    assert ends == {
        **dict.fromkeys((FIRST + 5 * PAGE, SECOND, ZEROES + 9, ZEROES + PAGE), whole),
        FIRST + 7 * PAGE: split,
        FIRST + 6 * PAGE: whole,
    }
