"""Memory management: frames, page tables, address spaces, page faults, fork, the page cache.

May import ``kernel.base``, ``kernel.vfs`` and the machine's PTEs, RAM and causes.
"""
