"""Graded tests: the kinds of tests, and what a failure is. Labs and grading build on it."""
