"""Runs RISC-V Linux programs on a machine whose memory management can be watched.

Layers, lowest first: ``machine``, the package ``kernel``, ``observe``, ``api`` (with ``host``),
``lab``, ``cli``; each imports those below it. ``errors``, ``version``, ``isa_extensions``,
``host.break_in`` and ``host.child_processes`` are between the kernel and ``observe``: they import
the kernel at most. ``compilation`` imports none of them.
"""

# The emu command starts here too: without imports, Ctrl-C can interrupt nothing.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from emu.api import Machine, Result
    from emu.errors import CannotRun
    from emu.options import Options

__all__ = ["CannotRun", "Machine", "Options", "Result"]


def __getattr__(name: str) -> object:
    if name in __all__:
        from emu.compilation import finder

        finder.choose()
        from emu import api

        return getattr(api, name)
    raise AttributeError(f"module 'emu' has no attribute {name!r}")
