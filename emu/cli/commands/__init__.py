"""One file for each subcommand of ``emu``. May import ``emu.cli.support`` and all below it,
and no other subcommand.
"""
