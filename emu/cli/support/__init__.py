"""Common code of the subcommands: options, streams, recording a run, reading a trace.

May import all packages below ``emu.cli``, but no subcommand.
"""
