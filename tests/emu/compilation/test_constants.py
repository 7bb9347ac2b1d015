"""Sources as the compilers get them: with no look-up of a constant at each use."""

from __future__ import annotations

from enum import Enum
from types import ModuleType

from emu.compilation.constants import with_members, with_values, without_slots

SOURCE = '''"""A module."""
from __future__ import annotations

from enum import Enum, IntFlag
from typing import Final

SMALL: Final = 6
LARGE: Final = 1 << 63


class Color(Enum):
    RED = 1


class Flag(IntFlag):
    BIT = 2


def is_red(color: Color, bits: int) -> bool:
    """Compares (is „red“?)."""
    return "ü" * SMALL == "" or color is Color.RED or bits & LARGE or bits & SMALL
'''


def executed(source: str) -> ModuleType:
    module = ModuleType("colors")
    exec(source, vars(module))
    return module


def test_is_a_member_looked_up_once() -> None:
    module = executed(SOURCE)
    text = with_members(SOURCE, module)
    assert "color is _Color_RED" in text
    assert "_Color_RED: Final = Color.RED" in text
    assert executed(text).is_red.__code__.co_names.count("Color") == 0


def test_is_a_flag_a_number_where_a_number_is_intersected_with_it() -> None:
    source = f"{SOURCE}\n\ndef has_bit(bits: int) -> bool:\n    return bool(bits & Flag.BIT)\n"
    source += "\n\ndef flag() -> Flag:\n    return Flag.BIT\n"
    text = with_members(source, executed(source))
    assert "_Flag_BIT_bits: Final = int(Flag.BIT)" in text
    module = executed(text)
    assert module.has_bit(3) and not module.has_bit(5)
    assert type(module.flag()).__name__ == "Flag"


def test_do_lines_keep_their_numbers() -> None:
    module = executed(SOURCE)
    text = with_values(with_members(SOURCE, module), module)[0]
    assert len(text.splitlines()) == len(SOURCE.splitlines())
    function = executed(text).is_red.__code__
    assert function.co_firstlineno == module.is_red.__code__.co_firstlineno


def test_does_a_value_take_the_place_of_a_constant() -> None:
    text, declarations = with_values(SOURCE, executed(SOURCE))
    assert '"ü" * 6 == ""' in text
    assert "bits & 6" in text
    assert declarations == f"cdef unsigned long long _constant_{1 << 63:x}\n"
    assert f"_constant_{1 << 63:x} = {1 << 63}" in text


def test_are_the_results_the_same() -> None:
    before = executed(SOURCE)
    after = executed(with_values(with_members(SOURCE, before), before)[0])
    for module in (before, after):
        color: Enum = module.Color.RED
        assert module.is_red(color, 0)
        assert not module.is_red(None, 1)
        assert module.is_red(None, 1 << 63)


def test_which_argument_of_a_dataclass_is_removed() -> None:
    for before, after in (
        ("@dataclass(slots=True)", "@dataclass()"),
        ("@dataclass(slots=True, eq=False)", "@dataclass(eq=False)"),
        ("@dataclass(frozen=True, slots=True)", "@dataclass(frozen=True)"),
        ("@dataclass(frozen=True, slots=True, eq=False)", "@dataclass(frozen=True, eq=False)"),
        ("f(slots=True)", "f(slots=True)"),
    ):
        assert without_slots(before) == after
