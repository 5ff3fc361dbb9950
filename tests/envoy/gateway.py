"""A real Envoy, configured as Istio configures its ingress gateway, and everything that a test wants to know about it."""

import base64
import ctypes
import hmac
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

from discovery import publish, resource, source
from repository import ROOT, WASM

HEADER = "x-canary-subset"
PATIENCE = 30  # seconds until something that was awaited counts as failed

EXTENSIONS = "type.googleapis.com/envoy.extensions."
HCM = "filters.network.http_connection_manager.v3.HttpConnectionManager"


class Failed(Exception):
    """Envoy did not do what was asked of it."""


def listed():
    """The versions in versions.txt, with what is said of each."""
    lines = (Path(__file__).parent / "versions.txt").read_text().splitlines()
    return [line.split("#") for line in lines if line.split("#")[0].strip()]


def versions():
    """Every version; ENVOY=VERSION limits them to one."""
    known = [version.strip() for version, _ in listed()]
    only = os.environ.get("ENVOY")
    if only and only not in known:
        raise Failed(f"ENVOY={only} is none of {', '.join(known)} (tests/envoy/versions.txt)")
    return [only] if only else known


def newest():
    """The newest released Istio's, unless ENVOY says otherwise."""
    return versions()[0] if os.environ.get("ENVOY") else [v.strip() for v, istio in listed() if "-dev" not in istio][-1]


def binary(version):
    """Where setup.sh has put this version."""
    path = ROOT / ".venv/envoy" / version / "envoy/_bin/envoy"
    if not path.exists():
        raise Failed(f"Envoy {version} is not installed; run tests/setup.sh all")
    return path


def until(condition, what, patience=PATIENCE):
    """Asks until the condition holds, with a pause between, and returns its value: for what another process tells only when asked
    (statistics, the admin interface, logs)."""
    deadline = time.monotonic() + patience
    pause = 0.001
    while True:
        if value := condition():
            return value
        if time.monotonic() > deadline:
            raise Failed(f"still waiting after {patience} s: {what() if callable(what) else what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


def get(address, path):
    """The status and the text of an answer on this machine."""
    # Not by urllib: that would ask a proxy if the environment names one.
    connection = http.client.HTTPConnection(address, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


# ---- processes -------------------------------------------------------------------------------------------------------


def die_with_parent():
    """Asks Linux to end this process if its parent is killed and cannot clean up."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def spawn(command, log, stdout=None):
    """A process in a group of its own: it is ended by us, not by the terminal's Ctrl-C."""
    return subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=stdout or log,
        stderr=log,
        start_new_session=True,
        preexec_fn=die_with_parent,
    )


# A group that is gone; macOS says the second of one whose processes have ended and are not awaited yet.
GONE = (ProcessLookupError, PermissionError)


def end(process):
    """Ends a process and all of its group."""
    for how, patience in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        try:
            os.killpg(process.pid, how)
        except GONE:
            break
        try:
            process.wait(patience)
            # Whatever the leader has left behind.
            os.killpg(process.pid, signal.SIGKILL)
        except subprocess.TimeoutExpired:
            continue
        except GONE:
            break
    process.wait()


class Envoy:
    """One Envoy process. Ports are chosen by the system: ask `port(listener)`."""

    def __init__(self, version, bootstrap, concurrency=1):
        self.version = version
        self.process = None
        self.directory = Path(tempfile.mkdtemp(prefix="canary-envoy-"))
        self.log_file = self.directory / "log"
        self.bootstrap = bootstrap
        self.concurrency = concurrency

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()

    def start(self):
        admin_file = self.directory / "admin"
        config_file = self.directory / "bootstrap.json"
        self.bootstrap["admin"] = {"address": address("127.0.0.1", 0)}
        config_file.write_text(json.dumps(self.bootstrap, indent=1))
        command = [binary(self.version), "-c", config_file, "--admin-address-path", admin_file]
        # A listener that is taken away ends at once, not after ten minutes.
        command += ["--concurrency", self.concurrency, "--disable-hot-restart", "--drain-time-s", 1]
        # The level and the logger first, then the message with line ends escaped: one line is one message.
        command += ["--log-format", "%l|%n|%v", "--log-format-escaped"]
        command += ["-l", "warning", "--component-log-level", "wasm:info"]
        with self.log_file.open("wb") as log:
            self.process = spawn(command, log)
        until(lambda: admin_file.exists() and admin_file.read_text(), self.explain("its admin port"))
        self.admin_address = admin_file.read_text()
        until(lambda: self.alive() and self.admin("/ready") == "LIVE\n", self.explain("LIVE"))
        return self

    def stop(self):
        if self.process:
            end(self.process)
            self.process = None
        shutil.rmtree(self.directory, ignore_errors=True)

    def alive(self):
        if self.process.poll() is not None:
            raise Failed(f"Envoy {self.version} ended with {self.process.returncode}:\n{self.log_tail()}")
        return True

    def explain(self, what):
        return lambda: f"Envoy {self.version}: {what}\n{self.log_tail()}"

    # What it says.

    def log(self, start=0):
        """The log's messages as (level, logger, text), from this byte of the file on."""
        with self.log_file.open("rb") as file:
            file.seek(start)
            lines = file.read().splitlines()
        # What is escaped is bytes, in octal.
        lines = [line.decode("unicode_escape").encode("latin-1").decode("utf-8", "replace") for line in lines]
        return [tuple(line.split("|", 2)) for line in lines if line.count("|") >= 2]

    def log_size(self):
        return self.log_file.stat().st_size

    def log_tail(self, lines=30):
        if not self.log_file.exists():
            return "(no log)"
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-lines:])

    def plugin_log(self, plugin, start=0):
        """What a plugin has logged, as (level, text). Envoy names it by its root id alone."""
        prefix = f"wasm log {plugin.root_id}: "
        return [(level, text.removeprefix(prefix)) for level, _, text in self.log(start) if text.startswith(prefix)]

    def errors(self, plugin):
        """What a plugin has found wrong."""
        return [text for level, text in self.plugin_log(plugin) if level == "error"]

    def crashes(self):
        """What the log says of panics, and of what Envoy itself calls critical."""
        return [entry for entry in self.log() if "panicked" in entry[2] or entry[0] == "critical"]

    def admin(self, path):
        _, text = get(self.admin_address, path)
        return text

    def stats(self, prefix=""):
        """All counters and gauges whose name starts so."""
        text = self.admin("/stats?filter=" + urllib.parse.quote("^" + re.escape(prefix)))
        pairs = (line.rpartition(": ") for line in text.splitlines())
        return {name: int(value) for name, _, value in pairs if value.isdigit()}

    def stat(self, name):
        return self.stats(name).get(name, 0)

    def port(self, listener, wait=True):
        """The port of a listener that is ready to be used."""

        def find():
            self.alive()
            for status in json.loads(self.admin("/listeners?format=json")).get("listener_statuses", []):
                if status["name"] == listener:
                    return status["local_address"]["socket_address"]["port_value"]
            return None

        return until(find, self.explain(f"listener {listener}")) if wait else find()


# ---- plugins ---------------------------------------------------------------------------------------------------------


class Plugin:
    """The filter as an extension that Envoy subscribes to, as Istio delivers a WasmPlugin; from a file here."""

    def __init__(self, name, directory, root_id="canary-split", failure_policy="FAIL_OPEN", wasm=WASM):
        self.name = name  # Istio: NAMESPACE.NAME
        self.called = name  # what the filter is told, the property plugin_name
        self.root_id = root_id  # Istio: spec.pluginName
        self.failure_policy = failure_policy
        self.wasm = wasm
        self.file = Path(directory) / f"ecds-{name}.json"
        self.version = 0
        self.config = None

    def filter(self):
        """The filter's entry in a connection manager."""
        return {
            "name": self.name,
            "config_discovery": {
                # The timeout is Istio's: the listener is not ready before the plugin is.
                "config_source": {**source(self.file), "initial_fetch_timeout": "0s"},
                "type_urls": [f"{EXTENSIONS}filters.http.wasm.v3.Wasm"],
            },
        }

    def write(self, config):
        """Puts a config in force: text as it is, anything else as JSON. Use `update` where Envoy runs already."""
        if not isinstance(config, str):
            config = json.dumps(config)
        self.config = config
        self.version += 1
        extension = {"name": self.name, "typed_config": self.typed_config(config)}
        publish(self.file, self.version, resource("envoy.config.core.v3.TypedExtensionConfig", extension))

    def typed_config(self, config, **vm):
        """The filter with this text as its config."""
        # Of an absent pluginConfig Istio makes an empty Any.
        string = {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": config}
        return {
            "@type": f"{EXTENSIONS}filters.http.wasm.v3.Wasm",
            "config": {
                "name": self.called,
                "root_id": self.root_id,
                "failure_policy": self.failure_policy,
                "configuration": string if config.strip() not in ("", "{}") else {},
                # No vm_id, as in Istio: all plugins share one VM per worker.
                "vm_config": {
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": {"local": {"filename": str(self.wasm)}},
                    **vm,
                },
            },
        }

    def update(self, envoy, config):
        """Puts another config in force and waits until every worker has it."""
        if not isinstance(config, str):
            config = json.dumps(config)
        if config == self.config:
            return  # Envoy would take no notice of it.
        prefix = f"extension_config_discovery.http_filter.{self.name}."
        before = envoy.stat(prefix + "config_reload")
        self.write(config)

        def done():
            envoy.alive()
            if envoy.stat(prefix + "config_fail"):
                raise Failed(f"Envoy refused a config of {self.name}:\n{envoy.log_tail()}")
            return envoy.stat(prefix + "config_reload") > before

        until(done, envoy.explain(f"config {self.version} of {self.name}"))


# ---- parts of a configuration ----------------------------------------------------------------------------------------


def address(host, port):
    return {"socket_address": {"address": host, "port_value": port}}


def pipe(path):
    return {"pipe": {"path": str(path)}}


def cluster(name, where, **more):
    """An application, on a port of loopback or at the path of a socket; HTTP/1.1, as Istio speaks to `http-…` ports."""
    where = address("127.0.0.1", where) if isinstance(where, int) else pipe(where)
    many = {"max_connections": 10000, "max_pending_requests": 10000, "max_requests": 10000}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": where}}]}]},
        "circuit_breakers": {"thresholds": [many]},
        **more,
    }


def header_match(name, **string_match):
    return {"name": name, "string_match": string_match}


def route(target, prefix="/", headers=(), **more):
    """A route; the target is a cluster's name or an action (`direct_response`, `redirect`)."""
    action = {"route": {"cluster": target, "timeout": "0s"}} if isinstance(target, str) else target
    return {"match": {"prefix": prefix, "headers": list(headers)}, **action, **more}


def subset_routes(header=HEADER, v2="v2", v1="v1"):
    """What the shipped VirtualService says: v2 where the header says so, else v1."""
    return [route(v2, headers=[header_match(header, exact="v2")]), route(v1)]


# Shared with who issues the tokens: in the tests, `token`.
TOKEN_KEY = b"a key of the tests alone, 32 byte"


# Where Istio puts claims; it is an issuer of tokens too.
ISTIO = "payload"


def verified_tokens():
    """What Istio makes of a RequestAuthentication: tokens are verified, and their claims put where filters find them. Another
    provider's are put where Envoy Gateway puts them."""
    key = {"kty": "oct", "alg": "HS256", "k": base64url(TOKEN_KEY)}

    def provider(name):
        return {
            "issuer": name,
            "local_jwks": {"inline_string": json.dumps({"keys": [key]})},
            "payload_in_metadata": name,
            "normalize_payload_in_metadata": {"space_delimited_claims": ["scope", "permission"]},
        }

    providers = {name: provider(name) for name in (ISTIO, "keycloak")}
    allowed = {"requires_any": {"requirements": [*({"provider_name": name} for name in providers), {"allow_missing": {}}]}}
    rules = [{"match": {"prefix": "/"}, "requires": allowed}]
    config = {"providers": providers, "rules": rules}
    kind = f"{EXTENSIONS}filters.http.jwt_authn.v3.JwtAuthentication"
    return {"name": "envoy.filters.http.jwt_authn", "typed_config": {"@type": kind, **config}}


def token(claims, issuer=ISTIO):
    """A token with these claims (RFC 7519), signed with the key of the tests."""
    parts = [{"alg": "HS256", "typ": "JWT"}, {"iss": issuer} | claims]
    signed = ".".join(base64url(json.dumps(part).encode()) for part in parts)
    return f"{signed}.{base64url(hmac.digest(TOKEN_KEY, signed.encode(), 'sha256'))}"


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def connection_manager(stat_prefix, filters, routes, **more):
    """As Istio writes it for a gateway; the routes are a list, or `{"rds": …}` says where they come from."""
    names = ["grpc_stats.v3.FilterConfig", "fault.v3.HTTPFault", "cors.v3.Cors", "router.v3.Router"]
    after = [
        {
            "name": "envoy.filters.http." + name.split(".")[0],
            "typed_config": {"@type": f"{EXTENSIONS}filters.http.{name}"},
        }
        for name in names
    ]
    if isinstance(routes, list):
        routes = {"route_config": route_config(stat_prefix, routes)}
    return {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": EXTENSIONS + HCM,
            "stat_prefix": stat_prefix,
            "use_remote_address": True,
            "normalize_path": True,
            "forward_client_cert_details": "SANITIZE_SET",
            "stream_idle_timeout": "0s",
            "upgrade_configs": [{"upgrade_type": "websocket"}],
            "http_filters": [*filters, *after],
            **routes,
            **more,
        },
    }


def route_config(name, routes, domains=("*",)):
    return {
        "name": name,
        "ignore_port_in_host_matching": True,
        "virtual_hosts": [{"name": name, "domains": list(domains), "routes": routes}],
        "validate_clusters": False,
    }


def tls(certificate):
    """The downstream side of TLS with (certificate chain, key), files in PEM."""
    chain, key = certificate
    pair = {"certificate_chain": {"filename": str(chain)}, "private_key": {"filename": str(key)}}
    context = {"alpn_protocols": ["h2", "http/1.1"], "tls_certificates": [pair]}
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": f"{EXTENSIONS}transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": context,
        },
    }


def listener(name, manager, certificate=None, where=0):
    """A listener; with a certificate it speaks TLS to those who do and plain HTTP to all others."""
    chains = [{"filters": [manager]}]
    inspectors = []
    if certificate:
        secure = {"filter_chain_match": {"transport_protocol": "tls"}, "transport_socket": tls(certificate)}
        plain = {"filter_chain_match": {"transport_protocol": "raw_buffer"}}
        chains = [{**secure, **chains[0]}, {**plain, **chains[0]}]
        inspector = f"{EXTENSIONS}filters.listener.tls_inspector.v3.TlsInspector"
        inspectors.append({"name": "envoy.filters.listener.tls_inspector", "typed_config": {"@type": inspector}})
    where = address("127.0.0.1", where) if isinstance(where, int) else pipe(where)
    return {
        "name": name,
        "stat_prefix": name,
        "address": where,
        # All workers get connections, not by chance.
        "connection_balance_config": {"exact_balance": {}},
        "listener_filters": inspectors,
        "filter_chains": chains,
    }


def echo_listener(name, where, header=HEADER):
    """An application within Envoy itself, for many requests: it answers who it is and which subset header it saw."""

    def answer(key, value):
        return {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}

    say = [answer("x-seen", f"%REQ({header})%"), answer("x-served-by", name)]
    routes = [route({"direct_response": {"status": 200}}, response_headers_to_add=say)]
    return listener(name, connection_manager(name, [], routes), where=where)


def echo_apps(directory):
    """v1 and v2, each at a socket in this directory: their listeners, and their clusters."""
    sockets = {name: Path(directory) / name for name in ("v1", "v2")}
    return [echo_listener(*each) for each in sockets.items()], [cluster(*each) for each in sockets.items()]


def bootstrap(listeners=(), clusters=(), **dynamic):
    config = {
        "node": {"id": "gateway", "cluster": "gateway"},
        "static_resources": {"listeners": list(listeners), "clusters": list(clusters)},
    }
    if dynamic:
        config["dynamic_resources"] = dynamic
    return config
