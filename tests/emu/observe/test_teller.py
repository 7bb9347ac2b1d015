"""Does what is written aside equal what is told at once, whatever stack a program has?"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest

from emu.cli.main import main
from emu.observe import aside, records
from emu.observe.jsonl import read_trace
from emu.observe.records import AnyRecord, Fault
from tests.emu.commands import program
from tests.emu.observe.recorded import HANDLES

STACKS = r"""
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
char shared[64][4096] __attribute__((aligned(4096)));
__attribute__((noipa)) void store(int page) { shared[page][7] = 1; }
__attribute__((noipa)) int large(int size)
{
    char used[size];
    memset(used, 1, size);
    store(size >> 12);
    return used[size - 1];
}
__attribute__((noipa)) int deep(int n) { char pad[900]; memset(pad, n, 900);
    return n ? deep(n - 1) + pad[3] : (store(40), pad[5]); }
void handler(int signo) { store(41); shared[41][8]++; }
void *thread(void *unused) { deep(3); large(8192); return unused; }
int main(void)
{
    pthread_t other;
    memset(shared, 2, sizeof shared);
    signal(SIGUSR1, handler);
    if (!fork()) {
        large(100); large(3000); large(9000); large(70000);
        deep(30);
        raise(SIGUSR1);
        pthread_create(&other, 0, thread, 0);
        pthread_join(other, 0);
        _exit(0);
    }
    wait(0);
    return 7;
}
"""
GUESTS = {"stacks": STACKS, "handles": HANDLES}


def written(path: Path, guest: Path, *options: str) -> bytes:
    assert main(["trace", "--deterministic", *options, "-o", str(path), str(guest)]) in (0, 7)
    return path.read_bytes()


@pytest.mark.parametrize("options", [(), ("--backtrace", "3"), ("--heap",)], ids=str)
@pytest.mark.parametrize("name", GUESTS)
def test_a_trace_is_the_same_written_aside(
    name: str, options: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guest = program(f"told_{name}", GUESTS[name])
    beside = written(tmp_path / "beside.jsonl", guest, *options)

    def refused() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(aside.os, "fork", refused)
    assert written(tmp_path / "here.jsonl", guest, *options) == beside.replace(b"beside", b"here")


def read(content: bytes) -> list[AnyRecord]:
    return list(read_trace(BytesIO(content)))


def test_callers_are_found_below_a_large_array_and_in_deep_calls(tmp_path: Path) -> None:
    found = read(written(tmp_path / "trace.jsonl", program("told_stacks", STACKS)))
    faults = [each for each in found if isinstance(each, Fault) and each.outcome == "copied"]
    stores = [each for each in faults if each.place.function == "store"]
    chains = {each.page: [caller.function for caller in each.backtrace] for each in stores}
    by_page = [chains[page] for page in sorted(chains)]
    in_main = [chain[: chain.index("main") + 1] for chain in by_page if "main" in chain]
    assert in_main.count(["large", "main"]) >= 3, "arrays of 100 to 70,000 bytes"
    assert ["deep"] * 16 in by_page, "as many callers as are kept"
    assert any(chain[0] == "handler" for chain in in_main)


def test_a_program_without_stack_is_traced(tmp_path: Path) -> None:
    """sp is where nothing is mapped, or no multiple of 8."""
    guest = program(
        "told_no_stack",
        r"""
        char page[4096] __attribute__((aligned(4096)));
        int main(void) {
            __asm__ volatile("mv t0, sp; li sp, %0; sb zero, 0(%1); mv sp, t0"
                             :: "i"(0x1003), "r"(page) : "t0", "memory");
            __asm__ volatile("mv t0, sp; addi sp, sp, -5; sb zero, 0(%0); mv sp, t0"
                             :: "r"(page) : "t0", "memory");
            return 7;
        }
        """,
    )
    found = read(written(tmp_path / "trace.jsonl", guest))
    assert isinstance(found[-1], records.End)
    assert any(isinstance(each, Fault) and each.place.function == "main" for each in found)
