"""Nodes, open files, descriptor tables, locks: the base of every file system.

Imports only ``kernel.base``; the kernel above it and the instruments import it.
"""
