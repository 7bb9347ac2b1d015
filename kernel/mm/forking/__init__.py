"""Fork of an address space: the policies, their cost, huge pages.

Imports ``kernel.base``, and of ``kernel.mm`` all but ``faults``, ``collapse`` and ``usage``.
"""
