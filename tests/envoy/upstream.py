"""An application that records what reaches it, byte by byte, and answers what it is told to."""

import asyncio
import threading
from collections import deque
from dataclasses import dataclass, field


@dataclass
class Seen:
    """A request as the application saw it."""

    server: str
    method: bytes
    path: bytes
    headers: list  # of (name, value), in bytes

    def values(self, name):
        return [value for key, value in self.headers if key == name.encode()]


@dataclass
class Answer:
    status: int = 200
    headers: list = field(default_factory=list)
    body: bytes = b""
    # Headers of an interim response (103) before it.
    early: list = field(default_factory=list)
    # After the body, which is chunked then.
    trailers: list = field(default_factory=list)
    # Instead of an answer: "hang" until the other side gives up, or "reset" the connection; after the first half of it: "cut" the
    # connection, or "stall" until the other side gives up.
    fault: str = ""


class Upstream:
    """One server per subset, all in one thread; `seen` is what has come in since it was last looked at."""

    def __init__(self, names=("v1", "v2")):
        self.names = names
        self.ports = {}
        self.answer = Answer()
        self._seen = deque()
        self._loop = asyncio.new_event_loop()
        self._connections = set()

    def __enter__(self):
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        started.wait()
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def take(self):
        """All requests since the last call."""
        taken = []
        while self._seen:
            taken.append(self._seen.popleft())
        return taken

    def _run(self, started):
        asyncio.set_event_loop(self._loop)
        servers = []
        for name in self.names:
            serve = lambda reader, writer, name=name: self._serve(name, reader, writer)
            server = self._loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0))
            self.ports[name] = server.sockets[0].getsockname()[1]
            servers.append(server)
        started.set()
        self._loop.run_forever()
        for server in servers:
            server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _serve(self, name, reader, writer):
        try:
            while await self._serve_one(name, reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _serve_one(self, name, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head[:-4].split(b"\r\n")
        method, path, _ = first.split(b" ", 2)
        headers = [tuple(line.split(b": ", 1)) if b": " in line else (line.rstrip(b":"), b"") for line in lines]
        seen = Seen(name, method, path, headers)
        await self._skip_body(seen, reader)
        self._seen.append(seen)
        answer = self.answer
        if answer.fault == "hang":
            await reader.read()
            return False
        if answer.fault == "reset":
            writer.transport.abort()
            return False
        if answer.early:
            hints = "".join(f"{key}: {value}\r\n" for key, value in answer.early)
            writer.write(f"HTTP/1.1 103 Early Hints\r\n{hints}\r\n".encode("latin-1"))
        lines = [f"HTTP/1.1 {answer.status} Said".encode()]
        lines += [f"{key}: {value}".encode("latin-1") for key, value in answer.headers]
        if answer.status == 101:
            writer.write(b"\r\n".join(lines) + b"\r\n\r\n")
            while data := await reader.read(65536):
                writer.write(data)
            return False
        if answer.trailers:
            return self._with_trailers(writer, lines, answer)
        if answer.status not in (204, 304):
            lines.append(b"content-length: %d" % len(answer.body))
        body = b"" if method == b"HEAD" else answer.body
        if answer.fault in ("cut", "stall"):
            writer.write(b"\r\n".join(lines) + b"\r\n\r\n" + body[: len(body) // 2])
            await writer.drain()
            # What is cut off at once would not have begun.
            await (asyncio.sleep(0.05) if answer.fault == "cut" else reader.read())
            return False
        writer.write(b"\r\n".join(lines) + b"\r\n\r\n" + body)
        return True

    @staticmethod
    def _with_trailers(writer, lines, answer):
        head = [*lines, b"transfer-encoding: chunked", b"trailer: grpc-status"]
        chunk = b"%x\r\n%b\r\n" % (len(answer.body), answer.body)
        trailers = "".join(f"{key}: {value}\r\n" for key, value in answer.trailers).encode("latin-1")
        writer.write(b"\r\n".join(head) + b"\r\n\r\n" + chunk + b"0\r\n" + trailers + b"\r\n")
        return True

    @staticmethod
    async def _skip_body(seen, reader):
        if length := seen.values("content-length"):
            await reader.readexactly(int(length[0]))
        elif seen.values("transfer-encoding"):
            while size := int((await reader.readline()).split(b";")[0], 16):
                await reader.readexactly(size + 2)
            await reader.readline()
