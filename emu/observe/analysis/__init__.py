"""Analyses of a trace: the copy-on-write profile, a page's history, comparison of policies.
They import ``emu.observe.model``, the machine, and of ``kernel.mm`` the outcomes and the text of a
PTE; used by ``report`` and the command line.
"""
