"""Path resolution, mounts, opening, creating and removing names."""
