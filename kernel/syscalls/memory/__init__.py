"""System calls on memory: mmap, mprotect, madvise, mlock, mremap.

Imports ``kernel.mm`` and what is below it, and the helpers of ``kernel.syscalls``; only the table
imports it.
"""
