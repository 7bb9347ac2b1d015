"""Forms of a trace: JSON Lines, Perfetto, folded stacks, text."""
