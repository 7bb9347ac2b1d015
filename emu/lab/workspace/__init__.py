"""A student's folder: the catalogue of labs, starting a lab, checking it, replaying a failure.

Imports the labs and the packages below them. Imported by :mod:`emu.lab.grading`,
:mod:`emu.lab.mutants` and the command line.
"""
