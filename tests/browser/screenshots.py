"""Takes the pictures of the documents: v1 and v2, and the dashboard (docs/v1.png, docs/v2.png, docs/dashboard.png)."""

import contextlib
import tempfile

from chromium import TESTS, Demo, chromium
from dashboard import Dashboard
from demo import Dots, envoy, guarded

SIZE = {"width": 900, "height": 420}


def main():
    folder = TESTS.parent / "docs"
    folder.mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        demo = Demo(stack)
        demo.apply("testers")
        open_ = stack.enter_context(chromium(demo))
        name, value = demo.tester_header().split(": ", 1)
        for version, headers in (("v1", {}), ("v2", {name: value})):
            profile = stack.enter_context(tempfile.TemporaryDirectory())
            context = stack.enter_context(open_(profile, viewport=SIZE, extra_http_headers=headers))
            page = context.new_page()
            page.goto(demo.base)
            page.wait_for_load_state("networkidle")
            if version == "v2":
                page.wait_for_function("document.getElementById('state').textContent === 'open'")
                page.fill("#text", "hello")
                page.click("button")
                page.locator("#said li").wait_for()
            page.screenshot(path=folder / f"{version}.png")
        of_the_dashboard(stack, demo, open_, folder)


def of_the_dashboard(stack, demo, open_, folder):
    """The first rule, while somebody tries another weight."""
    demo.apply("sticky")
    demo.configure(guarded(demo.manifests["sticky"].config))
    dots = Dots(demo.ports["https"], demo.directory / "visitors")
    dots.arrive()
    stack.enter_context(dots)
    arguments = ("--write", "--visitors", dots.file)
    dashboard = stack.enter_context(Dashboard(demo.applied, [demo.gateway.admin_address], *arguments))
    profile = stack.enter_context(tempfile.TemporaryDirectory())
    page = stack.enter_context(open_(profile, viewport={"width": 1100, "height": 1000})).new_page()
    page.goto(dashboard.url)
    page.get_by_label("v2, in percent").fill("40")
    page.get_by_text("the least possible").wait_for()
    # Some points for the lines.
    points = "Number(document.querySelector('path.decided').dataset.points)"
    envoy.until(lambda: page.evaluate(points) >= 8, "the lines")
    page.evaluate("document.activeElement.blur()")
    # Where the demo's files are is nobody's business.
    page.evaluate("document.querySelector('header').remove()")
    page.screenshot(path=folder / "dashboard.png")


if __name__ == "__main__":
    main()
