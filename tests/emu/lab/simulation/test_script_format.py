"""Is a text of operations read as it is written, and is an error in it one line?"""

from __future__ import annotations

import pytest

from emu.lab.simulation.initial_layout import DATA
from emu.lab.simulation.operations import Exit, FailAllocation, Fork, Load, Read, SetBreak, Store
from emu.lab.simulation.script_format import BadScript, parse


def test_operations_are_read_as_they_are_written() -> None:
    text = "fork 1\n\n# none\nstore 2 data+8 0x5a # some\nload 1 0x13008\nread 2 data 16 7\n"
    assert parse(text + "brk 1 4\nfail 2\nexit 2") == [
        *(Fork(1), Store(2, DATA + 8, 0x5A), Load(1, 0x13008), Read(2, DATA, 16, 7)),
        *(SetBreak(1, 4), FailAllocation(2), Exit(2)),
    ]


@pytest.mark.parametrize(
    "line, why",
    [
        ("frok 1", "line 1: unknown operation 'frok' (expected brk, exec, exit"),
        ("store 2 data", "line 1: 'store 2 data' should be store PID VA VALUE"),
        ("fork one", "line 1: 'one' is not a number"),
        ("store 2 date+8 1", "line 1: unknown area 'date' (expected text, constants, data"),
        ("\nstore 2 data+8 256", "line 2: value 256 is not in 0 to 0xff"),
        ("load 1 0x10000000000", "line 1: va 0x10000000000 is not in 0 to"),
        ("fork 0", "line 1: pid 0 is not in 1 to"),
    ],
)
def test_a_line_that_is_not_an_operation_is_an_error(line: str, why: str) -> None:
    with pytest.raises(BadScript) as bad:
        parse(line)
    assert str(bad.value).startswith(why)
