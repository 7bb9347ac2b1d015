"""The labs, a folder each: handout, reference solution, graded tests, wrong solutions."""
