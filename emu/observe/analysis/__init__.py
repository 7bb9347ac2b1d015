"""Analyses of a trace: the copy-on-write profile, a page's history, comparison of policies.
They import ``emu.observe.model`` and the machine; used by ``report`` and the command line.
"""
