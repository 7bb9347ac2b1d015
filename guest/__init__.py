"""Guest programs: each answers one question by checking itself.

May import only ``toolchain``, to build them.
"""
