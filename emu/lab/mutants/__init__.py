"""Mutation testing of the labs: runs wrong solutions against a lab's tests or a student's.

Imports all other packages of :mod:`emu.lab` but ``grading``; only the command line imports it.
"""
