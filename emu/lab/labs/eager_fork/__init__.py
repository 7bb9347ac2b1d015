"""Lab 3: fork by copying every page."""
