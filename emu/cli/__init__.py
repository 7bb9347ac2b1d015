"""The ``emu`` command line. May import every other package; only ``emu/__main__.py``
imports it.
"""
