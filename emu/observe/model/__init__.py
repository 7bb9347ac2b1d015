"""The data of a trace: records, raw events, outcomes, and the reading of a guest's memory. Imports
the kernel and the machine, and no other package of ``emu.observe``; all but ``cfi`` import it.
"""
