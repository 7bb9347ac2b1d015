"""The data of a trace: records, raw events, outcomes, and the reading of a guest's memory. Imports
no other package of ``emu.observe``; all of them may import it.
"""
