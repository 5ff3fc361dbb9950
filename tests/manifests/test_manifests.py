"""What we ship renders, agrees with itself and respects what Istio, cert-manager and Kubernetes ask for."""

import datetime
import itertools
import re
import shlex

import pytest
import yaml
from repository import ROOT

APP, GATEWAY = "canary", "istio-system"
FQDN = "httpbin.canary.svc.cluster.local"
SPLIT = [f"manifests/overlays/{name}" for name in ("prepared", "weighted", "sticky", "rollout", "testers", "sealed")]
CANARIES = [*SPLIT, "manifests/overlays/adopted"]
WORLDS = ["manifests/base", *CANARIES]
# The same with the Gateway API; one of them with the newer kind of plugin.
API_SPLIT = [folder.replace("manifests", "manifests/gateway-api") for folder in SPLIT]
API_WORLDS = ["manifests/gateway-api/base", *API_SPLIT, "manifests/gateway-api/overlays/trafficextension"]
WAYPOINT = "manifests/gateway-api/waypoint"
EVERYTHING = ["wasmplugin", "wasmplugin/in-cluster", "manifests/metrics", *WORLDS, *API_WORLDS, WAYPOINT]
SETTINGS = "manifests/settings/settings.yaml"
PART = {"app.kubernetes.io/part-of": "canary-split"}
# The pages whose commands are tried in a cluster, and those that must have no others.
GETTING_STARTED = "docs/getting-started.md"
GATEWAY_API = "docs/gateway-api.md"
PAGES = [GETTING_STARTED, "docs/install.md", "docs/rollout.md", "docs/cli.md", GATEWAY_API]
OTHERS = ["README.md", "docs/monitoring.md", "docs/troubleshooting.md", "docs/upgrade.md", "docs/your-own-service.md"]


def kustomizations():
    """Every kustomization that can be applied, as it is in the repository."""
    for path in sorted(ROOT.glob("manifests/**/kustomization.yaml")) + sorted(ROOT.glob("wasmplugin/**/kustomization.yaml")):
        if yaml.safe_load(path.read_text())["kind"] == "Kustomization":
            yield str(path.parent.relative_to(ROOT))


def test_no_kustomization_is_left_out():
    # tests/manifests/test_envoy_gateway.py looks at the other one.
    assert set(kustomizations()) == {*EVERYTHING, "manifests/envoy-gateway"}


@pytest.mark.parametrize("folder", EVERYTHING)
def test_it_renders_without_a_warning(shipped, folder):
    assert shipped.objects(folder)


# ---- each setting has one place ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", [*WORLDS, *API_WORLDS])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("host: canary.example.com", "host: shop.example.org"),
        ("gatewayNamespace: istio-system", "gatewayNamespace: istio-ingress"),
        ("gatewayLabel: ingressgateway", "gatewayLabel: edge"),
    ],
)
def test_a_setting_has_one_place(tree, folder, old, new):
    before = tree.render(folder)
    tree.edit(SETTINGS, old, new)
    setting, (old, new) = old.split(": ")[0], (text.split(": ")[1] for text in (old, new))
    after = tree.render(folder)
    # A Gateway of the Gateway API has its pods by its name.
    assert (old in before) == (setting != "gatewayLabel" or folder in WORLDS)
    # As whole words: a name may end in one of them.
    assert not re.search(rf"(?<![-\w.]){re.escape(old)}(?![-\w.])", after)
    assert after == re.sub(rf"(?<![-\w.]){re.escape(old)}(?![-\w.])", new, before)


@pytest.mark.parametrize("folder", [*CANARIES, *API_SPLIT, WAYPOINT])
def test_the_module_has_one_place(tree, folder):
    url = tree.objects("wasmplugin").one("WasmPlugin")["spec"]["url"]
    tree.edit("wasmplugin/wasmplugin.yaml", url, "oci://other.example.com/x@sha256:" + "1" * 64)
    assert tree.objects(folder).one("WasmPlugin")["spec"]["url"] == "oci://other.example.com/x@sha256:" + "1" * 64


@pytest.mark.parametrize(("family", "match"), [("manifests", "exact"), ("manifests/gateway-api", "value")])
def test_the_seal_has_one_place(tree, family, match):
    seal = tree.objects(f"{family}/overlays/sealed").one("WasmPlugin")["spec"]["pluginConfig"]["seal"]
    tree.edit("manifests/overlays/sealed/wasmplugin.yaml", seal, "0123456789abcdef")
    after = tree.render(f"{family}/overlays/sealed")
    assert seal not in after and f"{match}: v2.0123456789abcdef" in after


def test_the_issuer_has_one_place(tree):
    file = tree.top / "manifests/base/certificate.yaml"
    changed, found = re.subn(r"(?m)^    name: .*# your ACME issuer.*$", "    name: letsencrypt", file.read_text())
    assert found == 1
    file.write_text(changed)
    certificate = tree.objects("manifests/base").one("Certificate")
    assert certificate["spec"]["issuerRef"] == {"kind": "ClusterIssuer", "name": "letsencrypt"}


# ---- what Istio and the others ask for -----------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", EVERYTHING)
def test_kinds_are_of_a_served_version(shipped, folder):
    versions = {
        "Gateway": "gateway.networking.k8s.io/v1" if "gateway-api" in folder else "networking.istio.io/v1",
        "HTTPRoute": "gateway.networking.k8s.io/v1",
        "TrafficExtension": "extensions.istio.io/v1alpha1",
        "VirtualService": "networking.istio.io/v1",
        "DestinationRule": "networking.istio.io/v1",
        "WasmPlugin": "extensions.istio.io/v1alpha1",
        "EnvoyFilter": "networking.istio.io/v1alpha3",
        "Certificate": "cert-manager.io/v1",
        "ClusterIssuer": "cert-manager.io/v1",
        "Deployment": "apps/v1",
        "Namespace": "v1",
        "Service": "v1",
        "ConfigMap": "v1",
        "PrometheusRule": "monitoring.coreos.com/v1",
    }
    for o in shipped.objects(folder):
        assert o["apiVersion"] == versions[o["kind"]]


@pytest.mark.parametrize("folder", [*WORLDS, *API_WORLDS])
def test_objects_are_in_their_namespaces(shipped, folder):
    at_the_gateway, of_the_cluster = {"WasmPlugin", "TrafficExtension", "EnvoyFilter", "Certificate"}, {"Namespace", "ClusterIssuer"}
    if folder in API_WORLDS:
        at_the_gateway.add("Gateway")  # Istio makes its pods next to it
    for o in shipped.objects(folder):
        expected = GATEWAY if o["kind"] in at_the_gateway else None if o["kind"] in of_the_cluster else APP
        assert o["metadata"].get("namespace") == expected, o["kind"]
        assert o["metadata"]["name"] != "settings", "the settings are for kustomize only"


@pytest.mark.parametrize("folder", API_SPLIT)
def test_a_canary_with_the_gateway_api_has_the_rules_of_the_overlay_of_its_name(shipped, folder):
    plugin, same = shipped.objects(folder).one("WasmPlugin"), shipped.objects(folder.replace("/gateway-api", "")).one("WasmPlugin")
    del same["spec"]["selector"]
    gateway = shipped.objects(folder).one("Gateway")["metadata"]
    assert plugin["metadata"]["namespace"] == gateway["namespace"], "targetRefs reach no other namespace"
    same["spec"]["targetRefs"] = [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": gateway["name"]}]
    assert plugin == same


def test_a_trafficextension_has_what_the_wasmplugin_has(shipped):
    plugin = shipped.objects("manifests/gateway-api/overlays/sticky").one("WasmPlugin")
    extension = shipped.objects("manifests/gateway-api/overlays/trafficextension").one("TrafficExtension")
    targets = plugin["spec"].pop("targetRefs")
    assert extension["spec"] == {"targetRefs": targets, "wasm": plugin["spec"]}
    assert extension["metadata"] == plugin["metadata"]


@pytest.mark.parametrize("folder", API_WORLDS)
def test_httproutes_lead_to_the_pods_of_the_version(shipped, folder):
    objects = shipped.objects(folder)
    (plugin,) = objects.all("WasmPlugin") + objects.all("TrafficExtension") or [{"spec": {}}]
    config = plugin["spec"].get("wasm", plugin["spec"]).get("pluginConfig", {})
    seal = f".{config['seal']}" if "seal" in config else ""
    gateway, route = objects.one("Gateway"), objects.one("HTTPRoute", "httpbin")["spec"]
    listeners = {each["name"]: each for each in gateway["spec"]["listeners"]}
    assert {name: (each["port"], each["protocol"]) for name, each in listeners.items()} == {"http": (80, "HTTP"), "https": (443, "HTTPS")}
    assert listeners["https"]["tls"]["certificateRefs"] == [{"name": objects.one("Certificate")["spec"]["secretName"]}]
    parent = {"name": gateway["metadata"]["name"], "namespace": GATEWAY}
    redirect = objects.one("HTTPRoute", "httpbin-redirect")["spec"]
    assert redirect["parentRefs"] == [parent | {"sectionName": "http"}] and route["parentRefs"] == [parent | {"sectionName": "https"}]
    assert redirect["rules"] == [{"filters": [{"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "statusCode": 301}}]}]
    assert redirect["hostnames"] == route["hostnames"] == objects.one("Certificate")["spec"]["dnsNames"]
    assert all(each["hostname"] in route["hostnames"] for each in listeners.values())

    subsets = {s["subset"] for rule in config.get("rules", []) for s in rule.get("split", [rule])} or {"v1"}
    *canaries, stable = route["rules"]
    assert "matches" not in stable and [each["matches"][0]["headers"] for each in canaries] == [
        [{"name": "x-canary-subset", "value": subset + seal}] for subset in sorted(subsets - {"v1"})
    ]
    unseen = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["x-canary-subset"]}}
    for rule, subset in zip(route["rules"], [*sorted(subsets - {"v1"}), "v1"]):
        assert rule.get("filters", []) == [unseen] * bool(seal) and "timeouts" not in rule, "a timeout would end websockets"
        (backend,) = rule["backendRefs"]
        assert "weight" not in backend, "the weights are those of the rule"
        service = objects.one("Service", backend["name"])["spec"]
        (port,) = service["ports"]
        (deployment,) = [d for d in objects.all("Deployment") if service["selector"].items() <= d["spec"]["template"]["metadata"]["labels"].items()]
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert backend["port"] == port["port"] and service["selector"]["version"] == subset
        assert port["targetPort"] in [p["containerPort"] for p in container["ports"]]


@pytest.mark.parametrize("folder", ["wasmplugin", *CANARIES])
def test_the_wasmplugin_loads_on_the_gateway_and_fails_open(shipped, folder):
    spec = shipped.objects(folder).one("WasmPlugin")["spec"]
    assert spec["selector"] == {"matchLabels": {"istio": "ingressgateway"}}
    assert spec["failStrategy"] == "FAIL_OPEN"
    # The digest pins the image; sha256 would have to say the same again. Phase and ports are right by default.
    assert re.fullmatch(r"oci://[^@]+@sha256:[0-9a-f]{64}", spec["url"])
    assert set(spec) == {"selector", "url", "failStrategy", "pluginName", "pluginConfig"}


@pytest.mark.parametrize("folder", WORLDS)
def test_every_destination_is_complete_and_has_pods(shipped, folder):
    objects = shipped.objects(folder)
    service = objects.one("Service")
    ports = {p["port"]: p for p in service["spec"]["ports"]}
    rule = objects.one("DestinationRule")
    assert rule["spec"]["host"] == FQDN == f"{service['metadata']['name']}.{APP}.svc.cluster.local"
    assert rule["metadata"]["namespace"] == service["metadata"]["namespace"]
    subsets = {s["name"]: s["labels"] for s in rule["spec"]["subsets"]}
    assert subsets == {"v1": {"version": "v1"}, "v2": {"version": "v2"}}
    for route in objects.one("VirtualService")["spec"]["http"]:
        assert "timeout" not in route, "it would end websockets"
        assert len(route["route"]) == (2 if folder.endswith("adopted") else 1), "the weights are those of the rule"
        for destination in (each["destination"] for each in route["route"]):
            assert destination["host"] == FQDN
            wanted = service["spec"]["selector"] | subsets[destination["subset"]]
            templates = [d["spec"]["template"] for d in objects.all("Deployment")]
            pods = [t for t in templates if wanted.items() <= t["metadata"]["labels"].items()]
            assert len(pods) == 1, f"{len(pods)} Deployments have the pods of {destination}"
            (container,) = pods[0]["spec"]["containers"]
            assert ports[destination["port"]["number"]]["targetPort"] in [p["containerPort"] for p in container["ports"]]
            assert "readinessProbe" in container, "without it a rollout is over too early"


@pytest.mark.parametrize("folder", [*WORLDS, *API_WORLDS, WAYPOINT, "wasmplugin/in-cluster"])
def test_services_and_deployments_fit(shipped, folder):
    objects = shipped.objects(folder)
    for service in objects.all("Service"):
        for port in service["spec"]["ports"]:
            # Else `istioctl validate` refuses it: Istio reads the protocol from the name.
            assert re.match(r"http(-|$)", port["name"])
    for deployment in objects.all("Deployment"):
        spec = deployment["spec"]
        assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()
        # A label of the whole must not get into a selector: it could never be taken away again.
        assert PART.keys().isdisjoint(spec["selector"]["matchLabels"])


@pytest.mark.parametrize("folder", WORLDS)
def test_the_gateway_terminates_tls_and_redirects(shipped, folder):
    objects = shipped.objects(folder)
    gateway, certificate = objects.one("Gateway"), objects.one("Certificate")["spec"]
    http, https = gateway["spec"]["servers"]
    assert (http["port"]["number"], http["port"]["protocol"], http["tls"]) == (80, "HTTP", {"httpsRedirect": True})
    assert (https["port"]["number"], https["port"]["protocol"]) == (443, "HTTPS")
    assert https["tls"] == {"mode": "SIMPLE", "credentialName": "httpbin-ingress-cert"}
    assert certificate["secretName"] == https["tls"]["credentialName"]
    assert objects.one("ClusterIssuer")["metadata"]["name"] == certificate["issuerRef"]["name"]
    assert certificate["issuerRef"]["kind"] == "ClusterIssuer"
    virtual = objects.one("VirtualService")["spec"]
    assert virtual["gateways"] == [f"{gateway['metadata']['namespace']}/{gateway['metadata']['name']}"]
    assert virtual["hosts"] == http["hosts"] == https["hosts"] == certificate["dnsNames"] == ["canary.example.com"]


def test_the_base_is_v1_alone(shipped):
    objects = shipped.objects("manifests/base")
    assert objects.one("Namespace")["metadata"] == {"name": APP, "labels": {"istio-injection": "enabled"}}
    deployment = objects.one("Deployment")
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "docker.io/kennethreitz/httpbin"
    ports = [(p["port"], p["targetPort"]) for p in objects.one("Service")["spec"]["ports"]]
    assert ports == [(8000, 80), (8001, 8888)]
    (route,) = objects.one("VirtualService")["spec"]["http"]
    # The subset makes it safe next to v2's pods, which the Service selects too.
    assert "match" not in route
    assert route["route"] == [{"destination": {"host": FQDN, "port": {"number": 8000}, "subset": "v1"}}]
    assert not objects.all("WasmPlugin")


# ---- the filter's config and the routes say the same ---------------------------------------------------------------------


def httpbin_rule(config):
    (rule,) = [r for r in config["rules"] if r["name"] == "httpbin"]
    return rule


@pytest.mark.parametrize("folder", SPLIT)
def test_config_and_routes_agree(shipped, folder):
    objects = shipped.objects(folder)
    config = objects.one("WasmPlugin")["spec"]["pluginConfig"]
    virtual = objects.one("VirtualService")["spec"]
    header = config.get("header", "x-canary-subset")
    seal = f".{config['seal']}" if "seal" in config else ""
    assert "_" not in header

    subsets = {s["subset"] for rule in config["rules"] for s in rule.get("split", [rule])}
    stable = httpbin_rule(config)["split"][0]["subset"]
    *canaries, default = virtual["http"]
    assert "match" not in default and default["route"][0]["destination"]["subset"] == stable, "stable is last and for all"
    for route in canaries:
        subset = route["route"][0]["destination"]["subset"]
        assert route["match"] == [{"headers": {header: {"exact": subset + seal}}}]
    assert {r["route"][0]["destination"]["subset"] for r in virtual["http"]} == subsets
    assert subsets == {s["name"] for s in objects.one("DestinationRule")["spec"]["subsets"]}
    for rule in config["rules"]:
        assert rule["hosts"] == virtual["hosts"]
    ports = [(r["route"][0]["destination"]["subset"], r["route"][0]["destination"]["port"]["number"]) for r in virtual["http"]]
    assert ports == [("v2", 8001), ("v1", 8000)]
    assert objects.one("Deployment", "httpbin-v2")["spec"]["template"]["spec"]["containers"][0]["image"].endswith(
        "psibi/tornado-websocket:v0.3"
    )


@pytest.mark.parametrize(
    ("overlay", "weights", "sticky", "rules"),
    [
        ("prepared", [100, 0], False, ["httpbin"]),
        ("weighted", [80, 20], False, ["httpbin"]),
        ("sticky", [80, 20], True, ["httpbin"]),
        ("rollout", [100, 0], True, ["httpbin"]),
        ("testers", [100, 0], False, ["testers", "httpbin"]),
        ("sealed", [80, 20], True, ["httpbin"]),
    ],
)
def test_an_overlay_does_what_its_name_says(shipped, overlay, weights, sticky, rules):
    config = shipped.objects(f"manifests/overlays/{overlay}").one("WasmPlugin")["spec"]["pluginConfig"]
    rule = httpbin_rule(config)
    assert [(s["subset"], s["weight"]) for s in rule["split"]] == list(zip(["v1", "v2"], weights))
    assert ("cookie" in rule.get("sticky", {})) == sticky
    assert [r["name"] for r in config["rules"]] == rules
    assert ("seal" in config) == (overlay == "sealed")
    assert {"ramp", "guard"} <= rule.keys() if overlay == "rollout" else not {"ramp", "guard"} & rule.keys()


def test_adopted_lets_envoy_pick_by_what_the_rule_writes_on_the_one_route(shipped):
    objects = shipped.objects("manifests/overlays/adopted")
    plugin, virtual = objects.one("WasmPlugin"), objects.one("VirtualService")["spec"]
    rule = httpbin_rule(plugin["spec"]["pluginConfig"])
    assert rule["hosts"] == virtual["hosts"] and "cookie" in rule["sticky"] and "split" not in rule
    (route,) = virtual["http"]
    assert sum(each["weight"] for each in route["route"]) == 100
    envoy_filter = objects.one("EnvoyFilter")
    assert envoy_filter["spec"]["workloadSelector"]["labels"] == plugin["spec"]["selector"]["matchLabels"]
    (patch,) = envoy_filter["spec"]["configPatches"]
    scope = {"vhost": {"domainName": virtual["hosts"][0], "route": {"name": route["name"]}}}
    assert patch["match"] == {"context": "GATEWAY", "routeConfiguration": scope}
    header = rule["adopt"]["header"]
    assert patch["patch"]["value"] == {
        "route": {"weighted_clusters": {"header_name": header}},
        "request_headers_to_remove": [header],
    }


def test_rollout_grows_from_1_to_100_percent_and_begins_when_the_user_says(shipped):
    ramp = httpbin_rule(shipped.objects("manifests/overlays/rollout").one("WasmPlugin")["spec"]["pluginConfig"])["ramp"]
    shares = [step["weights"]["v2"] for step in ramp["steps"]]
    assert shares == sorted(set(shares)) and (shares[0], shares[-1]) == (1, 100)
    # A date in the past would mean that all visitors see v2 at once. A string, also for those who read YAML 1.1.
    start = datetime.datetime.strptime(ramp["start"], "%Y-%m-%dT%H:%M:%S%z")
    assert start > datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=365)


def test_testers_need_the_key(shipped):
    config = shipped.objects("manifests/overlays/testers").one("WasmPlugin")["spec"]["pluginConfig"]
    rule = config["rules"][0]
    assert rule["subset"] == "v2"
    ((match,),) = [rule["match"]]
    assert list(match) == ["headers"] and list(match["headers"]) == ["x-canary-key"]
    assert list(match["headers"]["x-canary-key"]) == ["exact"]


def test_sealed_shows_the_seal_to_no_application(shipped):
    objects = shipped.objects("manifests/overlays/sealed")
    assert re.fullmatch(r"[A-Za-z0-9_-]{16,128}", objects.one("WasmPlugin")["spec"]["pluginConfig"]["seal"])
    for route in objects.one("VirtualService")["spec"]["http"]:
        assert route["headers"] == {"request": {"remove": ["x-canary-subset"]}}


# ---- the commands of the pages -------------------------------------------------------------------------------------------


def commands(page):
    """(comment line before it, command) of every shell block."""
    for block in re.findall(r"(?ms)^```sh\n(.*?)^```", (ROOT / page).read_text()):
        comment = None
        for line in block.splitlines():
            if line.startswith("# "):
                comment = line[2:]
            elif line.strip():
                yield comment, line.split("  #")[0].strip()
                comment = None


PATCHES = [c for page in PAGES for c in commands(page) if " patch " in c[1]]
WEIGHTS = [(50, 50), (95, 5), (0, 100), (100, 0)]


def test_there_is_one_patch_for_all_weights():
    ((comment, command),) = PATCHES
    assert comment == "v1 50, v2 50" and command.count("50") == 2


def patch_locally(tree, command, plugin):
    kubectl, *arguments = shlex.split(command)
    assert kubectl == "kubectl"
    at = arguments.index("wasmplugin")
    # The same command on the object as it is rendered instead of as the API server has it.
    assert arguments[at - 1] == "patch" and arguments[at + 1] == plugin["metadata"]["name"]
    assert arguments[arguments.index("-n") + 1] == plugin["metadata"]["namespace"]
    del arguments[at : at + 2]
    return tree.run(*arguments, "--local", "-f", "-", "-o", "yaml", stdin=yaml.safe_dump(plugin))


@pytest.mark.parametrize("folder", [*SPLIT, *API_SPLIT])
@pytest.mark.parametrize(("v1", "v2"), WEIGHTS)
def test_a_patch_moves_the_weights_that_it_says(shipped, folder, v1, v2):
    plugin = shipped.objects(folder).one("WasmPlugin")
    before, between, after = PATCHES[0][1].split("50")
    command = f"{before}{v1}{between}{v2}{after}"
    if folder.endswith("testers"):
        refused = patch_locally(shipped, command, plugin)
        assert refused.returncode != 0 and "test failed" in refused.stderr, "it must not hit the wrong rule"
        command = command.replace("rules/0", "rules/1")
    done = patch_locally(shipped, command, plugin)
    assert (done.returncode, done.stderr) == (0, "")
    patched = yaml.safe_load(done.stdout)
    split = httpbin_rule(patched["spec"]["pluginConfig"])["split"]
    assert [(s["subset"], s["weight"]) for s in split] == [("v1", v1), ("v2", v2)]
    for entry, old in zip(split, httpbin_rule(plugin["spec"]["pluginConfig"])["split"]):
        entry["weight"] = old["weight"]
    assert patched == plugin, "something else changed too"


@pytest.mark.parametrize("page", OTHERS)
def test_other_pages_change_a_cluster_by_no_commands_of_their_own(page):
    """The metrics need other people's operators, and a reader's own file is there for nobody else."""
    other = re.compile(r"metrics|^kubectl apply -f [\w-]+\.yaml$")
    tried = {command for each in PAGES for _, command in commands(each)}
    for _, command in commands(page):
        if re.search(r"^kubectl .*(patch|delete|rollout|apply)", command) and not other.search(command):
            assert command in tried


def test_the_runbook_has_no_commands_of_its_own():
    """Those of the other pages are tried in a cluster."""
    pages = [*PAGES, *OTHERS]
    inline = [(None, line) for page in pages for line in re.findall(r"`(kubectl [^`]+)`", (ROOT / page).read_text())]
    tried = {command for page in pages for _, command in commands(page)} | {c for _, c in inline}
    for _, command in commands("docs/runbook.md"):
        # The reader's own repository is there for nobody else.
        assert command in tried or command.startswith("git "), command


def test_folders_and_deployments_in_commands_are_there(shipped):
    folders, deployments = set(), set()
    for page in PAGES:
        for _, command in commands(page):
            folders |= set(re.findall(r" -k (\S+)", command))
            deployments |= set(re.findall(r"-n (\S+) rollout status deployment/(\S+)", command))
    overlays = {f"manifests/overlays/{name}" for name in ("prepared", "weighted", "sticky", "rollout")}
    api = {f"manifests/gateway-api/{name}" for name in ("base", "overlays/prepared", "overlays/sticky", "waypoint")}
    assert folders == {"manifests/base", "manifests/envoy-gateway", "wasmplugin/in-cluster"} | overlays | api
    objects = [o for folder in EVERYTHING for o in shipped.objects(folder).all("Deployment")]
    known = {(o["metadata"]["namespace"], o["metadata"]["name"]) for o in objects}
    assert deployments == {("canary", "httpbin"), ("canary", "httpbin-v2"), ("istio-system", "canary-split-module")}
    assert deployments <= known


def test_weights_are_raised_after_the_rollout():
    lines = [command for _, command in commands(GETTING_STARTED)]
    at = [next(i for i, line in enumerate(lines) if wanted in line) for wanted in ("base", "prepared", "rollout status deployment/httpbin-v2", "weighted")]
    assert at == sorted(at)


@pytest.mark.parametrize("folder", [*CANARIES, *API_SPLIT])
def test_the_way_back_leaves_the_base(shipped, folder):
    """Applying base and deleting by label leaves exactly what base alone would have made."""
    page, start, routes_of = (GETTING_STARTED, "manifests/base", "VirtualService") if folder in CANARIES else (GATEWAY_API, "manifests/gateway-api/base", "HTTPRoute")

    def key(o):
        return o["kind"].lower(), o["metadata"].get("namespace"), o["metadata"]["name"]

    lines = [command for _, command in commands(page)]
    deletes = [i for i, line in enumerate(lines) if " delete " in line]
    routes, pause = lines[deletes[0] - 2 : deletes[0]]
    assert f"kubectl apply -k {start}" in routes, "the routes come first"
    assert pause.startswith("sleep "), "the gateways must have them before what they led to goes"
    deleted = set()
    for line in (lines[i] for i in deletes):
        namespace, kinds, label = re.fullmatch(r"kubectl -n (\S+) delete (\S+) -l (\S+)", line).groups()
        assert dict([label.split("=")]) == PART
        deleted |= {(kind, namespace) for kind in kinds.split(",")}

    base = shipped.objects(start)
    assert not any(PART.items() <= o["metadata"].get("labels", {}).items() for o in base)
    added = [o for o in shipped.objects(folder) if key(o) not in map(key, base)] + shipped.objects("wasmplugin/in-cluster")
    for o in added:
        assert PART.items() <= o["metadata"].get("labels", {}).items(), key(o)
        assert key(o)[:2] in deleted, key(o)
    # Nothing of base but the routes is changed by a canary.
    changed = [o for o in base if o not in shipped.objects(folder)]
    assert [o["kind"] for o in changed] == [routes_of]


def rights(file):
    """What a file of manifests/rbac gives: (namespace or none, API group, resource, verb)."""
    roles = [each for each in yaml.safe_load_all((ROOT / "manifests/rbac" / file).read_text()) if "rules" in each]
    return {
        (role["metadata"].get("namespace"), group, resource, verb)
        for role in roles
        for rule in role["rules"]
        for group, resource, verb in itertools.product(rule["apiGroups"], rule["resources"], rule["verbs"])
    }


def test_who_moves_weights_may_look_and_patch_and_nobody_more():
    viewer, operator = rights("viewer.yaml"), rights("operator.yaml")
    kinds = {(group, resource) for namespace, group, resource, _ in viewer if namespace is None}
    assert len(kinds) == 20 and ("", "secrets") not in kinds and "*" not in str(operator)
    pods = {("pods/proxy", "get"), ("pods/portforward", "get"), ("pods/portforward", "create")}
    assert viewer == {(None, *kind, verb) for kind in kinds for verb in ("get", "list", "watch")} | {
        ("istio-system", "", resource, verb) for resource, verb in pods
    }
    patched = {
        ("extensions.istio.io", "wasmplugins"),
        ("extensions.istio.io", "trafficextensions"),
        ("gateway.envoyproxy.io", "envoyextensionpolicies"),
        ("networking.istio.io", "virtualservices"),
        ("networking.istio.io", "destinationrules"),
        ("gateway.networking.k8s.io", "httproutes"),
        ("gateway.networking.k8s.io", "grpcroutes"),
    }
    assert operator == viewer | {(None, *kind, "patch") for kind in patched}
