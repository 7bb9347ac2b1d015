"""Grading of many submissions: finds them, runs the tests, stores results and writes reports.

Imports the rest of :mod:`emu.lab` except :mod:`emu.lab.mutants`; only the command line imports it.
"""
