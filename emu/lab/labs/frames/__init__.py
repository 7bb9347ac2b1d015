"""Lab 2: the allocator of physical frames."""
