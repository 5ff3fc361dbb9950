"""What the tests of this folder share."""

import pytest
from gateway import versions
from upstream import Upstream


def pytest_generate_tests(metafunc):
    if "version" in metafunc.fixturenames:
        metafunc.parametrize("version", versions(), scope="session")


@pytest.fixture(scope="session")
def upstream():
    """The application; its subsets v1 and v2 are two servers, so that the route shows."""
    with Upstream() as servers:
        yield servers
