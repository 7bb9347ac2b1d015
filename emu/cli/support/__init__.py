"""What the subcommands share: options, streams, recording a run, reading a trace. Imports no
subcommand.
"""
