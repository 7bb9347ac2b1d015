"""The machine: one RV64GC hart, physical memory and the Sv39 MMU.

Imports nothing else of the project; the kernel, the instruments and the labs import it.
"""
