"""Analyses of a trace: the copy-on-write profile, a page's history, policies compared."""
