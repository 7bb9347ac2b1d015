"""Pseudo-terminals: pairs, their line discipline, and the file system of their names (pty(7)).

Imports ``kernel.base``, and ``core`` and ``tty`` of ``kernel.vfs``.
"""
