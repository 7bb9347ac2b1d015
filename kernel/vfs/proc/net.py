"""Texts of /proc/net: the sockets of the machine (proc_net(5)), and its one interface."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from kernel.vfs.sockets.inet_address import AF_INET, AF_INET6, InetAddress, any_of
from kernel.vfs.sockets.inet_socket import InetSocket
from kernel.vfs.sockets.socket_file import Network, Socket
from kernel.vfs.sockets.tcp_socket import TcpSocket
from kernel.vfs.sockets.udp_socket import UdpSocket
from kernel.vfs.sockets.unix_socket import UnixDatagram, UnixStream

_COLUMNS = "st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
_TCP_HEADER = f"  sl  local_address rem_address   {_COLUMNS}"
_TCP6_HEADER = (
    f"  sl  local_address                         remote_address                        {_COLUMNS}"
)
_UDP_HEADER = f"   sl  local_address rem_address   {_COLUMNS} ref pointer drops"
_UNIX_HEADER = "Num       RefCount Protocol Flags    Type St Inode Path"
_DEV = (
    "Inter-|   Receive                                                |  Transmit\n"
    " face |bytes    packets errs drop fifo frame compressed multicast"
    "|bytes    packets errs drop fifo colls carrier compressed\n"
    "    lo:       0       0    0    0    0     0          0         0"
    "        0       0    0    0    0     0       0          0\n"
)
_IF_INET6 = "00000000000000000000000000000001 01 80 10 80       lo\n"
_ROUTE = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
_ESTABLISHED, _CLOSED, _CLOSE_WAIT, _LISTEN = 1, 7, 8, 10
_MAPPED = bytes(10) + b"\xff\xff"
_ACCEPTS = 0x10000
_UNCONNECTED, _CONNECTED = 1, 3


def net_texts(network: Network) -> dict[str, Callable[[], str]]:
    """The texts by name."""
    return {
        "dev": lambda: _DEV,
        "if_inet6": lambda: _IF_INET6,
        "route": lambda: _ROUTE,
        "tcp": lambda: _inet_text(network, TcpSocket, AF_INET, _TCP_HEADER),
        "tcp6": lambda: _inet_text(network, TcpSocket, AF_INET6, _TCP6_HEADER),
        "udp": lambda: _inet_text(network, UdpSocket, AF_INET, _UDP_HEADER),
        "udp6": lambda: _inet_text(network, UdpSocket, AF_INET6, _TCP6_HEADER),
        "unix": lambda: _unix_text(network),
    }


def tcp_state(socket: TcpSocket) -> int:
    """The state's number, as in TCP_INFO."""
    if socket.is_listening:
        return _LISTEN
    if not socket.was_connected or socket.is_reset:
        return _CLOSED
    return _ESTABLISHED if socket.may_receive else _CLOSE_WAIT


def _inet_text(network: Network, kind: type[InetSocket], family: int, header: str) -> str:
    lines = [header]
    for number, socket in enumerate(_of_kind(network, kind, family)):
        local = socket.address or InetAddress(any_of(family), 0)
        remote = socket.remote or InetAddress(any_of(family), 0)
        if isinstance(socket, TcpSocket):
            state = tcp_state(socket)
        else:
            state = _ESTABLISHED if socket.is_connected else _CLOSED
        received = len(socket.backlog) if isinstance(socket, TcpSocket) else socket.queue.size
        if isinstance(socket, TcpSocket) and not socket.is_listening:
            received = socket.queue.size
        lines.append(
            f"{number:4}: {_hexadecimal(local, family)} {_hexadecimal(remote, family)} {state:02X} "
            f"{socket.unsent_bytes():08X}:{received:08X} 00:00000000 00000000 "
            f"{socket.owner_ids.uid:5}        0 {socket.inode.stat().ino} {socket.refs + 1} "
            "0000000000000000 0"
        )
    return "\n".join(lines) + "\n"


def _of_kind(network: Network, kind: type[InetSocket], family: int) -> Iterator[InetSocket]:
    for socket in network.sockets:
        if isinstance(socket, kind) and socket.domain == family and socket.address is not None:
            yield socket


def _hexadecimal(address: InetAddress, family: int) -> str:
    """The address as 32-bit words in the machine's order, and the port."""
    ip = address.ip
    if family == AF_INET6 and len(ip) == 4:
        ip = _MAPPED + ip
    words = [ip[at : at + 4][::-1].hex().upper() for at in range(0, len(ip), 4)]
    return f"{''.join(words)}:{address.port:04X}"


def _unix_text(network: Network) -> str:
    lines = [_UNIX_HEADER]
    lines += [_unix_line(socket) for socket in network.sockets if _is_unix(socket)]
    return "\n".join(lines) + "\n"


def _is_unix(socket: Socket) -> bool:
    return isinstance(socket, UnixStream | UnixDatagram)


def _unix_line(socket: Socket) -> str:
    flags = _ACCEPTS if socket.is_listening else 0
    state = _CONNECTED if socket.is_connected else _UNCONNECTED
    name = socket.name if isinstance(socket, UnixStream | UnixDatagram) else b""
    text = name.decode("utf-8", "backslashreplace")
    shown = f" {text.replace(chr(0), '@')}" if text else ""
    return (
        f"0000000000000000: {socket.refs + 1:08X} 00000000 {flags:08X} {socket.type:04X} "
        f"{state:02X} {socket.inode.stat().ino:5}{shown}"
    )
