"""Does a name, as a user writes it, lead to the address that is meant?"""

from __future__ import annotations

import pytest

from emu.machine.registers import SP
from emu.observe.places import parse_place
from emu.observe.symbols import NoSymbol, Symbols
from kernel.events import Observer
from kernel.process import Process
from tests.emu.commands import machine
from tests.kernel.syscalls.guests import compiled
from toolchain.build import build, cache_folder


class Asks(Observer):
    """Looks names up in the first process; keeps the addresses, or why there is none."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.found: list[int | str] = []

    def started(self, process: Process) -> None:
        symbols = Symbols(process)
        for name in self.names:
            try:
                self.found.append(parse_place(name).address(symbols, process))
            except NoSymbol as error:
                self.found.append(str(error))


def test_functions_data_and_offsets() -> None:
    source = 'int data[9];\nint main(void) { say("%ld %ld", (long)main, (long)data); return 0; }'
    asks = Asks("main", "data", "data+8", "data-0x10", "7", "0x7+1")
    said = machine().run([compiled(source)], observers=[asks]).stdout.split()
    main, data = map(int, said)
    assert asks.found == [main, data, data + 8, data - 16, 7, 8]


def test_a_name_that_several_files_have_for_themselves_is_none() -> None:
    folder = cache_folder() / "test-sources"
    folder.mkdir(parents=True, exist_ok=True)
    sources = []
    for name, body in (("one", "int both = 1; int main(void) { return f() + two(); }"),
                       ("two", "int two(void) { return f(); }")):  # fmt: skip
        path = folder / f"symbols_{name}.c"
        text = f'int two(void); static __attribute__((noinline)) int f(void) {{ asm(""); return 0; }}\n{body}\n'
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
        sources.append(path)
    asks = Asks("f", "two", "nothing")
    machine().run([build(sources)], observers=[asks])
    assert "has several symbols 'f', at 0x" in str(asks.found[0])
    assert isinstance(asks.found[1], int)
    assert "has no symbol 'nothing'" in str(asks.found[2])


@pytest.mark.parametrize(
    "text, hexadecimal, offset",
    [("10", False, 10), ("10", True, 16), ("0x10", False, 16), ("10f", True, 0x10F),
     ("0x10+10", True, 26), ("0010", False, 10), ("sp-8", False, -8), ("sp", False, 0)],
)  # fmt: skip
def test_numbers_and_registers(text: str, hexadecimal: bool, offset: int) -> None:
    place = parse_place(text, hexadecimal=hexadecimal)
    assert (place.offset, place.symbol) == (offset, None)
    assert place.register == (SP if text.startswith("sp") else None)


@pytest.mark.parametrize(
    "text", ["", "+", "1_0", "10f", "sp+", "sp+x", "0x", "1+1+1", str(1 << 64)]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="not an address"):
        parse_place(text)
