"""Nodes, open files, descriptor tables, locks: the base of every file system."""
