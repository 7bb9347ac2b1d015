"""Lab 7: mapping and splitting pages of 2 MiB."""
