"""Is the chain of calls found on a stack that of the source?"""

from __future__ import annotations

import timeit
from bisect import bisect_right
from functools import cache, cached_property, lru_cache
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from emu.machine.registers import PC, RA, SP
from emu.observe.cfi.call_frame_info import CallFrames, Rule
from emu.observe.model.guest_memory import peek
from emu.observe.unwind.unwinder import unwind
from emu.options import Options
from emu.session import Session
from kernel.mm.address_space import AddressSpace
from kernel.process.observer import Fault, Observer
from toolchain.build import build
from toolchain.variant import Variant

DEPTH = 6
SOURCE = r"""
#include <signal.h>
#include <string.h>
#include <unistd.h>
#define FUNCTION __attribute__((noipa)) static
int main(int argc, char **argv);
void *(*volatile fill)(void *, int, size_t) = memset;
FUNCTION void leaf(void) { *(volatile char *)main = 1; }
FUNCTION long library(void) { return (long)fill((void *)main, 0, 1) + 1; }
FUNCTION long own(void) { getppid(); *(volatile char *)main = 1; return getpid() + 1; }
FUNCTION long down(long n, char kind)
{
    volatile char used[100 * n + 1];
    used[n] = 1;
    if (n > 1)
        return down(n - 1, kind) + used[n];
    if (kind == 'l')
        leaf();
    return kind == 'm' ? library() : own();
}
FUNCTION void handler(int signo) { down(signo - SIGUSR1 + 6, 'l'); _exit(0); }
FUNCTION long middle(char kind) { return down(6, kind) + 1; }
int main(int argc, char **argv)
{
    if (argv[1][0] != 's')
        return middle(argv[1][0]);
    signal(SIGUSR1, handler);
    return kill(getpid(), SIGUSR1) + 1;
}
"""
DOWN = ["down"] * DEPTH
CHAINS = {
    "l": ["leaf", *DOWN, "middle", "main"],
    "m": ["?", "library", *DOWN, "middle", "main"],
    "o": ["own", *DOWN, "middle", "main"],
    "s": ["leaf", *DOWN, "handler", "?", "?", "main"],  # sigreturn, kill
}
FLAGS = [
    "-O0",
    "-O2",
    "-O0 -fomit-frame-pointer",
    "-O2 -fno-omit-frame-pointer",
    "-O2 -fasynchronous-unwind-tables",
]


@cache
def compiled(variant: Variant, flags: str, folder: Path) -> Path:
    source = folder / "chain.c"
    source.write_text(SOURCE)
    return build([source], variant=variant, flags=[*flags.split(), "-fno-optimize-sibling-calls"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chain")


class Program:
    """Names and rules of the addresses of one file."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        self.frames = CallFrames(lambda offset, count: data[offset : offset + count])
        with path.open("rb") as file:
            symbols = ELFFile(file).get_section_by_name(".symtab")
            self.functions = sorted(
                (s["st_value"], s["st_size"], s.name)
                for s in symbols.iter_symbols()
                if s["st_info"]["type"] == "STT_FUNC"
            )

    @cached_property
    def main(self) -> int:
        return next(start for start, _, name in self.functions if name == "main")

    def name(self, address: int) -> str:
        own = {"leaf", "library", "own", "down", "handler", "middle", "main"}
        start, size, name = self.functions[bisect_right(self.functions, (address, 1 << 64)) - 1]
        return name if start <= address < start + size and name in own else "?"


class Stop(Observer):
    """Unwinds at the store into main's instructions, which kills the program."""

    def __init__(self, session: Session, program: Program) -> None:
        self._session, self._program = session, program
        self.names: list[str] = []
        self.calls: list[int] = []

    def fault(self, event: Fault) -> None:
        trap = event.trap
        if trap is None or not event.resolution.outcome.name.startswith("SEGV"):
            return
        base = trap.tval - self._program.main
        rule_at = lru_cache(None)(lambda address: self._program.frames.rule(address - base))
        hart, space = self._session.kernel.hart, event.thread.process.space
        pc, ra, sp, fp = (hart.read(register) for register in (PC, RA, SP, 8))
        read64 = reader(space)
        sigreturn = event.thread.process.sigreturn
        self.calls = unwind(rule_at, read64, pc, ra, sp, fp, sigreturn=sigreturn)
        self.names = [self._program.name(trap.epc - base)]
        self.names += [self._program.name(call - base - 1) for call in self.calls]


def reader(space: AddressSpace):
    def read64(address: int) -> int | None:
        data = peek(space, address, 8)
        return None if data is None else int.from_bytes(data, "little")

    return read64


def chain(path: Path, kind: str) -> list[str]:
    """Functions in the backtrace of the fault, the innermost first."""
    session = Session(Options(deterministic=True, check=True), [str(path), kind])
    stop = Stop(session, Program(path))
    session.run([stop])
    names = stop.names
    return names[: names.index("main") + 1] if "main" in names else names


@pytest.mark.parametrize("kind", CHAINS)
@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize("variant", [Variant.STATIC, Variant.DYNAMIC])
def test_with_call_frame_information(variant: Variant, flags: str, kind: str, folder: Path) -> None:
    assert chain(compiled(variant, flags, folder), kind) == CHAINS[kind]


@pytest.mark.parametrize("kind", CHAINS)
@pytest.mark.parametrize("flags", ["-O0 -g0", "-O0 -g0 -fno-omit-frame-pointer"])
def test_by_frame_pointers_alone(flags: str, kind: str, folder: Path) -> None:
    assert chain(compiled(Variant.DYNAMIC, flags, folder), kind) == CHAINS[kind]


JAL = 0x0000_00EF << 32
SP_RULE = Rule(2, 32, -8, -16)


class Memory(dict[int, int]):
    """Words, with a call before each address that is a multiple of 0x1000."""

    def read64(self, address: int) -> int | None:
        return self.get(address, JAL if address & 0xFFF == 0xFF8 else None)


def test_ends() -> None:
    memory = Memory({0x100018: 0x5000, 0x100038: 0x6000, 0x100058: 0})
    rules = {0x4000: SP_RULE, 0x4FFF: SP_RULE, 0x5FFF: SP_RULE}
    walk = lambda limit=32: unwind(rules.get, memory.read64, 0x4000, 1, 0x100000, 0, limit)  # noqa: E731
    assert walk() == [0x5000, 0x6000]  # ra is 0
    assert walk(1) == [0x5000] and walk(0) == []
    rules[0x4FFF] = Rule(2, 0, -8, None)  # the CFA does not grow
    assert walk() == [0x5000]
    rules[0x4FFF] = Rule(2, 32, None, None)  # ra was lost to the call
    assert walk() == [0x5000]
    rules[0x4FFF] = Rule(2, 0, None, None, outermost=True)
    assert walk() == [0x5000]
    rules[0x4FFF] = Rule(2, 64, -8, None)  # no memory there
    assert walk() == [0x5000]
    rules[0x4FFF] = Rule(5, 64, -8, None)  # a register that is not known
    assert walk() == [0x5000]


def test_a_stack_that_goes_in_circles_ends() -> None:
    memory = Memory({0x2000 - 8: 0x9000, 0x2000 - 16: 0x2000})
    calls = unwind(lambda _: None, memory.read64, 0x8000, 0x9000, 0x1000, 0x2000, 1000)
    assert calls == [0x9000]
    assert len(unwind(lambda _: SP_RULE, lambda _: 0x9000, 0x8000, 0x9000, 0, 0, 1000)) == 1000


def test_a_leaf_without_anything_has_ra() -> None:
    assert unwind(lambda _: None, Memory().read64, 0x4000, 0x9000, 0x100000, 7) == [0x9000]
    assert unwind(lambda _: None, Memory().read64, 0x4000, 0x9004, 0x100000, 7) == []
    assert unwind(lambda _: None, Memory().read64, 0x4000, 0, 0x100000, 0) == []


def test_the_caller_keeps_the_frame_pointer_that_a_callee_saved() -> None:
    memory = Memory({0x100018: 0x5000, 0x100010: 0x100080, 0x100078: 0x6000})
    rules = {0x4000: SP_RULE, 0x4FFF: Rule(8, 0, -8, -16)}
    assert unwind(rules.get, memory.read64, 0x4000, 1, 0x100000, 3) == [0x5000, 0x6000]


def test_a_frame_takes_microseconds() -> None:
    """Generously: this host may be busy."""
    words = {0x100018 + 32 * n: 0x5000 for n in range(100)}
    rules = {0x4000: SP_RULE, 0x4FFF: SP_RULE}
    walk = lambda: unwind(rules.get, words.get, 0x4000, 1, 0x100000, 0)  # noqa: E731
    assert len(walk()) == 32
    assert min(timeit.repeat(walk, number=100, repeat=5)) / 100 / 32 < 20e-6
