"""Lab 6: the sfence.vma instructions that a change of a page table needs."""
