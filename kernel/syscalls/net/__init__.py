"""System calls of sockets: ``connections`` (creation, names, connections), ``send``, ``receive``,
``ancillary`` (their control messages), ``options``.
"""
