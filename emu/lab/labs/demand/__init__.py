"""Lab 5: demand paging of brk and mmap memory."""
