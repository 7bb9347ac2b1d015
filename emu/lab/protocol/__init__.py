"""Messages between the grader and the process that runs a student's code."""
