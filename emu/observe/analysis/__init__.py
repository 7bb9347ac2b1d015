"""Analyses of a trace: the copy-on-write profile, a page's history, comparison of policies. Import
``model`` only; used by ``report`` and the command line.
"""
