"""What visitors go through: each keeps the cookies that it is given, and sends them with every later request."""

import pytest
from client import Connection
from configs import split_rule
from gateway import HEADER, Envoy, Plugin, bootstrap, connection_manager, echo_apps, header_match, listener, route

VISITORS = 300
USER = "x-user"


def redirect(prefix, **more):
    return route({"redirect": {"https_redirect": True, **more}}, prefix)


@pytest.fixture(scope="module")
def gateway(version, tmp_path_factory):
    """Plain http, as behind a load balancer that ends TLS; `/login` leads to another host over https, `/secure` to this one."""
    directory = tmp_path_factory.mktemp("visitors")
    plugin = Plugin("istio-system.visitors", directory)
    plugin.write({"rules": []})
    routes = [
        redirect("/login", host_redirect="login.example.com"),
        redirect("/secure"),
        route("v2", headers=[header_match(HEADER, exact="v2")]),
        route("v1"),
    ]
    apps, clusters = echo_apps(directory)
    manager = connection_manager("http", [plugin.filter()], routes)
    with Envoy(version, bootstrap([listener("http", manager), *apps], clusters), concurrency=2) as envoy:
        yield envoy, plugin


class Crowd:
    """Visitors, each with a jar of cookies."""

    def __init__(self, gateway, number=VISITORS):
        envoy, self.plugin = gateway
        self.envoy = envoy
        self.jars = [{} for _ in range(number)]
        self.connections = [Connection(envoy.port("http")) for _ in range(8)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for connection in self.connections:
            connection.close()

    def put(self, *rules):
        self.plugin.update(self.envoy, {"responseHeader": "x-subset", "rules": list(rules)})

    def visit(self, path, headers=lambda number: []):
        """The version of each of them; what they are given goes into the jars."""
        self.answers = []
        for number, jar in enumerate(self.jars):
            cookie = [("cookie", "; ".join(f"{name}={value}" for name, value in jar.items()))] if jar else []
            connection = self.connections[number % len(self.connections)]
            self.answers.append(connection.request(path=path, headers=[*headers(number), *cookie]))
            jar.update(self.answers[-1].cookies())
        return [answer.value("x-subset") for answer in self.answers]

    def given(self):
        """How many were given a cookie at the last visit."""
        return sum(bool(answer.values("set-cookie")) for answer in self.answers)


def user(number):
    return [(USER, f"user-{number}")]


def moved(before, after):
    assert set(before) == {"v1", "v2"}, "some at each version, or nobody could move"
    return sum(one != other for one, other in zip(before, after, strict=True))


def test_trial_34_a_login_that_begins_at_one_version_ends_there(gateway):
    with Crowd(gateway) as crowd:
        crowd.put(split_rule(50, 50, sticky={"cookie": {}}))
        begun = crowd.visit("/login")
        assert {answer.status for answer in crowd.answers} == {301}
        assert crowd.given() == VISITORS
        assert moved(begun, crowd.visit("/callback")) == 0


def test_trial_34_on_the_way_to_https_of_the_same_host_no_cookie_is_given_unless_secure_says_so(gateway):
    with Crowd(gateway) as crowd:
        crowd.put(split_rule(50, 50, sticky={"cookie": {}}))
        crowd.visit("/secure")
        assert crowd.given() == 0
        crowd.put(split_rule(50, 50, sticky={"cookie": {"secure": True}}))
        begun = crowd.visit("/secure")
        assert crowd.given() == VISITORS
        assert moved(begun, crowd.visit("/callback")) == 0


def test_trial_35_pages_and_api_calls_of_a_browser_go_to_the_same_version(gateway):
    with Crowd(gateway) as crowd:
        crowd.put(split_rule(50, 50, sticky={"keys": [{"header": USER}], "cookie": {}}))
        crowd.visit("/")
        api = crowd.visit("/api", user)
        # A visitor who logs in moves to the version of the user, and stays there without the key too.
        assert moved(api, crowd.visit("/")) == 0
        assert moved(api, crowd.visit("/api", user)) == 0
        assert crowd.given() == 0


def test_trial_36_a_drain_moves_nobody_where_another_rule_wants_the_same_cookie(gateway):
    def rules(v1, v2):
        sticky = {"cookie": {"name": "c"}, "onWeightChange": "keep"}
        shop = split_rule(v1, v2, "shop", match=[{"uri": {"prefix": "/shop"}}], sticky=sticky)
        return shop, split_rule(1, 1, "blog", match=[{"uri": {"prefix": "/blog"}}], sticky=sticky)

    with Crowd(gateway) as crowd:
        crowd.put(*rules(50, 50))
        assert any("rules[1].sticky.cookie.name" in line for line in crowd.envoy.errors(crowd.plugin)), "the later one is off"
        first = crowd.visit("/shop")
        crowd.visit("/blog")
        crowd.put(*rules(100, 0))
        assert moved(first, crowd.visit("/shop")) == 0


def test_trial_40_only_pages_give_a_cookie_and_what_a_page_loads_comes_from_its_version(gateway):
    def page(_):
        return [("sec-fetch-mode", "navigate"), ("accept", "text/html")]

    def script(_):
        return [("sec-fetch-mode", "no-cors"), ("accept", "*/*")]

    with Crowd(gateway) as crowd:
        crowd.put(split_rule(50, 50, sticky={"cookie": {"on": "pages"}}))
        crowd.visit("/app.js", script)
        assert crowd.given() == 0
        pages = crowd.visit("/", page)
        assert crowd.given() == VISITORS
        assert moved(pages, crowd.visit("/app.js", script)) == 0
        assert crowd.given() == 0


def test_trial_40_while_one_version_has_all_the_weight_nobody_gets_a_cookie_and_who_has_one_keeps_it(gateway):
    with Crowd(gateway) as crowd:
        crowd.put(split_rule(50, 50, sticky={"cookie": {}}))
        before = crowd.visit("/")
        kept = [dict(jar) for jar in crowd.jars]
        crowd.put(split_rule(100, 0, sticky={"cookie": {}}))
        assert set(crowd.visit("/")) == {"v1"} and crowd.given() == 0
        with Crowd(gateway) as newcomers:
            assert set(newcomers.visit("/")) == {"v1"} and newcomers.given() == 0
        crowd.put(split_rule(50, 50, sticky={"cookie": {}}))
        assert moved(before, crowd.visit("/")) == 0 and crowd.jars == kept
