"""Virtual memory areas: one VMA, the list of an address space, its free ranges, huge-page policy.

Imports ``kernel.base``, :mod:`kernel.mm.physical` and :mod:`kernel.mm.backing`.
"""
