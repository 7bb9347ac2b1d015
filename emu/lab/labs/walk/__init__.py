"""Lab 1: translating an address by a walk of Sv39 page tables."""
