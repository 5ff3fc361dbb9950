"""What the tests of all folders share."""

import certificates
import pytest
from repository import WASM


def pytest_sessionstart():
    if not WASM.exists():
        pytest.exit(f"{WASM} is missing; run make build", returncode=2)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate chain and its key, as files."""
    return certificates.issue(tmp_path_factory.mktemp("tls"), "canary.example.com", "localhost", "127.0.0.1")
