"""Takes the pictures of v1 and v2 in the documents: docs/v1.png and docs/v2.png."""

import contextlib
import tempfile

from chromium import TESTS, Demo, chromium

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


if __name__ == "__main__":
    main()
