"""The cookie on every kind of final response: once, in addition to the application's own; and what an HTTP/2 client gets."""

import re
from dataclasses import dataclass, field

import pytest
from client import Connection
from cookies import minute
from gateway import HEADER, Envoy, Plugin, bootstrap, cluster, connection_manager, listener, route, subset_routes
from h2client import H2Connection
from upstream import Answer

CONFIG = {
    "rules": [
        {
            "name": "t",
            "match": [{"withoutHeaders": {"x-no-rule": {}}}],
            "split": [{"subset": "v1", "weight": 1}, {"subset": "v2", "weight": 1}],
            "sticky": {"cookie": {}},
        }
    ]
}
COOKIE = re.compile(r"canary-t=1\.[0-9a-f]{8}\.[0-9a-f]{7}; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax(; Secure)?")
OWN = [("set-cookie", "a=b"), ("set-cookie", "c=d")]
GRPC = [("content-type", "application/grpc"), ("te", "trailers")]
WEBSOCKET = [
    ("connection", "Upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA=="),
]


@pytest.fixture(scope="module")
def envoy(version, tmp_path_factory, upstream, certificate):
    plugin = Plugin("istio-system.canary", tmp_path_factory.mktemp("plugin"))
    plugin.write(CONFIG)
    app = [{**entry, "match": {**entry["match"], "prefix": "/app"}} for entry in subset_routes()]
    slow = {"route": {"cluster": "v1", "timeout": "0.2s"}}
    routes = [
        *app,
        route({"direct_response": {"status": 200}}, "/direct"),
        route({"redirect": {"path_redirect": "/elsewhere"}}, "/redirect"),
        route({"redirect": {"https_redirect": True}}, "/to-https"),
        route("dead", "/dead"),
        route("nowhere", "/nowhere"),
        route(slow, "/slow"),
    ]
    # Nothing listens on port 1 of loopback.
    clusters = [cluster("dead", 1), *(cluster(name, port) for name, port in upstream.ports.items())]
    manager = connection_manager("http", [plugin.filter()], routes)
    with Envoy(version, bootstrap([listener("http", manager, certificate)], clusters)) as envoy:
        yield envoy


@dataclass
class Kind:
    name: str
    status: int
    path: str = "/app"
    method: str = "GET"
    headers: list = field(default_factory=list)
    answer: Answer = field(default_factory=lambda: Answer(headers=OWN))
    own: bool = True  # the application's cookies are on it


KINDS = [
    Kind("200", 200),
    Kind("200 with a body", 200, answer=Answer(200, OWN, b"x" * 100_000)),
    Kind("204", 204, answer=Answer(204, OWN)),
    Kind("302 of the application", 302, answer=Answer(302, [("location", "/login"), *OWN])),
    Kind("304", 304, answer=Answer(304, OWN)),
    Kind("404 of the application", 404, answer=Answer(404, OWN)),
    Kind("500 of the application", 500, answer=Answer(500, OWN)),
    Kind("HEAD", 200, method="HEAD"),
    Kind("POST", 200, method="POST", headers=[("content-length", "0")]),
    Kind(
        "101 websocket",
        101,
        headers=WEBSOCKET,
        answer=Answer(101, [("upgrade", "websocket"), ("connection", "upgrade"), *OWN]),
    ),
    Kind("200 after 103", 200, answer=Answer(200, OWN, early=[("link", "</style.css>")])),
    Kind(
        "gRPC error of the application",
        200,
        headers=GRPC,
        answer=Answer(200, [("content-type", "application/grpc"), ("grpc-status", "5"), *OWN]),
    ),
    Kind("direct response", 200, "/direct", own=False),
    Kind("redirect", 301, "/redirect", own=False),
    Kind("no route", 404, "/none", own=False),
    Kind("no cluster", 503, "/nowhere", own=False),
    Kind("dead application", 503, "/dead", own=False),
    Kind("reset by the application", 503, answer=Answer(fault="reset"), own=False),
    Kind("timeout", 504, "/slow", answer=Answer(fault="hang"), own=False),
    Kind("gRPC to a dead application", 200, "/dead", headers=GRPC, own=False),
]


@pytest.mark.parametrize("tls", [True, False], ids=["https", "http"])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_cookie_is_added_once(envoy, upstream, kind, tls):
    upstream.answer = kind.answer
    with Connection(envoy.port("http"), tls) as connection:
        response = connection.request(kind.method, path=kind.path, headers=kind.headers)
        while response.status == 103:
            assert response.values("set-cookie") == [], "an interim response"
            response = connection.response(kind.method)
        assert response.status == kind.status
        *own, ours = response.values("set-cookie")
        assert own == ([value for _, value in OWN] if kind.own else [])
        assert COOKIE.fullmatch(ours) and ours.endswith("; Secure") == tls
        if kind.status == 101:
            connection.send(b"any bytes")
            assert connection.read(9) == b"any bytes"

    with Connection(envoy.port("http"), tls) as connection:
        cookie = ("cookie", f"canary-t={response.cookies()['canary-t']}")
        again = connection.request(kind.method, path=kind.path, headers=[*kind.headers, cookie])
        while again.status == 103:
            again = connection.response(kind.method)
        assert again.status == kind.status
        assert not [line for line in again.values("set-cookie") if line not in ("a=b", "c=d")], "a second cookie"


def test_on_the_way_to_https_there_is_no_cookie(envoy):
    with Connection(envoy.port("http")) as connection:
        response = connection.request(path="/to-https")
        assert (response.status, response.value("location")) == (301, "https://canary.example.com/to-https")
        assert response.values("set-cookie") == []
        assert connection.request(path="/redirect").values("set-cookie") != []


def test_a_websocket_goes_where_the_cookie_says(envoy, upstream):
    upgrade = [("upgrade", "websocket"), ("connection", "upgrade")]
    served = set()
    for draw in range(16):
        cookie = ("cookie", f"canary-t=1.{draw << 28:08x}.{minute()}")
        servers = []
        for headers, answer in (([], Answer()), (WEBSOCKET, Answer(101, upgrade))):
            upstream.answer = answer
            upstream.take()
            with Connection(envoy.port("http"), tls=True) as connection:
                assert connection.request(path="/app", headers=[*headers, cookie]).status == answer.status
            servers.append(upstream.take()[0].server)
        assert servers[0] == servers[1]
        served.update(servers)
    assert served == {"v1", "v2"}


def test_crumbs_of_http2_are_one_cookie_header(envoy, upstream):
    upstream.answer = Answer()
    upstream.take()
    ours = f"canary-t=1.feedface.{minute()}"
    servers = set()
    with H2Connection(envoy.port("http")) as connection:
        for crumbs in ([ours], ["a=b", ours], [ours, "a=b"], ["a=b", "c=d", ours, "e=f"], ["a=b; c=d", f"{ours}; e=f"]):
            response = connection.request(path="/app", headers=[("cookie", crumb) for crumb in crumbs])
            assert response.status == 200
            assert response.values("set-cookie") == [], crumbs
            (seen,) = upstream.take()
            assert seen.values("cookie") == ["; ".join(crumbs).encode()]
            servers.add(seen.server)
            assert seen.values(HEADER) == [seen.server.encode()]
    assert len(servers) == 1, "one cookie, one subset"


def test_a_new_visitor_over_http2_gets_the_cookie(envoy, upstream):
    upstream.answer = Answer(headers=OWN)
    with H2Connection(envoy.port("http")) as connection:
        response = connection.request(path="/app")
        *own, ours = response.values("set-cookie")
        assert own == ["a=b", "c=d"] and COOKIE.fullmatch(ours)
        subset = upstream.take()[-1].server
        for _ in range(5):
            again = connection.request(path="/app", headers=[("cookie", f"canary-t={response.cookies()['canary-t']}")])
            assert again.values("set-cookie") == ["a=b", "c=d"]
            assert upstream.take()[-1].server == subset


SPOOFS = [
    [(HEADER, "v2")],
    [(HEADER, "v1")],
    [(HEADER, "v2"), (HEADER, "v1")],
    [(HEADER, "")],
    [(HEADER, "v2, v1")],
    [(HEADER, "\xff")],
    # A header that is named here is of this hop alone: a proxy may drop it.
    [("connection", f"keep-alive, {HEADER}")],
    [("connection", HEADER), (HEADER, "v2")],
]
H1_SPOOFS = [
    [("X-Canary-Subset", "v2"), ("X-CANARY-SUBSET", "v2")],
    [("x-canary-SUBSET ", "v2")],
    [(HEADER, "v2\r\n v1")],
]


@pytest.mark.parametrize("ruled", [True, False], ids=["by a rule", "no rule"])
@pytest.mark.parametrize("spoof", SPOOFS + H1_SPOOFS, ids=str)
def test_no_client_says_what_the_subset_is(envoy, upstream, ruled, spoof):
    upstream.answer = Answer()
    upstream.take()
    honest = [("cookie", f"canary-t=1.feedface.{minute()}")] + ([] if ruled else [("x-no-rule", "")])
    with Connection(envoy.port("http"), tls=True) as connection:
        assert connection.request(path="/app", headers=honest).status == 200
        (expected,) = upstream.take()
        answers = [connection.request(path="/app", headers=[*spoof, *honest]).status]
    if spoof in SPOOFS and not any(name == "connection" for name, _ in spoof):
        with H2Connection(envoy.port("http")) as connection:
            answers.append(connection.request(path="/app", headers=[*spoof, *honest]).status)
    seen = upstream.take()
    # Envoy refuses some of them itself; then nothing reaches the application.
    assert len(seen) == answers.count(200) and set(answers) <= {200, 400}
    for request in seen:
        assert request.values(HEADER) == ([expected.server.encode()] if ruled else [])
        assert request.server == (expected.server if ruled else "v1")
