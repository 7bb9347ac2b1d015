"""Lab 4: copy-on-write fork."""
