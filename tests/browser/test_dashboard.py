"""The dashboard in a real browser, for a real Envoy with visitors."""

import contextlib
import datetime
import http.server
import json
import re
import signal
import threading

import pytest
from configs import split_rule
from dashboard import Dashboard
from demo import Dots, Following, PacedCrowd, envoy, ramp_of, starting
from playwright.sync_api import Error, expect

PATIENCE = 30_000  # ms: a trip takes some seconds


def config(v1, v2, **more):
    return {"rules": [split_rule(v1, v2, sticky={"cookie": {}}, hosts=["canary.localhost"]) | more]}


@pytest.fixture
def put(stack):
    """Puts a config in force, as a change of pluginConfig does."""
    stack.apply("sticky")
    return stack.configure


@pytest.fixture
def dashboard(stack, put):
    put(config(80, 20, guard={}))
    with Dashboard(stack.applied, [stack.gateway.admin_address]) as dashboard:
        yield dashboard


@pytest.fixture
def crowd(stack):
    """Some hundred visitors, who come again and again."""
    crowd = PacedCrowd(stack.ports["https"])
    crowd.arrive()
    with crowd:
        yield crowd


@pytest.fixture
def open_(browser):
    """Opens a page of which nothing may go wrong."""
    browser.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    told = []

    def open_(dashboard, context=browser, complains=()):
        page = context.new_page()
        is_known = lambda text: any(known in text for known in complains)
        page.on("console", lambda message: is_known(message.text) or told.append(message.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.goto(dashboard.url)
        page.locator("article.rule").first.wait_for()
        return page

    yield open_
    assert told == []


def looked_again(page):
    """Waits for the next look."""
    looked = page.locator("#heartbeat").inner_text()
    expect(page.locator("#heartbeat")).not_to_have_text(looked)


def cell(page, subset, column):
    row = page.locator(".subsets tbody tr").filter(has=page.locator("th", has_text=re.compile(rf"^{subset}\b")))
    return row.locator(f"td[data-label='{column}']")


def runs(page):
    """Who owns what: (subset, from, to), as parts of the picture's width."""
    return page.evaluate("""() => {
      const picture = document.querySelector(".space svg");
      const width = picture.viewBox.baseVal.width;
      return [...picture.querySelectorAll("rect.run")].map((run) =>
        [run.dataset.subset, run.x.baseVal.value / width, (run.x.baseVal.value + run.width.baseVal.value) / width]);
    }""")


def test_the_verdict_comes_first_and_everything_below_it_agrees(open_, stack, dashboard, crowd):
    page = open_(dashboard)
    expect(page.locator("#verdicts")).to_have_text("✓ Good httpbin: 20 % on v2, the gateway has it, 0.0 % errors")
    assert page.title() == "✓ httpbin: 20 % on v2, the gateway has it, 0.0 % errors"
    # In the order of the draws: the canary grows from the first one.
    (canary, begin, at), (stable, also_at, end) = runs(page)
    assert (canary, stable) == ("v2", "v1")
    assert [begin, at, also_at, end] == pytest.approx([0, 0.2, 0.2, 1], abs=1e-4)
    for subset, weight in (("v1", 80), ("v2", 20)):
        assert cell(page, subset, "Weight").inner_text() == cell(page, subset, "In force").inner_text() == str(weight)
        for column in ("Decided", "Arrived"):
            share = float(cell(page, subset, column).inner_text().removesuffix(" %"))
            assert abs(share - weight) < 12, f"{subset} {column}: {share}"
        assert cell(page, subset, "5xx").inner_text() == "0.00 %"
    assert page.locator("#gateways tbody tr").inner_text().split("\t")[:2] == [f"istio-system/{stack.gateway.admin_address}", "has this config"]
    assert not crowd.faults


def test_shares_are_drawn_over_time_and_a_second_browser_sees_the_same(open_, chromium, dashboard, crowd, tmp_path):
    page = open_(dashboard)
    points = "Number(document.querySelector('.plots path.decided').dataset.points)"
    envoy.until(lambda: page.evaluate(points) >= 4, "four points")
    with chromium(tmp_path / "other") as context:
        other = open_(dashboard, context)
        # Not only what has come since this one was opened.
        assert other.evaluate(points) >= 4
        text = "document.getElementById('heartbeat').textContent + document.querySelector('article.rule').textContent"
        lines = "[...document.querySelectorAll('.plots path')].map((path) => path.dataset.points).join()"

        def seen(page):
            return page.evaluate(f"[{text}, {lines}]")

        envoy.until(lambda: seen(page) == seen(other), lambda: f"the same: {seen(page)} {seen(other)}")


def test_a_visitor_is_found_by_the_cookie(open_, dashboard, crowd):
    page = open_(dashboard, complains=["422"])
    for subset in ("v1", "v2"):
        cookie = next(cookie for cookie, home in crowd.homes.items() if home == subset)
        page.get_by_label("Value", exact=True).fill(cookie.split("=")[1])
        page.get_by_role("button", name="Find").click()
        expect(page.locator(".found-verdict")).to_have_text(f"{subset}, by rule httpbin, by the cookie canary-httpbin.")
        assert f"request   x-canary-subset: {subset}" in page.locator(".found pre").inner_text()
        # The mark is where that subset is.
        at = float(page.locator("path.mark").get_attribute("data-position")) / 2**32
        assert subset in [own for own, begin, end in runs(page) if begin <= at <= end]
    page.get_by_label("Known by").select_option(label="another header, as NAME: VALUE")
    page.get_by_label("Value", exact=True).fill("no colon")
    page.get_by_role("button", name="Find").click()
    expect(page.locator(".found")).to_contain_text("no colon in it")


def test_a_failing_version_that_the_guard_removes_is_seen_to_leave(open_, stack, dashboard, crowd):
    page = open_(dashboard)
    stack.v2.send_signal(signal.SIGUSR1)
    try:
        expect(page.locator("#verdicts")).to_contain_text("✗ Bad httpbin: the guard has removed v2, and v1 gets its share")
        trip = page.locator(".trip").inner_text()
        assert re.search(r"The guard of 127\.0\.0\.1:\d+ removed v2 at \d", trip)
        failed = re.search(r"Evidence: since the gateways started, (\d+) of the (\d+) visitors that failed on v2 or v1 failed on v2; its weight is 20 %", trip)
        assert int(failed[1]) >= 5 and failed[1] == failed[2]
        expect(page.locator("rect.run.out")).to_have_attribute("data-subset", "v2")
        expect(page.locator("#events")).to_contain_text("rule httpbin: the guard removed v2 from the split")
        expect(page.locator("#findings")).to_contain_text("error[canary-tripped]")
    finally:
        stack.v2.send_signal(signal.SIGUSR1)


def test_a_ramp_shows_its_plan_and_where_it_is(open_, stack, dashboard):
    stack.apply("rollout")
    stack.configure(starting(stack.manifests["rollout"].config, -datetime.timedelta(hours=4)))
    page = open_(dashboard)
    expect(page.locator("#verdicts")).to_contain_text("httpbin: 25 % on v2")
    expect(page.locator(".ramp, [aria-label='Ramp']")).to_contain_text("at step 3 of 5")
    assert page.locator("[data-mark='now']").count() == 1
    page.get_by_text("Steps", exact=True).click()
    assert page.locator(".steps tbody tr").count() == len(ramp_of(stack.manifests["rollout"].config)["steps"])
    assert "now" in page.locator(".steps tbody tr").nth(2).inner_text()
    # Whoever reads them can go on.
    page.get_by_text("Steps", exact=True).focus()
    looked_again(page)
    assert page.evaluate("document.activeElement.textContent") == "Steps"
    expect(page.locator(".steps table")).to_be_visible()


def test_a_gateway_that_goes_away_is_shown_and_not_hidden(open_, stack, put):
    put(config(80, 20))
    manager = envoy.connection_manager("second", [stack.plugin.filter()], [envoy.route("v1")])
    second = envoy.Envoy(envoy.newest(), envoy.bootstrap([envoy.listener("second", manager)], [envoy.cluster("v1", stack.apps["v1"])]))
    with contextlib.ExitStack() as running:
        running.enter_context(second)
        address = second.admin_address
        with Dashboard(stack.applied, [stack.gateway.admin_address, address]) as dashboard:
            page = open_(dashboard)
            expect(page.locator("#verdicts")).to_contain_text("✓ Good httpbin: 20 % on v2, all 2 gateways have it")
            running.close()
            expect(page.locator("#verdicts")).to_contain_text(f"✗ Bad httpbin: 20 % on v2, 1 of 2 gateways have it: {address} does not answer")
            row = page.locator("#gateways tbody tr").filter(has_text=address)
            expect(row).to_contain_text("does not answer: ")


def test_a_dashboard_that_ends_says_so(open_, dashboard):
    # What Chromium says of the connection.
    page = open_(dashboard, complains=["ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_REFUSED"])
    dashboard.process.kill()
    expect(page.locator("#heartbeat")).to_contain_text("The dashboard does not answer")


def contrasts(page):
    """The contrast of each kind of text with what is behind it."""
    return page.evaluate("""() => {
      const channels = (text) => text.match(/[\\d.]+/g).map(Number);
      const light = ([r, g, b]) => [r, g, b].map((c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
      const behind = (node) => {
        for (; node; node = node.parentElement) {
          const colour = channels(getComputedStyle(node).backgroundColor);
          if (colour.length < 4 || colour[3] > 0) return colour;
        }
        return [255, 255, 255];
      };
      const contrast = (one, other) => { const [a, b] = [light(one), light(other)].sort((x, y) => y - x); return (a + 0.05) / (b + 0.05); };
      const texts = [...document.querySelectorAll("main *, header *")].filter((node) => node.offsetParent && [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim()));
      const all = texts.map((node) => [node.textContent.slice(0, 30), contrast(channels(getComputedStyle(node).color), behind(node))]);
      for (const run of document.querySelectorAll("rect.run")) {
        const text = run.nextElementSibling;
        if (text) all.push([text.textContent, contrast(channels(getComputedStyle(text).fill), channels(getComputedStyle(run).fill))]);
      }
      return all;
    }""")


def too_wide(page):
    """What can only be seen by scrolling sideways, or is cut off in a picture."""
    return page.evaluate("""() => [
      ...[...document.querySelectorAll("main *, header *, dialog *")].filter((node) => node.offsetParent && node.closest("thead") === null
        && (node.getBoundingClientRect().right > innerWidth + 1 || node.getBoundingClientRect().left < -1)),
      ...[...document.querySelectorAll("svg text")].filter((text) => {
        const [own, whole] = [text.getBoundingClientRect(), text.ownerSVGElement.getBoundingClientRect()];
        return own.right > whole.right + 1 || own.left < whole.left - 1;
      }),
      ...(document.documentElement.scrollWidth > innerWidth ? [document.documentElement] : []),
    ].map((node) => node.outerHTML.slice(0, 120))""")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1600])
def test_it_can_be_read_at_every_width_in_dark_and_in_light(open_, browser, dashboard, crowd, width, scheme):
    page = open_(dashboard)
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)
    expect(page.locator("#verdicts")).to_contain_text("errors")
    page.get_by_role("button", name="Find").scroll_into_view_if_needed()
    assert too_wide(page) == []
    bad = [(text, round(contrast, 2)) for text, contrast in contrasts(page) if contrast < 4.5]
    assert bad == []
    is_dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 26)"
    assert is_dark == (scheme == "dark")


def test_it_needs_no_mouse(open_, dashboard):
    page = open_(dashboard)
    focused = lambda: page.evaluate("document.activeElement.textContent || document.activeElement.name")
    page.keyboard.press("Tab")
    assert focused() == "Skip to the rules"
    page.keyboard.press("Tab")
    assert focused().startswith("httpbin: ")
    looked_again(page)
    assert focused().startswith("httpbin: ")
    page.keyboard.press("Enter")
    assert page.url.endswith("#rule-istio-system/canary-split/httpbin")
    assert page.evaluate("document.activeElement.className") == "rule"
    reached = []
    while reached[-1:] != ["value"] and len(reached) < 20:
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.name"))
    assert reached[-3:] == ["url", "by", "value"]
    page.keyboard.type("1.feedface.1c8cf84")
    # A look in between takes nothing away.
    looked_again(page)
    page.keyboard.press("Enter")
    expect(page.locator(".found-verdict")).to_contain_text("by the cookie canary-httpbin")
    assert page.evaluate("document.activeElement.name") == "value"


def test_each_verdict_leads_to_its_own_rule(open_, stack, put, tmp_path):
    # One of the names is a mistake, which is shown as well.
    rules = [config(80, 20)["rules"][0] | {"name": name} for name in ("a.b", "a-b")]
    plugin = {"apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugin", "metadata": {"name": "canary-split", "namespace": "istio-system"}}
    file = tmp_path / "plugin.json"
    file.write_text(json.dumps(plugin | {"spec": {"url": "oci://registry.example.com/canary-split", "pluginConfig": {"rules": rules}}}))
    with Dashboard(file, [stack.gateway.admin_address]) as dashboard:
        page = open_(dashboard)
        for name in ("a.b", "a-b"):
            page.locator("#verdicts a").filter(has_text=f"{name}: ").click()
            assert page.evaluate("document.querySelector(':target h2').textContent") == name


def test_another_page_and_whoever_has_no_token_get_nothing(browser, dashboard):
    port = dashboard.url.split(":")[2].split("/")[0]
    page = browser.new_page()
    for path in ("", "state", "0" * 48 + "/state"):
        assert page.goto(f"http://127.0.0.1:{port}/{path}").status == 403
    with foreign() as site:
        page.goto(site)
        for mode in ("cors", "no-cors"):
            with pytest.raises(Error, match="Failed to fetch"):
                page.evaluate(f"fetch('{dashboard.url}state', {{mode: '{mode}'}})")
        frame = "(src) => new Promise((onload) => document.body.append(Object.assign(document.createElement('iframe'), {src, onload})))"
        page.evaluate(frame, dashboard.url)
        (frame,) = page.frames[1:]
        assert "canary-split" not in frame.content()


@contextlib.contextmanager
def answering(body_of, kind):
    """A server of what each path has; nothing is 404. Its port."""

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = body_of(self.path)
            self.send_response(200 if body else 404)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def foreign():
    """A page of another origin."""
    with answering(lambda _: b"<!doctype html><body>foreign</body>", "text/html") as port:
        yield f"http://localhost:{port}/"


@pytest.fixture
def moving(stack, put):
    """The page as it is at the end of the demo: with visitors, a slider and a button."""
    put(config(80, 20, guard={}))
    with contextlib.ExitStack() as running:
        dots = Dots(stack.ports["https"], stack.directory / "visitors")
        dots.arrive()
        running.enter_context(dots)
        running.enter_context(Following(stack))
        button = f"Let v2 fail, or work again=kill -USR1 {stack.v2.pid}"
        arguments = ("--write", "--visitors", dots.file, "--button", button)
        yield running.enter_context(Dashboard(stack.applied, [stack.gateway.admin_address], *arguments))
        assert not dots.faults


def dots(page, where=".space", only=""):
    """The visitors by their draws, and what they got last."""
    return dict(page.evaluate(f"""() => [...document.querySelectorAll("{where} .dot{only}")].map((dot) => [dot.dataset.position, dot.dataset.subset])"""))


def slide(page, share):
    page.get_by_label("v2, in percent").fill(str(share))


def agree(page):
    page.get_by_role("button", name="Write it").click()
    expect(page.locator(".moves")).to_contain_text("✓ Written: in force on 1 of 1 gateways after ")


def test_the_slider_moves_exactly_the_visitors_that_it_said(open_, chromium, stack, moving, tmp_path):
    page = open_(moving)
    before = dots(page)
    assert len(before) == 100 and set(before.values()) == {"v1", "v2"}
    slide(page, 45)
    expect(page.locator(".moves")).to_have_text("v1 80 → 55, v2 20 → 45. Of the visitors 25.00 % move, the least possible: v1 → v2 25.00 %.")
    said = dots(page, ".mover", "[data-moving=true]")
    assert set(said.values()) == {"v1"} and set(said) <= set(before)
    expect(page.locator(".mover figcaption")).to_contain_text(f"Of the dots, {len(said)} of 100 move")
    # Nothing has happened yet, and whoever says no changes nothing.
    applied = stack.applied.read_text()
    page.get_by_role("button", name="Write …").click()
    expect(page.get_by_role("dialog")).to_contain_text("Write this to WasmPlugin istio-system/canary-split?")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert stack.applied.read_text() == applied
    page.get_by_role("button", name="Write …").click()
    agree(page)
    expected = before | dict.fromkeys(said, "v2")
    envoy.until(lambda: dots(page) == expected, lambda: f"{len(said)} who move: {set(dots(page).items()) ^ set(expected.items())}")
    expect(page.locator("#verdicts")).to_contain_text("✓ Good httpbin: 45 % on v2, the gateway has it")
    # And nobody later.
    looked_again(page)
    assert dots(page) == expected
    with chromium(tmp_path / "other") as context:
        other = open_(moving, context)
        assert dots(other) == expected
        expect(other.locator("figcaption").first).to_contain_text(f"{len(said)} moved since the dashboard was started")


def test_the_slider_needs_no_mouse(open_, moving):
    page = open_(moving)
    page.get_by_label("Share of v2 in percent").focus()
    for share in (21, 22):
        page.keyboard.press("ArrowRight")
        expect(page.locator(".moves")).to_contain_text(f"v2 20 → {share}")
    assert page.get_by_label("v2, in percent").input_value() == "22"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    # To say nothing is to say no.
    assert page.evaluate("document.activeElement.textContent") == "Cancel"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".moves")).to_contain_text("✓ Written: in force on 1 of 1 gateways")


def test_whoever_only_looks_sees_who_would_move_and_moves_nobody(open_, stack, dashboard):
    page = open_(dashboard, complains=["404"])
    slide(page, 30)
    expect(page.locator(".moves")).to_contain_text("Of the visitors 10.00 % move, the least possible")
    names = page.locator(".mover button").all_inner_texts()
    assert names == ["Reset"]
    status = "async () => (await fetch('change', {method: 'POST', headers: {'content-type': 'application/json'}, body: '{}'})).status"
    assert page.evaluate(status) == 404
    page.get_by_role("button", name="Reset").click()
    assert page.get_by_label("v2, in percent").input_value() == "20"


def test_a_change_that_somebody_else_was_faster_with_is_not_written(open_, stack, moving):
    page = open_(moving, complains=["422"])
    slide(page, 30)
    page.get_by_role("button", name="Write …").click()
    stack.configure(config(90, 10, guard={}))
    page.get_by_role("button", name="Write it").click()
    expect(page.locator(".moves")).to_have_text("✗ it was changed by somebody else meanwhile; look again")
    expect(page.get_by_label("v2, in percent")).to_have_value("10")


def test_the_button_lets_v2_fail_the_guard_trips_and_a_rollback_ends_it(open_, moving):
    page = open_(moving)
    button = page.get_by_role("button", name="Let v2 fail, or work again")
    button.click()
    expect(page.locator(".space .dot[data-failed]").first).to_be_attached()
    expect(page.locator("#verdicts")).to_contain_text("the guard has removed v2, and v1 gets its share")
    # Everybody comes again, and is served by v1.
    envoy.until(lambda: set(dots(page).values()) == {"v1"} and not dots(page, only="[data-failed]"), "everybody on v1")
    button.click()
    page.get_by_role("button", name="Roll back …").click()
    expect(page.get_by_role("dialog")).to_contain_text("This edit ends the trip of v2.")
    agree(page)
    expect(page.locator("#verdicts")).to_contain_text("✓ Good httpbin: everybody on v1")
    expect(page.locator("#events")).to_contain_text("rule httpbin: the trip of v2 ended")


def test_a_ramp_is_paused_and_resumed(open_, stack, moving):
    stack.apply("rollout")
    stack.configure(starting(stack.manifests["rollout"].config, -datetime.timedelta(hours=4)))
    page = open_(moving, complains=["422"])
    expect(page.locator("[aria-label='Ramp']")).to_contain_text("at step 3 of 5")
    slide(page, 50)
    expect(page.locator(".moves")).to_contain_text("✗ rule httpbin: its ramp decides the weights")
    page.get_by_role("button", name="Pause the ramp …").click()
    agree(page)
    expect(page.locator("[aria-label='Ramp']")).to_contain_text("paused at step 3 of 5")
    assert page.locator("[data-mark='paused']").count() == 1
    page.get_by_role("button", name="Resume the ramp …").click()
    agree(page)
    expect(page.locator("[aria-label='Ramp']")).to_contain_text("at step 3 of 5; next v1 50, v2 50")
    assert page.locator("[data-mark='paused']").count() == 0


HTML = "<img src=x onerror=hostile()>"
SCRIPT = '"><script>hostile()</script><b id=rules title=\''
BIDI = "\u202egnorw\u2066 \u200bis\u2069\x07"
LONG = "a" * 3000
# What the config may hold: DNS labels, tokens, and any text as the name of a query parameter or claim.
GOOD = {
    "name": "constructor",
    "hosts": ["canary.localhost", "*.xn--80ak6aa92e.example.com"],
    "split": [{"subset": "constructor", "weight": 80}, {"subset": "v" * 63, "weight": 20}],
    "sticky": {
        "keys": [{"header": "__proto__"}, {"cookie": "constructor"}, {"queryParam": HTML}, {"queryParam": "user[<b>]"}, {"queryParam": BIDI}, {"queryParam": LONG}, {"claim": f"[https://acme.io/{SCRIPT}][__proto__]"}],
        "cookie": {"name": "__proto__"},
    },
    "guard": {},
}
REFUSED = [
    {"name": name, "hosts": [HTML, "javascript:hostile()", LONG, BIDI], "split": [{"subset": subset, "weight": 1} for subset in (HTML, BIDI, LONG, "__proto__", "v1", "v1")]}
    for name in (HTML, SCRIPT, BIDI, LONG, "javascript:hostile()", "__proto__", "toString", "a/b#c%20d e?", "constructor", "constructor")
]


@contextlib.contextmanager
def admin(texts):
    """An Envoy's admin interface that says these texts, by their paths."""
    with answering(lambda path: texts.get(path.split("?")[0], "").encode(), "text/plain") as port:
        yield f"127.0.0.1:{port}"


@pytest.fixture
def hostile(tmp_path):
    """A page of which everything that others can name is named by somebody who means harm."""
    plugin = {"apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugin", "metadata": {"name": "canary-split", "namespace": "istio-system"}}
    file = tmp_path / f"{HTML.replace('/', '')}.json"
    file.write_text(json.dumps(plugin | {"spec": {"url": "oci://registry.example.com/canary-split", "pluginConfig": {"rules": [GOOD, *REFUSED]}}}))
    canary = "v" * 63
    gauges = [f'canary_config_weight{{rule="constructor",subset="{subset}"}} {weight}' for subset, weight in (("constructor", 80), (canary, 20))]
    gauges += ["canary_config_rules{state=\"active\"} 1", f'canary_tripped{{rule="constructor",subset="{canary}"}} 1', f'canary_failing_visitors_total{{rule="constructor",subset="{canary}"}} 7']
    with admin({"/stats/prometheus": "\n".join(gauges) + "\n", "/clusters": HTML}) as address:
        arguments = ("--write", "--visitors", tmp_path / SCRIPT.replace("/", ""), "--button", f"<b>{BIDI}=true")
        # Of the other one nobody is there.
        with Dashboard(file, [address, "127.0.0.1:1"], *arguments) as dashboard:
            yield dashboard


@pytest.mark.parametrize("width", [375, 1600])
def test_no_name_runs_breaks_the_page_or_turns_its_text(open_, hostile, width):
    page = open_(hostile)
    page.on("dialog", lambda _: pytest.fail("something ran"))
    page.set_viewport_size({"width": width, "height": 800})
    looked_again(page)
    # Each is shown, and is itself.
    assert page.locator("article.rule").count() == page.locator("#verdicts a").count() == 1 + len(REFUSED)
    for link in page.locator("#verdicts a").all():
        link.click()
        title = page.evaluate("document.querySelector(':target h2').textContent")
        assert link.inner_text().startswith(f"{title}: "), title
    expect(page.locator("#findings")).to_contain_text("is not a DNS label")
    expect(page.locator(".trip")).to_contain_text(f"removed {'v' * 63} ")
    assert page.locator("main :is(img, script, b, iframe, object)").count() == 0
    assert page.evaluate("document.scripts.length") == 1
    # No character that nobody sees is left, here or in the window's title.
    said = page.evaluate("[document.title, ...[...document.querySelectorAll('*')].flatMap((each) => [...each.getAttributeNames().filter((name) => /label/.test(name)).map((name) => each.getAttribute(name)), ...[...each.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data)])]")
    assert [text for text in said if re.search("[\u200b-\u200f\u202a-\u202e\u2066-\u2069\x00-\x09\x0b-\x1f]", text)] == []
    assert any("\\u{202e}gnorw" in text for text in said)
    assert too_wide(page) == []
    rule = page.locator("article.rule").first
    # The controls of the only rule that is in force go on working.
    rule.get_by_label("Value", exact=True).fill("1.feedface.1c8cf84")
    rule.get_by_role("button", name="Find").click()
    expect(rule.locator(".found-verdict")).to_contain_text("by rule constructor, by the cookie __proto__.")
    for option, key in (("query parameter user[<b>]", "queryParam"), (f"claim https://acme.io/{SCRIPT}.__proto__", "claim")):
        rule.get_by_label("Known by").select_option(label=option)
        rule.get_by_label("Value", exact=True).fill(HTML)
        rule.get_by_role("button", name="Find").click()
        expect(rule.locator(".found-verdict")).to_contain_text(f"by the key {key}")
    slide = rule.get_by_label(f"{'v' * 63}, in percent", exact=True)
    slide.fill("40")
    expect(rule.locator(".moves")).to_contain_text("the least possible")
    rule.get_by_role("button", name="Roll back …").click()
    expect(page.get_by_role("dialog")).to_contain_text(f"{'v' * 63} 20 → 0")
    assert too_wide(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="<b>").click()
    expect(page.locator("#pressed")).to_contain_text("Done: <b>")


# What a browser says of a tab that is put in front of others, or behind them.
SEEN = """(isHidden) => {
  Object.defineProperty(document, "hidden", {configurable: true, get: () => isHidden});
  Object.defineProperty(document, "visibilityState", {configurable: true, get: () => (isHidden ? "hidden" : "visible")});
  document.dispatchEvent(new Event("visibilitychange"));
}"""
HIDDEN = 10_000  # ms: how often a tab asks that nobody sees


def asked(page):
    """What this page asks for from now on, by the last part of the path."""
    paths = []
    page.on("request", lambda request: paths.append(request.url.split("/")[-1]))
    return paths


def test_a_tab_that_nobody_sees_holds_no_connection_and_asks_now_and_then(open_, browser, stack, dashboard):
    browser.clock.install()
    page = open_(dashboard)
    looked_again(page)
    # From here on the page's time goes on by order alone.
    page.clock.pause_at(datetime.datetime.now() + datetime.timedelta(seconds=2))
    paths = asked(page)
    # It lets go of its stream at once: a browser has six connections for all tabs together.
    with page.expect_event("requestfailed", lambda request: request.url.endswith("/events")):
        page.evaluate(SEEN, True)
    stack.configure(config(60, 40, guard={}))
    envoy.until(lambda: "40 % on v2, the gateway has it" in page.request.get(f"{dashboard.url}state").text(), "the new weights")
    assert paths == [] and "20 % on v2" in page.title()
    for _ in range(2):
        with page.expect_response("**/state"):
            page.clock.run_for(HIDDEN)
    # Its title, which can be seen, is that of now.
    expect(page).to_have_title(re.compile("✓ httpbin: 40 % on v2, the gateway has it"))
    assert paths == ["state", "state"]
    # Whoever comes back sees what is now, and hears of each look again.
    with page.expect_request("**/events"):
        page.evaluate(SEEN, False)
    looked_again(page)
    looked_again(page)
    assert paths.count("events") == 1
    page.clock.run_for(2 * HIDDEN)
    # The state of before the stream, and nothing beside it.
    assert paths.count("state") == 3
    # No look between has been lost.
    kept = len(page.request.get(f"{dashboard.url}state").json()["history"]["istio-system/canary-split httpbin"])
    envoy.until(lambda: page.evaluate("Number(document.querySelector('.plots path.weight').dataset.points)") >= kept, "all points")


def test_a_tab_that_is_opened_behind_others_shows_the_state_without_a_stream(open_, browser, dashboard):
    browser.add_init_script(f"({SEEN})(true)")
    page = browser.new_page()
    paths = asked(page)
    page.goto(dashboard.url)
    expect(page.locator("#verdicts")).to_contain_text("httpbin: 20 % on v2")
    assert paths.count("state") == 1 and "events" not in paths
