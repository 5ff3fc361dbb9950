"""What Istio makes of the overlays (istio/OVERLAY.json, and istio/gateway-api/OVERLAY.json for those with the Gateway API; written by
tests/istio), placed on this machine.

Only where things are is changed: istiod's streams become files, pods' addresses become sockets, the module is the built one.
"""

import json
import re
import zlib
from pathlib import Path

from discovery import publish, resource, source
from gateway import Plugin, address, echo_listener, pipe, until

FIXTURES = Path(__file__).parent / "istio"
# The families of overlays: with Istio's own kinds, and with the Gateway API's. And what a waypoint is sent for a Service.
ISTIO, GATEWAY_API, WAYPOINT = "", "gateway-api", "waypoint"
HTTP, HTTPS = "0.0.0.0_8080", "0.0.0.0_8443"  # the listeners, as Istio calls them
# The containers that listen, by the pods' addresses; another port of theirs stays as it is, and refuses.
CONTAINERS = {("127.0.1.2", 80): "v1", ("127.0.1.3", 8888): "v2"}


def overlays(family=ISTIO):
    return sorted(path.stem for path in (FIXTURES / family).glob("*.json"))


def fixture(overlay, family=ISTIO):
    return json.loads((FIXTURES / family / f"{overlay}.json").read_text())


def walk(value):
    """Every object within, the inner ones too."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from walk(each)


def port(listener):
    return listener["address"]["socket_address"]["port_value"]


class Generated:
    """Istio's listeners and clusters for a bootstrap, and the applications; routes and pluginConfig follow by `apply`."""

    def __init__(self, directory, certificate, family=ISTIO, first="prepared"):
        self.directory = Path(directory)
        self.family = family
        sockets = {app: self.directory / f"{app}.socket" for app in CONTAINERS.values()}
        resources = fixture(first, family)
        (extension,) = resources["extensions"]
        wasm = extension["typed_config"]["config"]
        self.plugin = Plugin("plugin", directory, wasm["root_id"], wasm["failure_policy"])
        # Under Istio's names for it.
        self.plugin.name, self.plugin.called = extension["name"], wasm["name"]
        self.listeners, self.clusters = resources["listeners"], resources["clusters"]
        # Plain http is the first.
        self.names = [each["name"] for each in sorted(self.listeners, key=port)]
        for endpoint in (each["endpoint"] for each in walk(resources["endpoints"]) if "endpoint" in each):
            where = endpoint["address"]["socket_address"]
            app = CONTAINERS.get((where["address"], where["port_value"]))
            if app:
                endpoint["address"] = pipe(sockets[app])
        for name in {each["name"] for each in walk(self.listeners) if "sds_config" in each}:
            self._secret(name, certificate)
        for endpoints in resources["endpoints"]:
            self.endpoints(endpoints["cluster_name"], endpoints["endpoints"])
        self.write_routes(resources)
        self.plugin.write(self._config(resources))
        for listener in self.listeners:
            listener["address"] = address("127.0.0.1", 0)
        # All these streams are istiod's; none may be left.
        for each in walk([self.listeners, self.clusters]):
            if "rds" in each:
                each["rds"]["config_source"] = self._source(each["rds"]["route_config_name"])
            if "config_discovery" in each:
                each["config_discovery"]["config_source"] = self._source(self.plugin.file)
            if "eds_config" in each:
                each["eds_config"] = self._source(each["service_name"])
            if "sds_config" in each:
                each["sds_config"] = self._source(each["name"])
        assert '"ads"' not in json.dumps([self.listeners, self.clusters])
        self.listeners += [echo_listener(app, socket) for app, socket in sockets.items()]

    def apply(self, envoy, overlay, change=lambda resources: None):
        """Puts an overlay in force, with a change if need be, and waits until all of it is."""
        resources = fixture(overlay, self.family)
        change(resources)
        versions = self.write_routes(resources)

        def in_force():
            envoy.alive()
            routes = envoy.admin("/config_dump?resource=dynamic_route_configs")
            return all(f'"version_info": "{version}"' in routes for version in versions)

        until(in_force, envoy.explain(f"routes of {overlay}"))
        self.plugin.update(envoy, self._config(resources))

    def endpoints(self, cluster, endpoints):
        """Where a cluster's pods are; in force soon after."""
        content = {"cluster_name": cluster, "endpoints": endpoints}
        self._write(cluster, "envoy.config.endpoint.v3.ClusterLoadAssignment", content)

    @staticmethod
    def _config(resources):
        return resources["extensions"][0]["typed_config"]["config"]["configuration"]["value"]

    def write_routes(self, resources):
        """The versions of what Envoy is told to route by."""
        kind = "envoy.config.route.v3.RouteConfiguration"
        return [self._write(routes["name"], kind, routes) for routes in resources["routes"] or []]

    def _secret(self, name, certificate):
        chain, key = ({"filename": str(file)} for file in certificate)
        secret = {"name": name, "tls_certificate": {"certificate_chain": chain, "private_key": key}}
        self._write(name, "envoy.extensions.transport_sockets.tls.v3.Secret", secret)

    def _write(self, name, kind, content):
        """A file that Envoy watches; the version is what is in it."""
        version = f"{zlib.crc32(json.dumps(content).encode()):08x}"
        publish(self._file(name), version, resource(kind, content))
        return version

    def _file(self, name):
        return self.directory / f"{re.sub('[^a-z0-9]+', '-', name)}.json"

    def _source(self, of):
        return source(of if isinstance(of, Path) else self._file(of))
