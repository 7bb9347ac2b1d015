"""Invariants of the kernel's memory, and how they are checked. May import ``kernel.mm``."""
