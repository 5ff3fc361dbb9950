"""An OCI registry that has one image."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Registry:
    """Serves the blobs of an OCI layout, by their digests."""

    def __init__(self, layout):
        blobs = {f"sha256:{each.name}": each.read_bytes() for each in (layout / "blobs/sha256").iterdir()}

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                digest = self.path.rpartition("/")[2]
                found = blobs.get(digest, b"") if digest else b""
                self.send_response(200 if found or not digest else 404)
                if "/manifests/" in self.path:
                    self.send_header("content-type", "application/vnd.oci.image.manifest.v1+json")
                self.send_header("content-length", str(len(found)))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(found)

            do_HEAD = do_GET

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return f"127.0.0.1:{self.server.server_address[1]}"

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
