"""/proc: information about processes and the machine (proc(5)).

Imports ``kernel.base``, and ``core`` and ``names`` of ``kernel.vfs``. Imported by
:mod:`emu.session`.
"""
