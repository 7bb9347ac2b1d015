"""Formats of a trace: JSON Lines, Perfetto, folded stacks, text. Import ``model`` and ``symbols``
of ``emu.observe``; used by the command line.
"""
