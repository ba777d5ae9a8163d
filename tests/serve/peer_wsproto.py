"""Speaks WebSocket through the server frame by frame, with `wsproto`. Arguments: address of the echo application."""

import socket
import sys
from urllib.parse import urlsplit

from wsproto import WSConnection
from wsproto.connection import ConnectionType
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Ping, Pong, Request, TextMessage

PLACE = urlsplit(sys.argv[1].rstrip("/") + "/socket")


class Peer:
    def __init__(self):
        self.sock = socket.create_connection((PLACE.hostname, PLACE.port), 30)
        self.connection = WSConnection(ConnectionType.CLIENT)
        self.waiting = []
        self.send(Request(host=PLACE.netloc, target=PLACE.path))
        assert isinstance(self.next(), AcceptConnection)

    def send(self, *events):
        self.sock.sendall(b"".join(self.connection.send(event) for event in events))

    def next(self):
        while not self.waiting:
            data = self.sock.recv(65536)
            self.connection.receive_data(data or None)
            self.waiting = list(self.connection.events())
        return self.waiting.pop(0)

    def message(self):
        parts = []
        while True:
            event = self.next()
            parts.append(event.data)
            if event.message_finished:
                return type(parts[0])().join(parts)


def a_frame_in_single_bytes():
    peer = Peer()
    for byte in peer.connection.send(TextMessage("slowly")):
        peer.sock.sendall(bytes([byte]))
    assert peer.message() == "slowly"


def control_frames_between_fragments():
    peer = Peer()
    peer.send(TextMessage("one ", message_finished=False), Ping(b"now"), TextMessage("two"))
    first = peer.next()
    assert isinstance(first, Pong) and first.payload == b"now", first
    assert peer.message() == "one two"


def frames_of_every_length_form():
    peer = Peer()
    for size in (0, 1, 125, 126, 65_535, 65_536, 3_000_000):
        peer.send(BytesMessage(b"\xa5" * size))
        assert len(peer.message()) == size, size


def what_follows_the_handshake_at_once_is_not_lost():
    peer = Peer.__new__(Peer)
    peer.sock = socket.create_connection((PLACE.hostname, PLACE.port), 30)
    peer.connection, peer.waiting = WSConnection(ConnectionType.CLIENT), []
    # A frame in the same packet as the request: a client that is sure of the answer.
    hello = peer.connection.send(Request(host=PLACE.netloc, target=PLACE.path))
    early = bytes([0x81, 0x85, 0, 0, 0, 0]) + b"early"
    peer.sock.sendall(hello + early)
    assert isinstance(peer.next(), AcceptConnection)
    assert peer.message() == "early"


def closing_from_both_sides():
    peer = Peer()
    peer.send(TextMessage("close 3999 done"))
    event = peer.next()
    assert isinstance(event, CloseConnection) and (event.code, event.reason) == (3999, "done"), event
    peer.send(event.response())
    assert peer.sock.recv(1) == b"", "the connection ends after the answer"


for test in (a_frame_in_single_bytes, control_frames_between_fragments, frames_of_every_length_form,
             what_follows_the_handshake_at_once_is_not_lost, closing_from_both_sides):
    test()
    print("ok", test.__name__, flush=True)
