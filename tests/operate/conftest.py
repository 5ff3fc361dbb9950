"""A gateway as Istio configures it, under a real Prometheus."""

import json
import sys
from pathlib import Path

import pytest
import trustme

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "envoy"))

from gateway import WASM, Envoy, bootstrap, echo_listener, newest  # noqa: E402
from generated import FIXTURES, Generated, walk  # noqa: E402
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
    """Two gateways by name; the one is without the filter, as Istio's agent serves if it cannot fetch the module."""
    running = {}
    try:
        for name in ("gateway", "without-filter"):
            directory = tmp_path_factory.mktemp(name)
            sockets = {app: directory / f"{app}.socket" for app in ("v1", "v2")}
            generated = Generated(directory, sockets, certificate)
            if name == "without-filter":
                for manager in (each for each in walk(generated.listeners) if "http_filters" in each):
                    manager["http_filters"] = [f for f in manager["http_filters"] if "config_discovery" not in f]
            apps = [echo_listener(app, path) for app, path in sockets.items()]
            config = bootstrap([*generated.listeners, *apps], generated.clusters)
            config["stats_config"] = stats_config()
            running[name] = Envoy(newest(), config, concurrency=2).__enter__(), generated
        yield running
    finally:
        for envoy, _ in running.values():
            envoy.stop()


@pytest.fixture(scope="module")
def prometheus(gateways):
    with Prometheus({name: envoy for name, (envoy, _) in gateways.items()}) as prometheus:
        yield prometheus


def stats_config():
    """Istio's, and what our own `update` waits for."""
    config = json.loads((FIXTURES / "bootstrap/stats_config.json").read_text())
    config["stats_matcher"]["inclusion_list"]["patterns"].append({"prefix": "extension_config_discovery"})
    return config
