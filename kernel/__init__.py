"""The kernel: memory management, processes, system calls, files.

Layers, lowest first: ``base``, ``vfs``, ``mm``, ``components`` and ``config``, ``process``,
``check`` and ``exec``, ``syscalls``, ``trap``, ``kernel.py``. Each imports those below it and the
machine (``emu.machine``); contracts in pyproject.toml hold this.
"""
