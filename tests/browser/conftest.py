"""The demo's stack, and a browser that trusts it."""

import contextlib

import chromium as browsers
import pytest


@pytest.fixture(scope="session")
def stack():
    with contextlib.ExitStack() as stack:
        yield browsers.Demo(stack)


@pytest.fixture(scope="session")
def chromium(stack):
    with browsers.chromium(stack) as open_:
        yield open_


@pytest.fixture
def browser(chromium, tmp_path):
    """A browser that has never been here."""
    with chromium(tmp_path / "profile") as context:
        yield context
