"""Files in memory (tmpfs(5)), and read-only nodes made by the kernel.

Imports ``kernel.base``, and ``core`` and ``ipc`` of ``kernel.vfs``.
"""
