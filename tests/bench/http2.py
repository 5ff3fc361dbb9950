"""Keep-alive connections of HTTP/2 over TLS that cost the client little: each request is the same bytes, but for the stream's number."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "envoy"))

from gateway import Failed  # noqa: E402
from h2client import H2Connection  # noqa: E402

HEADERS, SETTINGS, PING = 1, 4, 6
END_STREAM, END_HEADERS = 1, 4
ACK = 1
OK = 0x88  # `:status: 200` in HPACK


def literal(text):
    """A string of HPACK, as it is."""
    data = text.encode("latin-1")
    if len(data) < 127:
        return bytes([len(data)]) + data
    rest, length = len(data) - 127, bytearray([127])
    while rest >= 128:
        length.append(rest % 128 + 128)
        rest //= 128
    return bytes(length) + bytes([rest]) + data


def block(path, headers, host="canary.example.com"):
    """The headers of a request, none of them in the connection's table."""
    pseudo = [(":method", "GET"), (":scheme", "https"), (":authority", host), (":path", path)]
    return b"".join(b"\0" + literal(name) + literal(value) for name, value in [*pseudo, *headers])


def frame(kind, flags, stream, payload):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


class Http2Client:
    """Connections to one listener, each with one request at a time."""

    def __init__(self, port, connections):
        self.connections = [Connection(port) for _ in range(connections)]

    def run(self, request, requests):
        for _ in range(requests // len(self.connections)):
            for each in self.connections:
                each.send(request)
            for each in self.connections:
                each.receive()


class Connection:
    def __init__(self, port):
        # The first request settles what both sides allow each other.
        polite = H2Connection(port)
        if polite.request().status != 200:
            raise Failed("the gateway does not answer over HTTP/2")
        self.socket = polite.socket
        self.stream = 1
        self.received = b""

    def send(self, request):
        self.stream += 2
        self.socket.sendall(frame(HEADERS, END_STREAM | END_HEADERS, self.stream, request))

    def receive(self):
        """Until the response has ended."""
        while True:
            while len(self.received) < 9 or len(self.received) < 9 + self.length():
                data = self.socket.recv(65536)
                if not data:
                    raise Failed("the gateway has closed a connection")
                self.received += data
            length, kind, flags = self.length(), self.received[3], self.received[4]
            payload, self.received = self.received[9 : 9 + length], self.received[9 + length :]
            if kind in (SETTINGS, PING) and not flags & ACK:
                self.socket.sendall(frame(kind, ACK, 0, payload if kind == PING else b""))
            if kind == HEADERS and OK not in payload[:4]:
                raise Failed(f"not a good response: {payload[:100]}")
            if kind in (0, HEADERS) and flags & END_STREAM:
                return

    def length(self):
        return int.from_bytes(self.received[:3], "big")
