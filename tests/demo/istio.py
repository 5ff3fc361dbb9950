"""The shipped manifests as an Envoy configuration, as Istio would make it.

Whatever a manifest says that is not understood here is an error: the demo shows what is shipped, or nothing.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "envoy"))

import gateway as envoy  # noqa: E402
from repository import ROOT  # noqa: E402

# Which application runs in place of which image.
APPS = {"docker.io/kennethreitz/httpbin": "v1", "psibi/tornado-websocket:v0.3": "v2"}
# Istio's default for every route.
RETRY = {"retry_on": "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes", "num_retries": 2}


class NotUnderstood(Exception):
    """A manifest says what this translation does not know."""


def only(where, mapping, *known):
    """The values of these fields; any other field is an error."""
    if unknown := mapping.keys() - set(known):
        raise NotUnderstood(f"{where}: {', '.join(sorted(unknown))}")
    return [mapping.get(name) for name in known]


def render(directory):
    """The objects that kustomize makes of a directory."""
    kubectl = ROOT / ".venv/bin/kubectl"
    done = subprocess.run([kubectl, "kustomize", directory], capture_output=True, text=True)
    if done.returncode or done.stderr:
        raise NotUnderstood(f"kubectl kustomize {directory}: {done.stderr}")
    return [thing for thing in yaml.safe_load_all(done.stdout) if thing]


@dataclass
class Manifests:
    """What the gateway needs of an overlay."""

    host: str
    routes: list
    clusters: dict  # name → app
    redirects: bool
    plugin: dict  # name, root_id, failure_policy
    config: dict


def translate(objects):
    kinds = {}
    for thing in objects:
        only("an object", thing, "apiVersion", "kind", "metadata", "spec")
        kinds.setdefault(thing["kind"], []).append(thing)
    one = lambda kind: _one(kinds, kind)
    for kind in ("Namespace", "ClusterIssuer"):
        one(kind)
    deployments = kinds.pop("Deployment")
    service, rule, certificate = one("Service"), one("DestinationRule"), one("Certificate")
    gateway, virtual_service, plugin = one("Gateway"), one("VirtualService"), one("WasmPlugin")
    envoy_filters = kinds.pop("EnvoyFilter", [])
    if kinds:
        raise NotUnderstood(f"kinds {', '.join(kinds)}")

    cluster_of = Destinations(service, rule, deployments)
    hosts, gateways, http = only("VirtualService", virtual_service["spec"], "hosts", "gateways", "http")
    if gateways != [f"{gateway['metadata']['namespace']}/{gateway['metadata']['name']}"]:
        raise NotUnderstood(f"VirtualService.gateways {gateways}")
    picked = dict(pick for each in envoy_filters for pick in picks(each, gateway, hosts))
    routes = [entry for each in http for entry in http_route(each, cluster_of, picked)]

    redirects = gateway_servers(gateway, hosts, certificate)
    name, config = wasm_plugin(plugin, gateway)
    return Manifests(hosts[0], routes, cluster_of.used, redirects, name, config)


def _one(kinds, kind):
    things = kinds.pop(kind, [])
    if len(things) != 1:
        raise NotUnderstood(f"{len(things)} objects of kind {kind}")
    return things[0]


class Destinations:
    """Which application a destination of the VirtualService is, by the Service, the DestinationRule and the labels."""

    def __init__(self, service, rule, deployments):
        self.name = f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc.cluster.local"
        ports, self.selector = only("Service", service["spec"], "ports", "selector")
        self.ports = {}
        for port in ports:
            _, number, target = only("Service.ports", port, "name", "port", "targetPort")
            self.ports[number] = target
        host, subsets = only("DestinationRule", rule["spec"], "host", "subsets")
        if host != self.name:
            raise NotUnderstood(f"DestinationRule.host {host}")
        self.subsets = {}
        for subset in subsets:
            name, labels = only("DestinationRule.subsets", subset, "name", "labels")
            self.subsets[name] = labels
        self.deployments = deployments
        self.used = {}

    def __call__(self, destination):
        host, subset, port = only("destination", destination, "host", "subset", "port")
        if host != self.name:
            raise NotUnderstood(f"destination.host {host}")
        (number,) = only("destination.port", port, "number")
        labels = {**self.selector, **self.subsets[subset]}
        (app,) = {APPS[image] for image in self.images(labels, self.ports[number])}
        # Istio's name for it.
        cluster = f"outbound|{number}|{subset}|{host}"
        self.used[cluster] = app
        return cluster

    def images(self, labels, port):
        """The images of the pods with these labels that listen on this port."""
        for deployment in self.deployments:
            pod = deployment["spec"]["template"]
            if labels.items() <= pod["metadata"]["labels"].items():
                for container in pod["spec"]["containers"]:
                    if port in [each["containerPort"] for each in container["ports"]]:
                        yield container["image"]


def picks(envoy_filter, gateway, hosts):
    """The routes that an EnvoyFilter lets pick by a header, with what is merged into them."""
    selector, patches = only("EnvoyFilter", envoy_filter["spec"], "workloadSelector", "configPatches")
    if selector != {"labels": gateway["spec"]["selector"]}:
        raise NotUnderstood("EnvoyFilter.workloadSelector is not the Gateway's")
    for patch in patches:
        kind, scope, change = only("EnvoyFilter.configPatches", patch, "applyTo", "match", "patch")
        (name,) = only("route", scope["routeConfiguration"]["vhost"]["route"], "name")
        where = {"context": "GATEWAY", "routeConfiguration": {"vhost": {"domainName": hosts[0], "route": {"name": name}}}}
        if kind != "HTTP_ROUTE" or scope != where or change["operation"] != "MERGE":
            raise NotUnderstood(f"EnvoyFilter.configPatches {patch}")
        yield name, change["value"]


def destinations(route, cluster_of):
    """Where a route leads: to one cluster, or by weight to several."""
    if len(route) == 1:
        (destination,) = only("VirtualService.http.route", route[0], "destination")
        return {"cluster": cluster_of(destination)}
    clusters = []
    for each in route:
        destination, weight = only("VirtualService.http.route", each, "destination", "weight")
        if weight is None:
            raise NotUnderstood("VirtualService.http.route: several destinations, one without a weight")
        clusters.append({"name": cluster_of(destination), "weight": weight})
    # Istio leaves out what has no weight.
    return {"weighted_clusters": {"clusters": [each for each in clusters if each["weight"]]}}


def http_route(entry, cluster_of, picked):
    """An entry of VirtualService.http: one route for each match."""
    name, matches, headers, route = only("VirtualService.http", entry, "name", "match", "headers", "route")
    action = {"route": {**destinations(route, cluster_of), "timeout": "0s", "retry_policy": RETRY}}
    if name in picked:
        change, removed = only("EnvoyFilter.configPatches.patch.value", picked[name], "route", "request_headers_to_remove")
        (weighted,) = only("EnvoyFilter.configPatches.patch.value.route", change, "weighted_clusters")
        action["route"]["weighted_clusters"].update(weighted)
        action["request_headers_to_remove"] = removed
    if headers:
        (request,) = only("headers", headers, "request")
        (action["request_headers_to_remove"],) = only("headers.request", request, "remove")
    for match in matches or [{}]:
        wanted, uri = only("VirtualService.http.match", match, "headers", "uri")
        (prefix,) = only("uri", uri or {}, "prefix")
        conditions = []
        for name, value in (wanted or {}).items():
            (exact,) = only(f"headers.{name}", value, "exact")
            conditions.append(envoy.header_match(name, exact=exact))
        yield envoy.route(action, prefix or "/", conditions)


def gateway_servers(gateway, hosts, certificate):
    """Whether HTTP is redirected to HTTPS; both must be there, with the certificate that is issued."""
    (_, servers) = only("Gateway", gateway["spec"], "selector", "servers")
    redirects, secure = False, False
    for server in servers:
        server_hosts, port, tls = only("Gateway.servers", server, "hosts", "port", "tls")
        _, number, protocol = only("Gateway.servers.port", port, "name", "number", "protocol")
        redirect, credential, mode = only("Gateway.servers.tls", tls, "httpsRedirect", "credentialName", "mode")
        if server_hosts != hosts:
            raise NotUnderstood(f"Gateway.servers.hosts {server_hosts}, but VirtualService.hosts {hosts}")
        if (protocol, number) == ("HTTP", 80):
            redirects = bool(redirect)
        elif (protocol, number, mode) == ("HTTPS", 443, "SIMPLE"):
            known = ("dnsNames", "secretName", "issuerRef", "subject")
            names, secret, *_ = only("Certificate", certificate["spec"], *known)
            secure = credential == secret and names == hosts
        else:
            raise NotUnderstood(f"Gateway.servers {server}")
    if not secure:
        raise NotUnderstood("Gateway: no HTTPS server with the certificate's secret and host")
    return redirects


def wasm_plugin(plugin, gateway):
    known = ("selector", "url", "failStrategy", "pluginConfig", "pluginName", "phase", "priority", "imagePullPolicy")
    selector, _, strategy, config, name, *_ = only("WasmPlugin", plugin["spec"], *known)
    if selector != {"matchLabels": gateway["spec"]["selector"]}:
        raise NotUnderstood("WasmPlugin.selector is not the Gateway's")
    policy = {None: "FAIL_CLOSED", "FAIL_CLOSE": "FAIL_CLOSED", "FAIL_OPEN": "FAIL_OPEN", "FAIL_RELOAD": "FAIL_RELOAD"}
    full_name = f"{plugin['metadata']['namespace']}.{plugin['metadata']['name']}"
    return {"name": full_name, "root_id": name or "", "failure_policy": policy[strategy]}, config


def config_text(config):
    """pluginConfig as it reaches the filter: a protobuf Struct as JSON, whose keys have lost their order."""
    return json.dumps(config, sort_keys=True)
