"""Graded tests: a submission, the kinds of tests, and wrong solutions.

May import ``emu.lab.simulation`` and the packages below it, and, for tests that run guests,
:mod:`emu.api`, ``guest`` and ``toolchain``. Labs define their tests with it; a submission carries
the lab's tests and solutions.
"""
