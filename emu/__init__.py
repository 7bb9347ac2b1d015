"""Runs RISC-V Linux programs on a machine whose memory management can be watched.

>>> from emu import Machine
>>> result = Machine(memory="64M").run(["./demo"])   # doctest: +SKIP
>>> result.status, result.faults, result.cow         # doctest: +SKIP

Machine runs programs; Result is what a run gives back: its output, page faults (Fault), forks
(Fork), and the cost of copy-on-write (Cow). Observer receives the kernel's events, Components
replace parts of the kernel, and Breakpoint has the registers and memory of a stopped program.

Layers, lowest first: ``machine``, the package ``kernel``, ``observe``, ``results``, ``session``
(with ``host``) and ``breakpoints``, ``api``, ``lab``, ``cli``; each imports those below it.
``errors``, ``version``, ``isa_extensions``, ``sizes``, ``host.break_in`` and
``host.child_processes`` are between the kernel and ``observe``: they import the kernel at most.
``compilation`` imports none of them.
"""

# The emu command starts here too: without imports, Ctrl-C can interrupt nothing.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from emu.api import Machine
    from emu.breakpoints.breakpoint import Breakpoint
    from emu.breakpoints.page_walk import PageWalk
    from emu.errors import CannotRun
    from emu.machine.cause import Access
    from emu.observe.analysis.cow_profile import ForkShare as Fork
    from emu.observe.model.records import Fault
    from emu.options import Options
    from emu.results.cow import Cow
    from emu.results.result import NotRecorded, Result
    from emu.results.table import Table
    from kernel.components import Components
    from kernel.mm.address_space import Pager
    from kernel.mm.outcome import Outcome
    from kernel.process.observer import Fault as FaultEvent
    from kernel.process.observer import Observer

_HOMES = {
    "Access": "emu.machine.cause",
    "Breakpoint": "emu.breakpoints.breakpoint",
    "CannotRun": "emu.errors",
    "Components": "kernel.components",
    "Cow": "emu.results.cow",
    "Fault": "emu.observe.model.records",
    "FaultEvent": "kernel.process.observer:Fault",
    "Fork": "emu.observe.analysis.cow_profile:ForkShare",
    "Machine": "emu.api",
    "NotRecorded": "emu.results.result",
    "Observer": "kernel.process.observer",
    "Options": "emu.options",
    "Outcome": "kernel.mm.outcome",
    "PageWalk": "emu.breakpoints.page_walk",
    "Pager": "kernel.mm.address_space",
    "Result": "emu.results.result",
    "Table": "emu.results.table",
}
"""The module of each public name, with the name there if it differs."""
__all__ = [
    "Access",
    "Breakpoint",
    "CannotRun",
    "Components",
    "Cow",
    "Fault",
    "FaultEvent",
    "Fork",
    "Machine",
    "NotRecorded",
    "Observer",
    "Options",
    "Outcome",
    "PageWalk",
    "Pager",
    "Result",
    "Table",
]


if not TYPE_CHECKING:  # a type checker reports names that are not there

    def __getattr__(name: str) -> object:
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module 'emu' has no attribute {name!r}")
        from importlib import import_module

        from emu.compilation import finder

        finder.choose()
        module, _, there = home.partition(":")
        value = getattr(import_module(module), there or name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return [*__all__, *(name for name in globals() if name.startswith("__"))]
