"""The data of a trace: records, raw events, outcomes. Imports no other package of
``emu.observe``.
"""
