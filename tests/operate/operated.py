"""A gateway that is operated: with the listeners, clusters and stats that Istio gives it."""

import contextlib
import json

from gateway import Envoy, bootstrap, newest
from generated import FIXTURES, Generated, walk


@contextlib.contextmanager
def gateway(directory, certificate, with_filter=True, responses=True):
    """An Envoy with Istio's listeners and stats; without the filter, as Istio's agent serves if it cannot fetch the module; or without
    the subsets' responses, as it has started with an older istio.yaml."""
    generated = Generated(directory, certificate)
    if not with_filter:
        for manager in (each for each in walk(generated.listeners) if "http_filters" in each):
            manager["http_filters"] = [f for f in manager["http_filters"] if "config_discovery" not in f]
    config = bootstrap(generated.listeners, generated.clusters)
    config["stats_config"] = stats_config(responses)
    with Envoy(newest(), config, concurrency=2) as envoy:
        yield envoy, generated


def stats_config(responses):
    """Istio's, and what `Plugin.update` waits for."""
    text = (FIXTURES / "bootstrap/stats_config.json").read_text()
    shown = "|101|[245]xx"
    assert shown in text
    config = json.loads(text if responses else text.replace(shown, ""))
    config["stats_matcher"]["inclusion_list"]["patterns"].append({"suffix": ".config_reload"})
    return config
