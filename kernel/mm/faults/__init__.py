"""Page faults: the handler, the break of copy-on-write, fault-around, huge pages, user memory.

Imports ``kernel.base``, and of ``kernel.mm`` all but ``forking``, ``collapse`` and ``usage``.
"""
