"""Sequences of memory operations, run on a student's code and on the reference side by side."""
