"""A gateway that is operated: with the listeners, clusters and stats that Istio gives it."""

import contextlib
import json

from gateway import Envoy, bootstrap, newest
from generated import FIXTURES, Generated, walk


@contextlib.contextmanager
def gateway(directory, certificate, with_filter=True):
    """An Envoy with Istio's listeners and stats; without the filter, as Istio's agent serves if it cannot fetch the module."""
    generated = Generated(directory, certificate)
    if not with_filter:
        for manager in (each for each in walk(generated.listeners) if "http_filters" in each):
            manager["http_filters"] = [f for f in manager["http_filters"] if "config_discovery" not in f]
    config = bootstrap(generated.listeners, generated.clusters)
    config["stats_config"] = stats_config()
    with Envoy(newest(), config, concurrency=2) as envoy:
        yield envoy, generated


def stats_config():
    """Istio's, and what our own `update` waits for."""
    config = json.loads((FIXTURES / "bootstrap/stats_config.json").read_text())
    config["stats_matcher"]["inclusion_list"]["patterns"].append({"prefix": "extension_config_discovery"})
    return config
