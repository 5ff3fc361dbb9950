"""The shipped manifests, with what a cluster would add to them."""

import base64
import copy

import yaml

EXTENSION = "gateway.envoyproxy.io"
# Nobody runs pods and issues certificates here.
OTHERS = {"Deployment", "Certificate", "ClusterIssuer"}
ADDRESS = "127.0.0.1"


def here(rendered, certificate, image):
    """The objects of a rendered text: the module's image is this one, and what answers is on this machine."""
    objects = [each for each in yaml.safe_load_all(rendered) if each["kind"] not in OTHERS]
    one(objects, "EnvoyExtensionPolicy")["spec"]["wasm"][0]["code"]["image"]["url"] = image
    chain, key = (file.read_bytes() for file in certificate)
    objects.append(secret("httpbin-ingress-cert", "canary", {"tls.crt": chain, "tls.key": key}))
    # From a file Envoy Gateway reads no Services; a Backend says the same.
    services = [each for each in objects if each["kind"] == "Service"]
    for service in services:
        (port,) = service["spec"]["ports"]
        spec = {"endpoints": [{"ip": {"address": ADDRESS, "port": port["port"]}}]}
        backend = {"apiVersion": f"{EXTENSION}/v1alpha1", "kind": "Backend", "metadata": service["metadata"], "spec": spec}
        objects[objects.index(service)] = backend
    for route in objects:
        if route["kind"] == "HTTPRoute":
            for rule in route["spec"]["rules"]:
                for reference in rule.get("backendRefs", []):
                    del reference["port"]
                    reference |= {"group": EXTENSION, "kind": "Backend"}
    return objects


def one(objects, kind, name=None):
    (found,) = [each for each in objects if each["kind"] == kind and name in (None, each["metadata"]["name"])]
    return found


def changed(objects, change):
    """A copy of the objects after a change of it."""
    copied = copy.deepcopy(objects)
    change(copied)
    return copied


def secret(name, namespace, files):
    data = {file: base64.b64encode(content).decode() for file, content in files.items()}
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "kubernetes.io/tls", "data": data}


def with_envoy(objects, version, admin_file, certificates):
    """The objects with the Envoy that is started, and with the certificate by which it fetches modules from the control plane."""

    def change(objects):
        one(objects, "EnvoyProxy")["spec"] |= {
            "provider": {"type": "Host", "host": {"envoyVersion": version}},
            "concurrency": 2,
            # A drain ends after a minute by default.
            "shutdown": {"drainTimeout": "5s"},
            "logging": {"level": {"default": "warn", "wasm": "info"}},
            "extraArgs": ["--admin-address-path", str(admin_file)],
        }

    own = {file: (certificates / file).read_bytes() for file in ("ca.crt", "tls.crt", "tls.key")}
    return [*changed(objects, change), secret("envoy", "envoy-gateway-system", own)]
