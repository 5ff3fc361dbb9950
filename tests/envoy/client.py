"""A client that sends any bytes and hides nothing: HTTP/1.1 over a raw socket."""

import itertools
import socket
import ssl
from dataclasses import dataclass

PATIENCE = 30


@dataclass
class Response:
    status: int
    headers: list  # of (name, value) in latin-1, so that one character is one byte
    body: bytes

    def values(self, name):
        return [value for key, value in self.headers if key == name]

    def value(self, name):
        values = self.values(name)
        return values[0] if values else None

    def cookies(self):
        """name=value of each set-cookie."""
        return dict(line.split(";")[0].split("=", 1) for line in self.values("set-cookie"))


class Closed(Exception):
    """The other side has closed the connection before it had answered."""


def request_bytes(method="GET", path="/", host="canary.example.com", headers=()):
    """A request without a body. Strings are latin-1: one character is one byte."""
    lines = [f"{method} {path} HTTP/1.1", f"host: {host}", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


class Connection:
    """A keep-alive connection to loopback, opened at first use."""

    def __init__(self, port, tls=False):
        self.port = port
        self.tls = tls
        self.socket = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.socket:
            self.socket.close()
            self.socket = None

    def open(self):
        if self.socket:
            return
        self.socket = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.tls:
            # Who the gateway is does not matter here; the demo's curl verifies it.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket, server_hostname="canary.example.com")
        self.rest = b""

    def request(self, method="GET", **request):
        self.send(request_bytes(method, **request))
        return self.response(method)

    def send(self, data):
        self.open()
        self.socket.sendall(data)

    def response(self, method="GET"):
        """The next response; afterwards the connection is closed if Envoy says so."""
        head = self._until(b"\r\n\r\n").decode("latin-1")
        first, *lines = head[:-4].split("\r\n")
        status = int(first.split(" ", 2)[1])
        headers = [tuple(line.split(": ", 1)) if ": " in line else (line.rstrip(":"), "") for line in lines]
        response = Response(status, headers, b"")
        if method != "HEAD" and status not in (101, 204, 304):
            response.body = self._body(response)
        if (response.value("connection") or "").lower() == "close":
            self.close()
        return response

    def read(self, size):
        """Bytes after the headers, of an upgraded connection."""
        while len(self.rest) < size:
            self._more()
        data, self.rest = self.rest[:size], self.rest[size:]
        return data

    def _body(self, response):
        if length := response.value("content-length"):
            return self.read(int(length))
        if response.value("transfer-encoding") != "chunked":
            raise Closed(f"a response without a length: {response}")
        body = b""
        while size := int(self._until(b"\r\n").split(b";")[0], 16):
            body += self.read(size + 2)[:-2]
        self._until(b"\r\n")
        return body

    def _until(self, mark):
        while mark not in self.rest:
            self._more()
        at = self.rest.index(mark) + len(mark)
        data, self.rest = self.rest[:at], self.rest[at:]
        return data

    def _more(self):
        data = self.socket.recv(65536)
        if not data:
            self.close()
            raise Closed("closed by the gateway")
        self.rest += data


def ask_all(connections, requests):
    """All requests in turn over the connections, many on the way at once; the responses in their order."""
    for at, connection in enumerate(connections):
        connection.send(b"".join(requests[at :: len(connections)]))
    turns = itertools.cycle(connections)
    return [next(turns).response() for _ in requests]
