"""Page tables of Sv39 in guest RAM: single PTEs, ranges, leaf tables shared by processes, text.

Imports ``kernel.base``, and of ``kernel.mm`` only ``physical`` and the VMA.
"""
