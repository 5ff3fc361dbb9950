"""Requests of random bytes: each is answered, none by a failed filter.

The full number goes through the newest released Istio's Envoy, a tenth of it through the others.
SEED=NUMBER repeats a run.
"""

import os
import random
import re

import metrics
import pytest
from client import Closed, Connection, request_bytes
from cookies import minute
from gateway import Envoy, Plugin, bootstrap, connection_manager, echo_apps, listener, subset_routes
from load import BATCH

FULL, REQUESTS = "1.39.3", 100_000
CONNECTIONS = 4

CONFIG = {
    "responseHeader": "x-subset",
    "rules": [
        {
            "name": "known",
            "hosts": ["canary.example.com"],
            "match": [{"queryParams": {"q": {}}}, {"claims": {"group": {"prefix": "b"}}}],
            "split": [{"subset": "v1", "weight": 1}, {"subset": "v2", "weight": 1}],
            "sticky": {
                "keys": [{"claim": "sub"}, {"header": "x-a"}, {"queryParam": "q"}, {"cookie": "a"}, {"remoteIp": True}],
                "cookie": {"name": "m", "ttl": "1m", "draw": "client"},
                "onWeightChange": "keep",
            },
        },
        {
            "name": "testers",
            "hosts": ["canary.example.com"],
            "match": [{"headers": {"x-key": {"exact": "k"}}}],
            "subset": "v2",
        },
        {"name": "nowhere", "hosts": ["*.test", "[::1]"], "match": [{"uri": {"prefix": "/none"}}], "subset": "v1"},
        {
            "name": "many",
            "hosts": ["*.example.com", "example.org"],
            "match": [
                {"uri": {"regex": "/a+(b|c)*/.*"}},
                {"cookies": {"beta": {"regex": "[01]|.*=.*"}}},
                {"queryParams": {"q": {"prefix": "%"}}},
                {"headers": {"x-a": {"regex": ".+é.*|a.*"}}, "withoutHeaders": {"x-b": {"prefix": "b"}}},
            ],
            "split": [{"subset": "v1", "weight": 1}, {"subset": "v2", "weight": 1}],
            "sticky": {"cookie": {"name": "n", "ttl": "1m"}},
        },
        {
            "name": "httpbin",
            "match": [{"withoutHeaders": {"x-c": {}}}],
            "split": [{"subset": "v1", "weight": 80}, {"subset": "v2", "weight": 20}],
            "sticky": {"cookie": {}},
        },
    ]
}
OURS = re.compile(
    r"(?:[mn]=1\.[0-9a-f]{8}\.[0-9a-f]{7}(?:\.v[12]\.[0-9a-f]{16})?; Path=/; Max-Age=60|canary-httpbin=1\.[0-9a-f]{8}\.[0-9a-f]{7}; Path=/; Max-Age=2592000)"
    r"; HttpOnly; SameSite=Lax"
)
# Nothing else may be in a response; `x-served-by` and `x-seen` are the application's.
NAMES = {"date", "server", "content-length", "content-type", "connection", "set-cookie", "x-served-by", "x-seen"}
NAMES |= {"x-subset", "transfer-encoding", "x-envoy-upstream-service-time", "location"}

METHODS = ["GET"] * 6 + ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"]
HOSTS = [
    "canary.example.com",
    "CANARY.example.com:8443",
    "a.b.example.com.",
    "example.org",
    "x.test",
    "[::1]:80",
    "127.0.0.1",
]
PATHS = ["/", "/a/b?c=d", "/aab/x", "/none", "/?q=%zz&q", "//../%2e%2E/a?=&&=", "/x;y?q=%", "/?"]
COOKIES = [
    "canary-httpbin=1.feedface.{now}",
    "m=1.00000001.{now}",
    "beta=1",
    "m=1.0000000",
    'm="1.00000001.{now}"',
    "=",
    ";",
    "m",
    "beta",
    "a=b",
]
HEADERS = [
    "x-a",
    "x-b",
    "x-c",
    "x-key",
    "x-canary-subset",
    "X-Canary-Subset",
    "origin",
    "access-control-request-method",
    "referer",
    "te",
]
# What a header's value may hold, and what Envoy is to refuse.
VALID = bytes([9, *range(32, 127), *range(128, 256)])
TO_VALID = bytes(VALID[byte % len(VALID)] for byte in range(256))
VISIBLE = bytes(byte for byte in VALID if byte > 32)
TO_VISIBLE = bytes(VISIBLE[byte % len(VISIBLE)] for byte in range(256))
TO_ASCII = bytes(33 + byte % 94 for byte in range(256))
TO_HOST = bytes(b"abcXYZ019-._~%:[]*"[byte % 18] for byte in range(256))


class Fuzz:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.now = minute()

    def request(self):
        rng = self.rng
        method = rng.choice(METHODS)
        host, path = rng.choice(HOSTS), rng.choice(PATHS)
        # Most of them are mild, so that they get beyond Envoy's own checks.
        if rng.random() < 0.2:
            host = self.mutate(host, rng.choice([TO_HOST, TO_HOST, TO_VISIBLE]))
        if rng.random() < 0.3:
            path = "/" + self.mutate(path, rng.choice([TO_ASCII, TO_ASCII, TO_VISIBLE]))
        headers = []
        for _ in range(rng.choice([0, 1, 1, 1, 2])):
            pairs = [self.mutate(rng.choice(COOKIES), TO_VALID, 0.5) for _ in range(rng.choice([1, 2, 3, 10]))]
            headers.append(("cookie", rng.choice(["; ", ";", " ;", "; ;"]).join(pairs).replace("{now}", self.now)))
        for _ in range(rng.choice([0, 0, 1, 2, 4])):
            name = rng.choice(HEADERS)
            if rng.random() < 0.1:
                name = "x-" + re.sub("[^-a-zA-Z0-9]", "", self.noise(TO_VISIBLE))
            headers.append((name, rng.choice(["k", "a", "v2", self.noise(TO_VALID), self.noise(TO_VALID)])))
        request = request_bytes(method, path, host, headers)
        if rng.random() < 0.02:
            request = self.rude(request)
        return method, request

    def noise(self, table):
        return self.rng.randbytes(self.rng.choice([0, 1, 3, 10, 40, 300])).translate(table).decode("latin-1")

    def mutate(self, text, table, how_often=1.0):
        rng = self.rng
        if rng.random() > how_often:
            return text
        at = rng.randrange(len(text) + 1)
        return text[:at] + self.noise(table) + text[at + rng.choice([0, 0, 1, 3]) :]

    def rude(self, request):
        """Control characters too, but still one request: no empty line before its end."""
        at = self.rng.randrange(len(request) - 4)
        request = request[:at] + self.rng.randbytes(3) + request[at:]
        lines = re.sub(rb"[\r\n]*\n[\r\n]*", b"\r\n", request[:-4])
        return lines.strip(b"\r\n") + b"\r\n\r\n"


@pytest.fixture
def gateway(version, tmp_path, certificate):
    plugin = Plugin("istio-system.canary", tmp_path)
    plugin.write(CONFIG)
    manager = connection_manager("http", [plugin.filter()], subset_routes())
    apps, clusters = echo_apps(tmp_path)
    with Envoy(version, bootstrap([listener("http", manager, certificate), *apps], clusters), concurrency=2) as envoy:
        yield envoy


def check(response):
    assert response.status < 500
    assert {name for name, _ in response.headers} <= NAMES
    assert all(OURS.fullmatch(line) for line in response.values("set-cookie"))
    if "x-subset" in (name for name, _ in response.headers):
        assert response.values("x-subset") in (["v1"], ["v2"])
    if response.status == 200:
        assert (response.value("x-seen"), response.value("x-served-by")) in (
            ("v1", "v1"),
            ("v2", "v2"),
            ("-", "v1"),
            (None, "v1"),
        )


def test_random_bytes(version, gateway):
    seed = int(os.environ.get("SEED") or random.randrange(2**32))
    print(f"SEED={seed}")
    fuzz = Fuzz(seed)
    total = REQUESTS if version == FULL else REQUESTS // 10
    port = gateway.port("http")
    pipes = [Pipe(port) for _ in range(CONNECTIONS)]
    asked = 0
    while any(pipe.waiting for pipe in pipes) or asked < total:
        for pipe in pipes:
            while len(pipe.waiting) < BATCH and asked < total:
                pipe.waiting.append(fuzz.request())
                asked += 1
            pipe.send()
        for pipe in pipes:
            for request, response in pipe.receive():
                try:
                    check(response)
                except AssertionError as error:
                    said = f"SEED={seed}, the request was {request!r}, the response {response}"
                    raise AssertionError(f"{said}\n{error}") from error
    counts = {key: sum(getattr(pipe, key) for pipe in pipes) for key in ("answered", "refused", "closed")}
    print(f"{version}: {counts}")
    assert counts["answered"] + counts["closed"] == total
    for pipe in pipes:
        pipe.connection.close()
    check_alive(gateway, counts["answered"])


class Pipe:
    """A connection with many requests on the way. After one that it refuses Envoy closes: those behind it go again."""

    def __init__(self, port):
        self.connection = Connection(port)
        self.waiting = []
        self.alone = False
        self.answered = self.refused = self.closed = 0

    def send(self):
        self.sent = self.waiting[:1] if self.alone else self.waiting[:]
        try:
            if self.sent:
                self.connection.send(b"".join(request for _, request in self.sent))
        except ConnectionError:
            pass  # Closed meanwhile; what was answered before can still be read.

    def receive(self):
        before = self.answered
        for method, request in self.sent:
            try:
                response = self.connection.response(method)
            except (Closed, ConnectionError):
                self.connection.close()
                break
            self.answered += 1
            self.refused += response.status >= 400
            self.waiting.pop(0)
            yield request, response
            if not self.connection.socket:
                break
        # The answer to a refused request can be lost with what lies behind it: that one goes alone, and once.
        stuck = self.sent and self.answered == before
        if stuck and self.alone:
            self.waiting.pop(0)
            self.closed += 1
        self.alone = bool(stuck) and not self.alone


def check_alive(envoy, answered):
    """Most requests got as far as the filter, each counted once, and it is as it was."""
    requests, responses = metrics.counted(envoy)
    print(f"{requests} through the filter")
    assert requests >= answered * 0.7
    assert requests == responses
    counters = envoy.stats("wasmcustom.rule=")
    for rule in ("testers", "nowhere", "many", "httpbin", ""):
        assert any(f"rule=.={rule};" in name for name in counters), f"no request for rule {rule!r}"
    stats = envoy.stats("http.http.")
    assert stats["http.http.downstream_rq_5xx"] == 0
    assert stats["http.http.downstream_cx_destroy_remote_active_rq"] == 0
    assert envoy.stat("wasm.istio-system.canary.vm_reload") == 0
    assert metrics.vms(envoy) == 4, "a VM was lost, or made again"
    loud = [entry for entry in envoy.log() if entry[0] in ("error", "critical") or "panicked" in entry[2]]
    assert loud == []
    connections = [Connection(envoy.port("http")) for _ in range(4)]
    for connection in connections:
        with connection:
            first = connection.request()
            (line,) = first.values("set-cookie")
            assert OURS.fullmatch(line)
            again = connection.request(headers=[("cookie", line.split(";")[0])])
            assert again.value("x-seen") == first.value("x-seen")
