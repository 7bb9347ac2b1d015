"""Nodes, open files, descriptor tables, locks: what every file system builds on."""
