"""The registers of a thread at a breakpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from emu.machine.registers import F0, NAMES, Registers
from emu.results.html import block

_COLUMNS = 4


class RegisterValues(Mapping[str, int]):
    """Values by the names of the ABI: ``registers["a0"]`` or ``registers.a0``, unsigned 64 bits."""

    def __init__(self, registers: Registers) -> None:
        self._values: dict[str, int] = dict(zip(NAMES, registers.words, strict=False))

    def __getitem__(self, name: str) -> int:
        return self._values[name]

    def __getattr__(self, name: str) -> int:
        values: dict[str, int] = self.__dict__.get("_values", {})
        if name not in values:
            raise AttributeError(f"no register {name!r}")
        return values[name]

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *NAMES]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __str__(self) -> str:
        cells = [f"{name:>4} {self[name]:#018x}" for name in NAMES[:F0]]
        rows = range(0, len(cells), _COLUMNS)
        return "\n".join("  ".join(cells[at : at + _COLUMNS]) for at in rows)

    def __repr__(self) -> str:
        return f"<RegisterValues pc={self['pc']:#x} sp={self['sp']:#x} a0={self['a0']:#x}>"

    def _repr_html_(self) -> str:
        return block(str(self))
