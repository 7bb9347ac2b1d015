"""Sockets (socket(7)): AF_UNIX, and AF_INET and AF_INET6 on a network inside the machine.

``message`` and ``socket_file`` are the base, ``stream`` and ``datagram`` the two ways to transfer,
``unix_names`` and ``inet_address`` the names; ``unix_socket``, ``tcp_socket``, ``udp_socket`` and
``netlink`` the families; ``ports`` the network's ports, ``published_port`` those of the host,
``rights`` descriptors on their way. System calls are in ``kernel.syscalls.net``.
"""
