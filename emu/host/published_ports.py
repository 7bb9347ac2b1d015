"""Ports of the host at which its programs connect to the guest (``--publish``)."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from emu.errors import CannotRun

if TYPE_CHECKING:
    from kernel.vfs.sockets.published_port import PublishedPort
    from kernel.vfs.sockets.socket_file import Network


class PublishedPorts:
    """The ports of ``wanted``: address and port of the host, port of the guest. Raises CannotRun.

    ``log`` gets a line for each port that the host has chosen.
    """

    def __init__(
        self,
        network: Network,
        wanted: Sequence[tuple[str, int, int]],
        log: Callable[[str], None],
    ) -> None:
        self._ports: dict[int, PublishedPort] = {}
        try:
            for address, port, guest in wanted:
                self._open(address, port, guest)
                if not port:
                    log(f"port {guest} is published at {address}:{self._ports[guest].port}")
        except CannotRun:
            self.close()
            raise
        network.host_ports = self._ports

    def _open(self, address: str, port: int, guest: int) -> None:
        from kernel.vfs.sockets.published_port import PublishedPort

        if guest in self._ports:
            raise CannotRun(f"--publish: port {guest} of the guest is given twice", 2)
        try:
            self._ports[guest] = PublishedPort(address, port)
        except OSError as error:
            number = error.errno or 0
            reason = os.strerror(number) if number > 0 else error.strerror
            raise CannotRun(f"--publish {address}:{port}: {reason}", 2) from None

    def close(self) -> None:
        for port in self._ports.values():
            port.close()
