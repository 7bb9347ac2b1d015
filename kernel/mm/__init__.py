"""Memory management: frames, page tables, address spaces, page faults, fork, the page cache.

May import ``kernel.base`` and ``kernel.vfs``.
"""
