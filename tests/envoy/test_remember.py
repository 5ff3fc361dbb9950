"""A tester opens a link once, stays on every gateway, and can leave again."""

import pytest
from client import Connection
from configs import split_rule
from gateway import HEADER, Envoy, Plugin, bootstrap, connection_manager, echo_apps, header_match, listener, route

SEAL = "0123456789abcdef"
LINK, LEAVE = "/?canary=3fb1", "/?canary=off"


def config(subset="v2", seal=SEAL):
    """Testers by a link; everybody else is v1's and sticks."""
    forget = [{"queryParams": {"canary": {"exact": "off"}}}]
    testers = {
        "name": "testers",
        "match": [{"queryParams": {"canary": {"exact": "3fb1"}}}],
        "subset": subset,
        "remember": {"cookie": {"ttl": "24h"}, "forget": forget},
    }
    return {"seal": seal, "rules": [testers, split_rule(1, 1, sticky={"cookie": {}})]}


@pytest.fixture(scope="module")
def gateways(version, tmp_path_factory):
    """Two Envoys that have nothing in common but the config."""

    def start(name):
        directory = tmp_path_factory.mktemp(name)
        plugin = Plugin("istio-system.remember", directory)
        plugin.write(config())
        routes = [route("v2", headers=[header_match(HEADER, prefix="v2.")]), route("v1")]
        manager = connection_manager("remember", [plugin.filter()], routes)
        apps, clusters = echo_apps(directory)
        return Envoy(version, bootstrap([listener("remember", manager), *apps], clusters), concurrency=2), plugin

    with (one := start("one"))[0], (other := start("other"))[0]:
        yield one, other


class Browser:
    """Keeps cookies by their names, and drops those that have no time to live."""

    def __init__(self, gateways):
        self.ports = [envoy.port("remember") for envoy, _ in gateways]
        self.jar = {}
        self.visits = 0

    def open(self, path="/"):
        """The subset that a page comes from, and the cookies that it brings."""
        port = self.ports[self.visits % len(self.ports)]
        self.visits += 1
        line = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        with Connection(port) as connection:
            response = connection.request(path=path, headers=[("cookie", line)] if line else [])
        assert response.status == 200
        for cookie in response.values("set-cookie"):
            name, value = cookie.split(";")[0].split("=", 1)
            if "; Max-Age=0" in cookie:
                self.jar.pop(name, None)
            else:
                self.jar[name] = value
        return response.value("x-served-by"), sorted(response.cookies())


def put(gateways, config):
    for envoy, plugin in gateways:
        plugin.update(envoy, config)


def test_a_link_is_remembered_on_every_gateway_until_the_tester_leaves(gateways):
    put(gateways, config())
    browser = Browser(gateways)
    assert browser.open(LINK) == ("v2", ["canary-testers"])
    for _ in range(20):
        assert browser.open() == ("v2", [])
    kept = dict(browser.jar)
    # Leaving takes one cookie away, and the next rule gives its own on the same response.
    home, cookies = browser.open(LEAVE)
    assert cookies == ["canary-httpbin", "canary-testers"]
    assert set(browser.jar) == {"canary-httpbin"}
    for _ in range(20):
        assert browser.open() == (home, [])
    # Who has copied the cookie is still remembered: it is the browser that forgets.
    browser.jar |= kept
    assert browser.open() == ("v2", [])
    for envoy, _ in gateways:
        counted = envoy.stats("wasmcustom.rule=.=testers;.;subset=.=v2;.;source=.=remembered")
        assert sum(counted.values()) >= 10, counted


def test_nobody_is_remembered_for_another_subset_or_under_another_seal(gateways):
    browser = Browser(gateways)
    put(gateways, config())
    browser.open(LINK)
    for other in (config(subset="v1"), config(seal=SEAL[::-1])):
        put(gateways, other)
        assert browser.open()[1] == ["canary-httpbin"], "decided by the next rule"
        del browser.jar["canary-httpbin"]
        put(gateways, config())
        assert browser.open() == ("v2", [])
