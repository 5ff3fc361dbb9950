"""What a person sees: a real browser, over https, against the demo's stack."""

import time

import pytest
from configs import split_rule
from demo import TITLES

VERSIONS = {title: version for version, title in TITLES.items()}
COOKIE = "canary-httpbin"


def config(v1, v2, **sticky):
    return {"rules": [split_rule(v1, v2, sticky={"cookie": {}} | sticky)]}


@pytest.fixture
def put(stack):
    """Puts a config in force, as a change of pluginConfig does."""
    stack.apply("sticky")
    return stack.configure


def visit(page, stack):
    page.goto(stack.base)
    return VERSIONS[page.title()]


def our_cookie(context):
    (cookie,) = [cookie for cookie in context.cookies() if cookie["name"] == COOKIE]
    return cookie


def draw(context):
    return our_cookie(context)["value"].split(".")[1]


def at_home(context, stack, version):
    """A page of a visitor who lives in this version; who does not is sent away as somebody new."""
    page = context.new_page()
    while visit(page, stack) != version:
        context.clear_cookies()
    return page


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_twenty_reloads_stay(browser, stack, put, version):
    put(config(50, 50))
    page = at_home(browser, stack, version)
    value = our_cookie(browser)["value"]
    for _ in range(20):
        page.reload()
        assert VERSIONS[page.title()] == version
    assert our_cookie(browser)["value"] == value


def test_a_browser_that_is_closed_and_opened_again_stays(chromium, stack, put, tmp_path):
    put(config(50, 50))
    with chromium(tmp_path) as context:
        at_home(context, stack, "v2")
        value = our_cookie(context)["value"]
    for _ in range(3):
        with chromium(tmp_path) as context:
            assert visit(context.new_page(), stack) == "v2"
            assert our_cookie(context)["value"] == value


def test_a_private_window_draws_again(browser, chromium, stack, put, tmp_path):
    put(config(50, 50))
    visit(browser.new_page(), stack)
    # What Chromium calls incognito: nothing of the profile is in it.
    with browser.browser.new_context() as private:
        assert private.cookies() == []
        visit(private.new_page(), stack)
        assert draw(private) != draw(browser)


def test_the_browser_sees_the_attributes_that_are_configured(browser, stack, put):
    put(config(50, 50))
    page = browser.new_page()
    visit(page, stack)
    cookie = our_cookie(browser)
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Lax")
    assert (cookie["domain"], cookie["path"]) == ("canary.localhost", "/")
    assert abs(cookie["expires"] - time.time() - 720 * 3600) < 60
    assert COOKIE not in page.evaluate("document.cookie")


@pytest.mark.parametrize(
    ("cookie", "expected"),
    [
        ({"ttl": "0s"}, {"expires": -1}),
        ({"sameSite": "Strict"}, {"sameSite": "Strict"}),
        ({"sameSite": "None"}, {"sameSite": "None", "secure": True}),
        ({"httpOnly": False}, {"httpOnly": False}),
        ({"name": "__Host-canary"}, {"name": "__Host-canary", "secure": True}),
        ({"name": "__Secure-canary"}, {"name": "__Secure-canary", "secure": True}),
        ({"partitioned": True}, {"secure": True}),
    ],
    ids=str,
)
def test_the_browser_takes_every_kind_of_cookie(browser, stack, put, cookie, expected):
    put(config(50, 50, cookie=cookie))
    page = browser.new_page()
    home = visit(page, stack)
    (seen,) = browser.cookies()
    assert expected.items() <= seen.items()
    for _ in range(5):
        page.reload()
        assert VERSIONS[page.title()] == home
    assert [each["value"] for each in browser.cookies()] == [seen["value"]]


def test_the_websocket_of_v2_chats_in_the_page(browser, stack, put):
    put(config(50, 50))
    page = at_home(browser, stack, "v2")
    page.wait_for_function("document.getElementById('state').textContent === 'open'")
    page.fill("#text", "hello from a browser")
    page.click("button")
    assert page.locator("#said li").first.text_content() == "hello from a browser"


def test_under_rebalance_a_weight_of_0_sends_everybody_home(browser, stack, put):
    put(config(50, 50))
    page = at_home(browser, stack, "v2")
    put(config(100, 0))
    page.reload()
    assert VERSIONS[page.title()] == "v1"
    # And back where he or she was, with the same cookie.
    put(config(50, 50))
    page.reload()
    assert VERSIONS[page.title()] == "v2"


def test_under_keep_a_weight_of_0_drains(browser, chromium, stack, put, tmp_path):
    put(config(50, 50, onWeightChange="keep"))
    page = at_home(browser, stack, "v2")
    put(config(100, 0, onWeightChange="keep"))
    for _ in range(3):
        page.reload()
        assert VERSIONS[page.title()] == "v2"
    with chromium(tmp_path / "newcomer") as newcomer:
        assert visit(newcomer.new_page(), stack) == "v1"


PARALLEL = """async () => {
  const pages = await Promise.all([...Array(20)].map(() => fetch("/?" + Math.random(), {cache: "no-store"})));
  return Promise.all(pages.map(async (page) => (await page.text()).match(/<title>(.*?)<\\/title>/)[1]));
}"""


def test_parallel_first_requests_agree_under_draw_client(browser, stack, put):
    put(config(50, 50, cookie={"draw": "client"}))
    page = browser.new_page()
    page.goto(stack.base)
    browser.clear_cookies()
    seen = {VERSIONS[title] for title in page.evaluate(PARALLEL)}
    assert len(seen) == 1
    assert visit(page, stack) in seen


def test_once_the_cookie_is_there_parallel_requests_agree(browser, stack, put):
    put(config(50, 50))
    page = browser.new_page()
    home = visit(page, stack)
    assert {VERSIONS[title] for title in page.evaluate(PARALLEL)} == {home}
