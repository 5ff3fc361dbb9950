"""Weights that somebody else owns: Envoy picks by the position that the filter writes (`weighted_clusters.header_name`)."""

import pytest
from chance import within_5_sigma
from client import Connection, ask_all, request_bytes
from gateway import Envoy, Plugin, bootstrap, connection_manager, echo_apps, listener, route

VISITORS = 4000
HEADER = "x-canary-draw"
# As Argo Rollouts and Flagger write them; Istio leaves out what has no weight.
STEPS = {"0": (100, 0), "10": (90, 10), "20": (80, 20), "50": (50, 50), "100": (0, 100)}


def adopted(v1, v2):
    """The action of a route with these weights, as the generated EnvoyFilter leaves it."""
    clusters = [{"name": name, "weight": weight} for name, weight in {"v1": v1, "v2": v2}.items() if weight]
    weighted = {"clusters": clusters, "header_name": HEADER}
    return {"route": {"weighted_clusters": weighted, "timeout": "0s"}, "request_headers_to_remove": [HEADER]}


@pytest.fixture(scope="module")
def gateway(version, tmp_path_factory, certificate):
    directory = tmp_path_factory.mktemp("adopt")
    plugin = Plugin("istio-system.adopt", directory)
    sticky = {"keys": [{"header": "x-user"}], "cookie": {}}
    plugin.write({"rules": [{"name": "shop", "adopt": {}, "sticky": sticky}]})
    managers = {name: connection_manager(name, [plugin.filter()], [route(adopted(*step))]) for name, step in STEPS.items()}
    apps, clusters = echo_apps(directory)
    listeners = [listener(name, manager, certificate) for name, manager in managers.items()]
    with Envoy(version, bootstrap([*listeners, *apps], clusters), concurrency=2) as envoy:
        yield envoy


def ask(envoy, name, requests):
    connections = [Connection(envoy.port(name)) for _ in range(8)]
    for connection in connections:
        connection.open()
    answers = ask_all(connections, requests)
    for connection in connections:
        connection.close()
    assert {answer.status for answer in answers} == {200}
    return answers


def on_v2(answers):
    """The visitors that v2 answered, by their numbers."""
    return {number for number, answer in enumerate(answers) if answer.value("x-served-by") == "v2"}


def by_key(envoy, name, *more):
    return on_v2(ask(envoy, name, [request_bytes(headers=[("x-user", f"user-{n}"), *more]) for n in range(VISITORS)]))


def test_visitors_share_as_the_weights_say_and_no_edit_moves_anybody_without_need(gateway):
    seen = [by_key(gateway, name) for name in STEPS]
    for (_, weight), v2 in zip(STEPS.values(), seen, strict=True):
        assert within_5_sigma(len(v2), VISITORS, weight / 100) if 0 < weight < 100 else len(v2) == VISITORS * weight / 100
    for before, after in zip(seen, seen[1:], strict=False):
        assert before <= after, "the canary's visitors stay there while its weight grows"


def test_a_cookie_holds_the_visitor_on_the_first_page_and_through_each_weight(gateway):
    first = ask(gateway, "20", [request_bytes()] * VISITORS)
    jars = [[("cookie", f"canary-shop={answer.cookies()['canary-shop']}")] for answer in first]
    for _ in range(2):
        assert on_v2(ask(gateway, "20", [request_bytes(headers=jar) for jar in jars])) == on_v2(first)
    assert on_v2(first) <= on_v2(ask(gateway, "50", [request_bytes(headers=jar) for jar in jars]))


def test_no_client_says_where_it_goes(gateway):
    numbers = [str(number) for number in (0, 1, 79, 80, 99, 100, 2**32 - 1)]
    expected = by_key(gateway, "20")
    assert 0 < len(expected) < VISITORS
    for number in numbers[:2] + numbers[-2:]:
        assert by_key(gateway, "20", (HEADER, number)) == expected
    assert by_key(gateway, "20", (HEADER, "80"), (HEADER, "81")) == expected


def test_whoever_is_counted_has_a_rule_and_no_subset(gateway):
    before = gateway.stats("wasmcustom.rule=.=shop")
    ask(gateway, "20", [request_bytes(headers=[("x-user", "alice")])])
    after = gateway.stats("wasmcustom.rule=.=shop")
    assert {name for name in after if after[name] != before.get(name, 0)} == {
        "wasmcustom.rule=.=shop;.;subset=.=;.;source=.=key;.;canary_requests_total",
        "wasmcustom.rule=.=shop;.;subset=.=;.;code_class=.=2xx;.;canary_responses_total",
    }
