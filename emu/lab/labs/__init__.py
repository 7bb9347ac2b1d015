"""The labs, one package each: handout, reference solution, graded tests and mutants."""
