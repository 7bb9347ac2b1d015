"""Are sockets forgotten that have nothing to do with another any more?"""

from __future__ import annotations

import pytest

from kernel.base.budget import Budget
from kernel.vfs.core.filesystem import SOCK_MAGIC, ChargedFs
from kernel.vfs.sockets.message import Message, Sender
from kernel.vfs.sockets.socket_file import SOCK_DGRAM, Network
from kernel.vfs.sockets.unix_socket import UnixDatagram, unix_socket

OWNER = Sender(1, 0, 0)


@pytest.fixture
def network() -> Network:
    return Network(ChargedFs("sockfs", SOCK_MAGIC, number=3, budget=Budget()))


def datagram_socket(network: Network) -> UnixDatagram:
    socket = unix_socket(network, SOCK_DGRAM, 0, OWNER)
    assert isinstance(socket, UnixDatagram)
    socket.acquire()
    return socket


def fill(sender: UnixDatagram, receiver: UnixDatagram) -> None:
    while sender.send(Message(b"x"), receiver) is not None:
        pass


def test_a_receiver_forgets_a_closed_socket_for_which_it_had_no_room(network: Network) -> None:
    receiver = datagram_socket(network)
    for _ in range(5):
        sender = datagram_socket(network)
        fill(sender, receiver)
        assert list(receiver.senders) == [sender]
        sender.release()
    assert not receiver.senders


def test_a_socket_waits_for_room_in_the_last_receiver_only(network: Network) -> None:
    sender, *receivers = (datagram_socket(network) for _ in range(4))
    for receiver in receivers:
        fill(sender, receiver)
    assert [bool(receiver.senders) for receiver in receivers] == [False, False, True]


def test_a_default_destination_is_kept_after_a_refusal_elsewhere(network: Network) -> None:
    sender, target, other = (datagram_socket(network) for _ in range(3))
    sender.connect(target)
    fill(sender, target)
    fill(sender, other)
    assert sender in target.senders


def test_nothing_is_left_of_closed_sockets(network: Network) -> None:
    sockets = [datagram_socket(network) for _ in range(3)]
    sockets[0].connect(sockets[1])
    fill(sockets[0], sockets[2])
    for socket in sockets:
        socket.release()
    assert not network.sockets
    assert network.budget.used == 0
