"""Analyses of a trace: the copy-on-write profile, a page's history, comparison of policies.
They import ``emu.observe.model``, the machine and the text of a PTE (``kernel.mm.page_tables``);
used by ``report`` and the command line.
"""
