"""The machine: one RV64GC hart, physical memory, the Sv39 MMU. Imports nothing of the project."""
