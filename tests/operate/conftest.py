"""A gateway as Istio configures it, under a real Prometheus."""

import contextlib
import sys
from pathlib import Path

import pytest
import trustme

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "envoy"))

from gateway import WASM  # noqa: E402
from operated import gateway  # noqa: E402
from prometheus import Prometheus  # noqa: E402


def pytest_sessionstart():
    if not WASM.exists():
        pytest.exit(f"{WASM} is missing; run make build", returncode=2)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    directory = tmp_path_factory.mktemp("tls")
    issued = trustme.CA().issue_cert("canary.example.com")
    chain, key = directory / "chain.pem", directory / "key.pem"
    issued.cert_chain_pems[0].write_to_path(chain)
    issued.private_key_pem.write_to_path(key)
    return chain, key


@pytest.fixture(scope="module")
def gateways(tmp_path_factory, certificate):
    """Two by name."""
    with contextlib.ExitStack() as stack:
        yield {
            name: stack.enter_context(gateway(tmp_path_factory.mktemp(name), certificate, name == "gateway"))
            for name in ("gateway", "without-filter")
        }


@pytest.fixture(scope="module")
def prometheus(gateways):
    with Prometheus({name: envoy for name, (envoy, _) in gateways.items()}) as prometheus:
        yield prometheus
