"""Graded tests: a submission, the kinds of tests, and wrong solutions.

May import ``emu.lab.simulation`` and the packages below it. Labs define their tests with it; a
submission carries the lab's tests and solutions.
"""
