"""Memory management, from the bottom up: ``physical`` memory, the ``backing`` of mappings, the
``mappings`` themselves, ``page_tables``, address spaces, page ``faults``, ``forking``, and the
``usage`` that /proc shows.

May import ``kernel.base``, ``kernel.vfs`` and the machine's PTEs, RAM and causes.
"""
