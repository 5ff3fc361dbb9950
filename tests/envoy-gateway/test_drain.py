"""What an edit of the config costs clients: it is in the listener, whose connections Envoy drains."""

import pytest
from client import Closed, Connection
from gateway import until
from h2client import H2Connection
from here import changed, one
from hyperframe.frame import Frame, GoAwayFrame
from upstream import Answer, Upstream

HTTP, HTTPS = 80, 443
WEBSOCKET = [("connection", "upgrade"), ("upgrade", "websocket")]


@pytest.fixture
def websockets():
    """Applications that upgrade every connection, until they are told otherwise."""
    with Upstream() as servers:
        servers.answer = Answer(status=101, headers=WEBSOCKET)
        yield servers


def received(connection):
    """The frames up to the end of the next response."""
    frames, data = [], b""
    while not any("END_STREAM" in frame.flags for frame in frames):
        data += connection.socket.recv(65536)
        while len(data) >= 9:
            frame, size = Frame.parse_frame_header(memoryview(data[:9]))
            frame.parse_body(memoryview(data[9 : 9 + size]))
            frames.append(frame)
            data = data[9 + size :]
    return frames


def ask(connection):
    """Another request over HTTP/2."""
    headers = {":method": "GET", ":scheme": "https", ":authority": "canary.example.com", ":path": "/"}
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    connection.h2.send_headers(connection.h2.get_next_available_stream_id(), encoded, end_stream=True)
    connection.socket.sendall(connection.h2.data_to_send())


def test_an_edit_of_the_config_drains_the_connections_of_its_listener_and_no_others(start, shipped, websockets):
    def to_websockets(objects):
        for version, port in websockets.ports.items():
            (endpoint,) = one(objects, "Backend", f"httpbin-{version}")["spec"]["endpoints"]
            endpoint["ip"]["port"] = port

    def weigh(objects):
        one(objects, "EnvoyExtensionPolicy")["spec"]["wasm"][0]["config"]["rules"][0]["split"][1]["weight"] = 30

    def route(objects):
        one(objects, "HTTPRoute", "httpbin")["spec"]["rules"].reverse()

    objects = changed(shipped, to_websockets)
    envoy = start(objects)
    with (
        Connection(HTTPS, tls=True) as websocket,
        Connection(HTTPS, tls=True) as secure,
        Connection(HTTP) as plain,
        H2Connection(HTTPS) as h2,
    ):
        assert websocket.request(headers=WEBSOCKET).status == 101
        websockets.answer = Answer()
        connections = [secure, plain, h2]
        assert [each.request().status for each in connections] == [200, 301, 200]

        # A route is no part of a listener.
        version = envoy.stat("http.https-443.rds.canary/httpbin/https.update_success")
        envoy.apply(changed(objects, route))
        until(lambda: envoy.stat("http.https-443.rds.canary/httpbin/https.update_success") > version, envoy.explain("the routes"))
        assert [each.request().value("connection") for each in connections] == [None, None, None]

        envoy.update(changed(objects, weigh))
        websocket.send(b"still there")
        assert websocket.read(11) == b"still there"
        assert secure.request().value("connection") == "close"
        ask(h2)
        assert any(isinstance(frame, GoAwayFrame) for frame in received(h2))
        assert plain.request().value("connection") is None
        # When the drain ends, whatever is still open is cut off.
        with pytest.raises(Closed):
            websocket.read(1)
        assert plain.request().value("connection") is None
