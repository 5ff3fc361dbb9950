"""What the tests of this folder share."""

import pytest
import trustme
from gateway import WASM, versions
from upstream import Upstream


def pytest_generate_tests(metafunc):
    if "version" in metafunc.fixturenames:
        metafunc.parametrize("version", versions(), scope="session")


def pytest_sessionstart():
    if not WASM.exists():
        pytest.exit(f"{WASM} is missing; run make build", returncode=2)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate chain and its key, as files."""
    directory = tmp_path_factory.mktemp("tls")
    issued = trustme.CA().issue_cert("canary.example.com", "localhost", "127.0.0.1")
    chain, key = directory / "chain.pem", directory / "key.pem"
    issued.cert_chain_pems[0].write_to_path(chain)
    issued.private_key_pem.write_to_path(key)
    return chain, key


@pytest.fixture(scope="session")
def upstream():
    """The application; its subsets v1 and v2 are two servers, so that the route shows."""
    with Upstream() as servers:
        yield servers
