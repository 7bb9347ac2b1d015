"""Is a name as written by a user resolved to the intended address?"""

from __future__ import annotations

from pathlib import Path

import pytest

from emu.machine.registers import SP
from emu.observe.symbols.address_expression import InvalidAddress, parse_address
from emu.observe.symbols.program_symbols import NoSymbol, ProgramSymbols
from kernel.kernel import Kernel
from kernel.process.observer import Observer
from kernel.process.process import Process
from tests.emu.commands import observed
from tests.kernel.syscalls.guests import compiled
from toolchain.build import build


class SymbolLookup(Observer):
    """Looks names up in the first process; stores the addresses, or the error messages."""

    def __init__(self, *names: str) -> None:
        self.kernel: Kernel
        self.names = names
        self.found: list[int | str] = []

    def of(self, kernel: Kernel) -> SymbolLookup:
        self.kernel = kernel
        return self

    def started(self, process: Process) -> None:
        symbols = ProgramSymbols(process)
        for name in self.names:
            try:
                self.found.append(parse_address(name).address(symbols, process, self.kernel.hart))
            except NoSymbol as error:
                self.found.append(str(error))


def test_functions_data_and_offsets() -> None:
    source = 'int data[9];\nint main(void) { say("%ld %ld", (long)main, (long)data); return 0; }'
    lookup = SymbolLookup("main", "data", "data+8", "data-0x10", "7", "0x7+1")
    addresses = observed(compiled(source), lookup.of).stdout.split()
    main, data = map(int, addresses)
    assert lookup.found == [main, data, data + 8, data - 16, 7, 8]


STATIC_FUNCTION = 'static __attribute__((noipa)) int f(void) { asm(""); return 0; }\n'
FILES = {
    "one": "int two(void);\n" + STATIC_FUNCTION + "int main(void) { return f() + two(); }\n",
    "two": STATIC_FUNCTION + "int two(void) { return f(); }\n",
}


def test_a_name_that_several_files_have_for_themselves_is_none(tmp_path: Path) -> None:
    sources = [tmp_path / f"{name}.c" for name in FILES]
    for source in sources:
        source.write_text(FILES[source.stem])
    lookup = SymbolLookup("f", "two", "nothing")
    observed(build(sources, tmp_path / "program"), lookup.of)
    assert "/program: several symbols 'f' (at 0x" in str(lookup.found[0])
    assert isinstance(lookup.found[1], int)
    assert ": no symbol 'nothing'" in str(lookup.found[2])


@pytest.mark.parametrize(
    "text, hexadecimal, offset",
    [("10", False, 10), ("10", True, 16), ("0x10", False, 16), ("10f", True, 0x10F),
     ("0x10+10", True, 26), ("0010", False, 10), ("sp-8", False, -8), ("sp", False, 0)],
)  # fmt: skip
def test_numbers_and_registers(text: str, hexadecimal: bool, offset: int) -> None:
    place = parse_address(text, hexadecimal=hexadecimal)
    assert (place.offset, place.symbol) == (offset, None)
    assert place.register == (SP if text.startswith("sp") else None)


@pytest.mark.parametrize(
    "text", ["", "+", "1_0", "10f", "sp+", "sp+x", "0x", "1+1+1", f"{1 << 64}"]
)
def test_what_is_not_an_address(text: str) -> None:
    with pytest.raises(InvalidAddress, match="not an address"):
        parse_address(text)
