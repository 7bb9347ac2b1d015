"""The ``emu`` command line. May import every other package; nothing imports it."""
