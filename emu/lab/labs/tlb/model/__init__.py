"""A small model of harts, TLBs and processes, searched for harmful sequences (lab ``tlb``)."""
