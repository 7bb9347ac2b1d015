"""Backings of mappings: the page cache of files, shared memory, pages of the pool.

Imports ``kernel.base``, ``kernel.vfs`` and :mod:`kernel.mm.physical`.
"""
