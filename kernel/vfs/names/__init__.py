"""Path resolution, mounts, opening, creating and removing names.

Imports ``kernel.base``, and ``core``, ``memfs``, ``pty`` and ``tty`` of ``kernel.vfs``.
"""
