"""Grading of many submissions: finding them, running the tests, keeping results, reports."""
