"""A gateway as Istio configures it, under a real Prometheus."""

import contextlib

import pytest
from operated import gateway
from prometheus import Prometheus


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
