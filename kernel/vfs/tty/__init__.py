"""The guest's devices: the user's terminal and standard streams, /dev/null and similar ones.

Imports ``kernel.base``, and ``core`` and ``hostfs`` of ``kernel.vfs``.
"""
