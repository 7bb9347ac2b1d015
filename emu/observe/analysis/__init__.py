"""Analyses of a trace: the copy-on-write profile, a page's history, comparison of policies. Of
``emu.observe`` they import ``model`` only, and the machine; used by ``report`` and the command line.
"""
