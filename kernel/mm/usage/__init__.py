"""A process's memory as /proc shows it, read from its page table: counts, texts, pagemap.

Imports ``kernel.base`` and the other modules of ``kernel.mm``.
"""
