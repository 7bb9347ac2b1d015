"""Page tables of Sv39 in guest RAM: single PTEs, ranges, leaf tables shared by processes, text.

Imports ``kernel.base``, ``kernel.mm.frames`` and ``kernel.mm.vma``.
"""
