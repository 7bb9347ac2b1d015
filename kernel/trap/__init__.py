"""Traps: the loop that runs threads, and what is done about each trap."""
