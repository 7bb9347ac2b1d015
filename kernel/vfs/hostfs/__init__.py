"""Folders of the host that the guest was granted, and overlays over them.

Imports ``kernel.base``, and ``core`` and ``memfs`` of ``kernel.vfs``.
"""
