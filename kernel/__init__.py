"""The kernel: memory management, processes, system calls, files.

Packages, lowest first: ``base``, ``vfs``, ``mm``, ``check`` and ``components``, ``process``,
``exec``, ``syscalls``, ``trap``, and ``kernel.py`` above all. Imports the machine only.
"""
