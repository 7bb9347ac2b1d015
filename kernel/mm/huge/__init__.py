"""Huge pages of 2 MiB: the faults that map them, stores to a shared one, fork, collapse.

Imports ``kernel.base``, and of ``kernel.mm`` the modules below the fault handler.
"""
