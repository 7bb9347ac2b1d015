"""Lab 8: a fork that shares leaf tables."""
