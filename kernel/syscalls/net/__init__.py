"""System calls of sockets: ``connections`` (creation, names, listening), ``connect``, ``send``,
``receive``, ``ancillary`` (their control messages), ``options``.
"""
