"""Can a function look at registers, memory and page tables at a breakpoint?"""

from __future__ import annotations

import pytest

from emu import Breakpoint, PageWalk
from emu.observe.symbols.address_expression import InvalidAddress
from tests.emu.commands import machine, program
from toolchain.variant import Variant

STOPS = """
#include <unistd.h>
#include <sys/wait.h>
static volatile long counter = 5;
static char untouched[8192] __attribute__((aligned(4096)));
static const char text[] = "a text";
__attribute__((noinline)) long step(long by, const char *what) { return counter += by; }
int main(void) {
    step(10, text);
    step(-3, untouched);
    if (!fork()) { step(1, text); _exit(0); }
    wait(0);
    return counter == 12 ? 0 : 1;
}
"""


@pytest.mark.parametrize("variant", [Variant.STATIC, Variant.DYNAMIC])
def test_are_registers_and_memory_those_of_the_moment(variant: Variant) -> None:
    found = []

    def look(stop: Breakpoint) -> None:
        amount = stop.registers.a0
        found.append((stop.hits, stop.read_int("counter", signed=True), amount))
        assert stop.registers["pc"] == stop.pc == stop.address("step")
        assert stop.read_string(stop.registers.a1) in (b"a text", b"")

    program_path = program("stops", STOPS, variant)
    assert machine().run([program_path], breakpoints={"step": look}).status == 0
    assert found == [(1, 5, 10), (2, 15, 2**64 - 3), (1, 12, 1)]


def test_does_reading_change_nothing() -> None:
    def look(stop: Breakpoint) -> None:
        assert stop.read("untouched", 8192) == bytes(8192)
        assert stop.walk("untouched").physical is None

    path = program("stops", STOPS)
    fixed = machine(deterministic=True)
    with_it = fixed.run([path], breakpoints={"step": look})
    assert with_it.summary["faults"] == fixed.run([path]).summary["faults"]


def test_does_a_walk_show_the_shared_frame_of_a_child() -> None:
    walks: dict[int, PageWalk] = {}

    def look(stop: Breakpoint) -> None:
        walks[stop.pid] = stop.walk("counter", "store")

    machine().run([program("stops", STOPS)], breakpoints={"step": look})
    parent, child = walks.values()
    assert parent.physical is not None and not parent.fault
    assert child.physical is None and "W bit" in child.fault
    assert child.frame == parent.frame
    assert len(child.steps) == 3 and child.pte == child.steps[-1].pte
    assert "copy-on-write" in str(child) and "copy-on-write" in child._repr_html_()


def test_do_registers_remain_while_memory_does_not() -> None:
    stops: list[Breakpoint] = []
    machine().run([program("stops", STOPS)], breakpoints={"step": stops.append})
    assert stops[0].registers.a0 == 10
    assert "a0" in dir(stops[0].registers) and "a0 0x" in str(stops[0].registers)
    with pytest.raises(RuntimeError, match="has continued"):
        stops[0].read("counter", 8)
    with pytest.raises(AttributeError, match="no register 'a9'"):
        _ = stops[0].registers.a9


def test_can_the_run_be_ended_there() -> None:
    def end(stop: Breakpoint) -> None:
        stop.end_run(9)

    result = machine().run([program("stops", STOPS)], breakpoints={"step": end})
    assert result.status == 9 and result.summary["processes"] == 1


def test_does_an_error_of_the_function_end_the_run() -> None:
    def fail(stop: Breakpoint) -> None:
        stop.read(8, 1)

    with pytest.raises(ValueError, match="0x8, 1 bytes: not mapped in pid 2"):
        machine().run([program("stops", STOPS)], breakpoints={"main": fail})


def test_is_an_unknown_name_in_the_function_an_error() -> None:
    with pytest.raises(LookupError, match="no symbol 'nowhere'"):
        machine().run(
            [program("stops", STOPS)], breakpoints={"main": lambda stop: stop.walk("nowhere")}
        )


def test_is_an_access_of_another_kind_refused() -> None:
    with pytest.raises(ValueError, match="expected fetch, load or store"):
        machine().run(
            [program("stops", STOPS)], breakpoints={"main": lambda stop: stop.walk("sp", "write")}
        )


@pytest.mark.parametrize(
    "place, problem",
    [
        ("nowhere", "unknown symbol"),
        ("a0", "no instruction"),
        ("+", "not an address"),
    ],
)
def test_is_a_place_that_is_none_reported(place: str, problem: str) -> None:
    with pytest.raises(InvalidAddress, match=problem):
        machine().run([program("stops", STOPS)], breakpoints={place: print})


def test_can_a_number_be_the_place() -> None:
    stops: list[Breakpoint] = []
    path = program("stops", STOPS)
    machine().run([path], breakpoints={"main": stops.append})
    machine().run([path], breakpoints={stops[0].pc: stops.append})
    assert [stop.pc for stop in stops] == 2 * [stops[0].pc]
