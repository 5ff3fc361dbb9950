"""v1: httpbin. Arguments: its port (default: the system's choice) and address; it prints the port when it is ready."""

import sys

import httpbin
import waitress

server = waitress.create_server(
    httpbin.app,
    host=sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1",
    port=int(sys.argv[1]) if len(sys.argv) > 1 else 0,
    threads=8,
    # Without it waitress would drop what the gateway says about the client.
    clear_untrusted_proxy_headers=False,
)
print(server.effective_port, flush=True)
server.run()
