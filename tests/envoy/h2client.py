"""An HTTP/2 client over TLS that sends headers exactly as they are given (cookie crumbs stay crumbs)."""

import socket
import ssl

import h2.config
import h2.connection
import h2.events
from client import PATIENCE, Closed, Response


class H2Connection:
    def __init__(self, port):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        plain = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket = context.wrap_socket(plain, server_hostname="canary.example.com")
        assert self.socket.selected_alpn_protocol() == "h2"
        # A client that is not well-behaved must be possible.
        config = h2.config.H2Configuration(
            client_side=True, header_encoding=None, validate_outbound_headers=False, normalize_outbound_headers=False
        )
        self.h2 = h2.connection.H2Connection(config)
        self.h2.initiate_connection()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def request(self, method="GET", path="/", host="canary.example.com", headers=()):
        stream = self.h2.get_next_available_stream_id()
        pseudo = [(":method", method), (":scheme", "https"), (":authority", host), (":path", path)]
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in [*pseudo, *headers]]
        self.h2.send_headers(stream, encoded, end_stream=True)
        self.socket.sendall(self.h2.data_to_send())
        response = None
        while True:
            data = self.socket.recv(65536)
            if not data:
                raise Closed("closed by the gateway")
            events = self.h2.receive_data(data)
            for event in events:
                if isinstance(event, h2.events.ResponseReceived):
                    decoded = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers]
                    response = Response(int(dict(decoded)[":status"]), decoded, b"")
                elif isinstance(event, h2.events.DataReceived):
                    response.body += event.data
                    self.h2.acknowledge_received_data(event.flow_controlled_length, stream)
                elif isinstance(event, h2.events.StreamReset):
                    # Envoy resets what it finds malformed.
                    return Response(400, [], b"")
            self.socket.sendall(self.h2.data_to_send())
            if any(isinstance(event, h2.events.StreamEnded) for event in events):
                return response
