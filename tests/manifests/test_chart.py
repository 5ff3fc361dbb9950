"""The Helm chart makes the same objects as the manifests, and refuses wrong values with their place, as Helm's own code reads it."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile

import pytest
import yaml
from jsonschema import Draft7Validator
from repository import ROOT
from yaml12 import Yaml

CHART = ROOT / "wasmplugin/chart"
HELM = ROOT / "target/helm/helm"
OVERLAYS = ["prepared", "weighted", "sticky", "rollout", "testers", "sealed", "adopted"]
RULES = {"rules": [{"name": "shop", "split": [{"subset": "v1", "weight": 80}, {"subset": "v2", "weight": 20}]}]}


@pytest.fixture
def helm(tmp_path):
    """Runs Helm without a cluster and without anything of this machine's user; values are a file of the user's."""
    if not HELM.exists():
        pytest.fail("Helm is missing: run `tests/setup.sh helm`", False)

    def run(*arguments, values=None):
        if values is not None:
            (tmp_path / "values.yaml").write_text(values if isinstance(values, str) else json.dumps(values))
            arguments = [*arguments, "-f", tmp_path / "values.yaml"]
        homes = {f"HELM_{name}_HOME": str(tmp_path / name) for name in ("CACHE", "CONFIG", "DATA")}
        environment = os.environ | homes | {"KUBECONFIG": os.devnull}
        return subprocess.run([HELM, *arguments], capture_output=True, text=True, env=environment, cwd=tmp_path)

    return run


@pytest.fixture
def rendered(helm):
    """The objects of the chart, by kind."""

    def render(*arguments, values=None):
        done = helm("template", "release", CHART, *arguments, values=values)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return {each["kind"]: each for each in yaml.safe_load_all(done.stdout)}

    return render


def test_the_chart_holds_what_is_written_elsewhere():
    spec = importlib.util.spec_from_file_location("chart", ROOT / "wasmplugin/chart.py")
    chart = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(chart)
    for path, text in chart.generated().items():
        assert path.read_text() == text, f"{path.relative_to(ROOT)} is not what it is made from: make chart"


EVERYTHING_ON = {**RULES, "alerts": {"enabled": True}, "dashboard": {"enabled": True}, "kind": "TrafficExtension"}


@pytest.mark.parametrize(("url", "image"), [("oci://r.example.com/a@sha256:" + "1" * 64, "r.example.com/a"), ("http://m.istio-system.svc/m.wasm.gz", None)])
def test_make_chart_brings_in_what_has_changed(tree, url, image):
    before = yaml.safe_load((CHART / "values.yaml").read_text())["image"]
    (tree.top / "Cargo.toml").write_text('[package]\nversion = "9.8.7"\n')
    tree.edit("wasmplugin/wasmplugin.yaml", f"oci://{before['repository']}@{before['digest']}", url)
    tree.edit("manifests/metrics/prometheusrule.yaml", "alert: CanaryTripped", "alert: Tripped")
    tree.edit("wasmplugin/pluginconfig.schema.json", '"Its share goes to stable."', '"It is over."')
    done = subprocess.run([sys.executable, tree.top / "wasmplugin/chart.py"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    chart = tree.top / "wasmplugin/chart"
    info = yaml.safe_load((chart / "Chart.yaml").read_text())
    assert (info["version"], info["appVersion"]) == ("9.8.7", "9.8.7")
    expected = before | {"repository": image, "digest": url.split("@")[1]} if image else before
    assert yaml.safe_load((chart / "values.yaml").read_text())["image"] == expected
    assert "alert: Tripped" in (chart / "files/prometheusrule.yaml").read_text()
    assert "It is over." in (chart / "values.schema.json").read_text()


def test_every_value_is_described():
    page, values = (ROOT / "docs/helm.md").read_text(), (CHART / "values.yaml").read_text()
    for name, schema in json.loads((CHART / "values.schema.json").read_text())["properties"].items():
        if name == "global":
            continue
        assert re.search(rf"(?m)^(# )?{name}:", values), f"values.yaml has no {name}"
        for below in schema.get("properties", {}):
            assert re.search(rf"(?m)^  {below}:", values), f"values.yaml has no {name}.{below}"
            assert f"`{name}.{below}`" in page, f"docs/helm.md has no {name}.{below}"
        assert "properties" in schema or f"`{name}`" in page, f"docs/helm.md has no {name}"


@pytest.mark.parametrize("values", [{}, RULES, EVERYTHING_ON], ids=["as it is", "rules", "everything"])
def test_helm_lint_has_no_warning(helm, values):
    done = helm("lint", "--strict", CHART, values=values)
    assert done.returncode == 0 and not re.search(r"\[(WARNING|ERROR)\]", done.stdout), done.stdout + done.stderr


def test_the_package_has_what_the_chart_needs_and_no_more(helm, tmp_path):
    assert helm("package", CHART, "-d", tmp_path).returncode == 0
    (package,) = tmp_path.glob("canary-split-*.tgz")
    with tarfile.open(package) as archive:
        names = {name.removeprefix("canary-split/") for name in archive.getnames()}
    assert names == {str(path.relative_to(CHART)) for path in CHART.rglob("*") if path.is_file()}


# ---- what it makes -------------------------------------------------------------------------------------------------------


def without_helms_labels(plugin):
    labels = plugin["metadata"]["labels"]
    ours = {name: value for name, value in labels.items() if name == "app.kubernetes.io/part-of"}
    return plugin | {"metadata": plugin["metadata"] | {"labels": ours}}


def test_without_values_it_is_the_shipped_wasmplugin(rendered):
    shipped = yaml.safe_load((ROOT / "wasmplugin/wasmplugin.yaml").read_text())
    assert {kind: without_helms_labels(each) for kind, each in rendered().items()} == {"WasmPlugin": shipped}


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("kind", ["WasmPlugin", "TrafficExtension"])
def test_the_fields_of_pluginconfig_are_values(shipped, rendered, overlay, kind):
    expected = shipped.objects(f"manifests/overlays/{overlay}").one("WasmPlugin")["spec"]
    (made,) = rendered("--set", f"kind={kind}", values=expected["pluginConfig"]).values()
    spec = made["spec"]
    if kind == "TrafficExtension":
        spec = spec | spec.pop("wasm")
    assert (made["kind"], made["apiVersion"], spec) == (kind, "extensions.istio.io/v1alpha1", expected)


LISTENER = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "httpbin", "sectionName": "https"}
PAGE = (ROOT / "docs/gateway-api.md").read_text()
ENVOY_GATEWAY = yaml.safe_load(re.search(r"```yaml\n(kind: EnvoyExtensionPolicy\n.*?)```", PAGE, re.S)[1])


def test_for_envoy_gateway_it_is_the_shipped_policy(shipped, rendered):
    expected = shipped.objects("manifests/envoy-gateway").one("EnvoyExtensionPolicy")
    made = rendered(values=ENVOY_GATEWAY | expected["spec"]["wasm"][0]["config"])
    assert {kind: without_helms_labels(each) for kind, each in made.items()} == {"EnvoyExtensionPolicy": expected}


@pytest.mark.parametrize(
    ("image", "code"),
    [
        ({"repository": "r.example.com/a", "digest": "", "tag": "1.2.3"}, {"type": "Image", "image": {"url": "r.example.com/a:1.2.3"}}),
        (
            {"url": "oci://r.example.com/a:1", "pullPolicy": "Always", "pullSecret": "registry"},
            {"type": "Image", "pullPolicy": "Always", "image": {"url": "r.example.com/a:1", "pullSecretRef": {"name": "registry"}}},
        ),
        (
            {"url": "https://m.example.com/m.wasm", "sha256": "1" * 64},
            {"type": "HTTP", "http": {"url": "https://m.example.com/m.wasm", "sha256": "1" * 64}},
        ),
    ],
)
def test_envoy_gateway_gets_the_module_from_an_image_or_an_address(rendered, image, code):
    (wasm,) = rendered(values=ENVOY_GATEWAY | {"image": image, "failStrategy": "FAIL_CLOSE"})["EnvoyExtensionPolicy"]["spec"]["wasm"]
    assert (wasm["code"], wasm["failOpen"]) == (code, False)


DIGEST = "sha256:" + "1" * 64
GATEWAY = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "shop"}


@pytest.mark.parametrize(
    ("values", "path", "expected"),
    [
        ({"name": "edge"}, "metadata.name", "edge"),
        ({"name": "edge"}, "spec.pluginName", "edge"),
        ({"gateway": {"namespace": "istio-ingress"}}, "metadata.namespace", "istio-ingress"),
        # Not in addition to istio: ingressgateway, which no pod of such a gateway has.
        ({"gateway": {"labels": {"app": "edge"}}}, "spec.selector", {"matchLabels": {"app": "edge"}}),
        ({"gateway": {"targetRefs": [GATEWAY]}}, "spec.targetRefs", [GATEWAY]),
        ({"gateway": {"targetRefs": [GATEWAY]}}, "spec.selector", None),
        ({"image": {"repository": "r.example.com:5000/a/b", "digest": DIGEST}}, "spec.url", f"oci://r.example.com:5000/a/b@{DIGEST}"),
        ({"image": {"repository": "r.example.com/a", "digest": "", "tag": "1.2.3"}}, "spec.url", "oci://r.example.com/a:1.2.3"),
        ({"image": {"url": "http://m.istio-system.svc/m.wasm.gz", "sha256": "1" * 64}}, "spec.url", "http://m.istio-system.svc/m.wasm.gz"),
        # A string also where YAML would read a number.
        ({"image": {"url": "http://m.istio-system.svc/m.wasm.gz", "sha256": "1" * 64}}, "spec.sha256", "1" * 64),
        ({"image": {"pullPolicy": "Always"}}, "spec.imagePullPolicy", "Always"),
        ({"image": {"pullSecret": "registry"}}, "spec.imagePullSecret", "registry"),
        ({"failStrategy": "FAIL_CLOSE"}, "spec.failStrategy", "FAIL_CLOSE"),
        ({"phase": "STATS"}, "spec.phase", "STATS"),
        ({"priority": 0}, "spec.priority", 0),
        ({"priority": -1000000}, "spec.priority", -1000000),
        ({"vmConfig": {"env": [{"name": "A", "value": "1"}]}}, "spec.vmConfig", {"env": [{"name": "A", "value": "1"}]}),
        ({"header": "x-version"}, "spec.pluginConfig", {"header": "x-version", "rules": []}),
        ({"responseHeader": "x-served-by"}, "spec.pluginConfig.responseHeader", "x-served-by"),
        ({"seal": "1" * 16}, "spec.pluginConfig.seal", "1" * 16),
        ({"rules": None}, "spec.pluginConfig", {"rules": []}),
        ({"global": {"a": "b"}}, "spec.pluginConfig", {"rules": []}),
        ("rules: [{name: t, split: [{subset: v1, weight: 4294967295}]}]", "spec.pluginConfig.rules.0.split.0.weight", 4294967295),
        ('rules: [{name: t, split: [{subset: v1, weight: 1}], sticky: {cookie: {"on": pages}}}]', "spec.pluginConfig.rules.0.sticky", {"cookie": {"on": "pages"}}),
        ({}, "spec.phase", None),
        ({}, "spec.priority", None),
    ],
)
def test_a_value_is_in_its_place(rendered, values, path, expected):
    found = rendered(values=values)["WasmPlugin"]
    for name in path.split("."):
        found = found[int(name)] if isinstance(found, list) else found.get(name)
    assert found == expected


def test_one_weight_is_set_next_to_the_file_of_values(rendered):
    (made,) = rendered("--set", "rules[0].split[1].weight=30", values=RULES).values()
    assert made["spec"]["pluginConfig"]["rules"] == [
        {"name": "shop", "split": [{"subset": "v1", "weight": 80}, {"subset": "v2", "weight": 30}]}
    ]


def test_alerts_and_dashboard_are_those_of_the_manifests(shipped, rendered):
    manifests = shipped.objects("manifests/metrics")
    made = rendered("--set", "alerts.enabled=true,dashboard.enabled=true,alerts.labels.release=prometheus")
    for kind, content in (("PrometheusRule", "spec"), ("ConfigMap", "data")):
        expected, found = manifests.one(kind), made[kind]
        assert found[content] == expected[content]
        assert found["metadata"]["labels"].items() >= expected["metadata"]["labels"].items()
        for field in ("name", "namespace"):
            assert found["metadata"][field] == expected["metadata"][field]
    assert made["PrometheusRule"]["metadata"]["labels"]["release"] == "prometheus"


def test_alerts_and_dashboard_ask_for_the_gateways_label(rendered):
    asked = re.compile(r'istio=\\*"(\w+)\\*"')
    for label in ("ingressgateway", "edge"):
        made = rendered("--set", f"alerts.enabled=true,dashboard.enabled=true,gateway.labels.istio={label}")
        for kind, content in (("PrometheusRule", "spec"), ("ConfigMap", "data")):
            assert set(asked.findall(str(made[kind][content]))) == {label}


def test_the_notes_warn_of_the_placeholder_alone(helm):
    for arguments, warns in (([], True), (["--set", f"image.digest={DIGEST}"], False)):
        done = helm("install", "release", CHART, "--dry-run=client", *arguments)
        assert done.returncode == 0 and ("placeholder" in done.stdout) == warns, done.stdout + done.stderr
        assert "canary-split check --cluster" in done.stdout and "canary-split status" in done.stdout


# ---- what it refuses -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "values", "said"),
    [
        (["--set", "rules[0].split[1].weight=-1"], RULES, "'/rules/0/split/1/weight': minimum: got -1, want 0"),
        (["--set", "rules[0].split[1].weigth=1"], RULES, "'/rules/0/split/1': additional properties 'weigth' not allowed"),
        (["--set-string", "rules[0].split[1].weight=30"], RULES, "'/rules/0/split/1/weight': got string, want integer"),
        (["--set", "rules[0].name=Shop"], RULES, "'/rules/0/name'"),
        (["--set", "rules[1].subset=v2"], RULES, "'/rules/1': missing property 'name'"),
        # What --reuse-values makes of one entry: the others are gone.
        (["--set", "rules[0].split[1].weight=30"], {}, "'/rules/0': missing property 'name'"),
        ([], "rules: [{name: t, split: [{subset: v1, weight: 1}], sticky: {cookie: {on: pages}}}]", "'/rules/0/sticky/cookie': additional properties 'true' not allowed"),
        (["--set", "rule=1"], {}, "'': additional properties 'rule' not allowed"),
        (["--set", "header=host"], {}, "'/header'"),
        (["--set", "seal=short"], {}, "'/seal': minLength: got 5, want 16"),
        (["--set", "kind=EnvoyFilter"], {}, "'/kind': value must be one of 'WasmPlugin', 'TrafficExtension'"),
        (["--set", "image.digest=sha256:12"], {}, "'/image/digest'"),
        (["--set", "image.repository=oci://registry.example.com/canary-split"], {}, "'/image/repository'"),
        (["--set", "image.repository=registry.example.com/canary-split:1.0"], {}, "'/image/repository'"),
        (["--set", "image.name=x"], {}, "'/image': additional properties 'name' not allowed"),
        # Istio takes it in silence and attaches the filter to nothing.
        (["--set", "gateway.targetRefs[0].kind=GatewayClass"], {}, "'/gateway/targetRefs/0/kind'"),
        (["--set", "gateway.targetRefs[0].namespace=other"], {}, "'/gateway/targetRefs/0': additional properties 'namespace' not allowed"),
        (["--set", "failStrategy=OPEN"], {}, "'/failStrategy'"),
        ([], {"gateway": {"targetRefs": [LISTENER]}}, "'/gateway/targetRefs/0/sectionName'"),
        ([], {"kind": "EnvoyExtensionPolicy"}, "'/gateway/targetRefs'"),
        ([], ENVOY_GATEWAY | {"phase": "AUTHN"}, "'/phase'"),
        ([], ENVOY_GATEWAY | {"failStrategy": "FAIL_RELOAD"}, "'/failStrategy'"),
        (["--set", "phase=authn"], {}, "'/phase'"),
        (["--set", "priority=1.5"], {}, "'/priority': got string, want integer"),
        (["--set", "alerts=true"], {}, "alerts"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(helm, arguments, values, said):
    done = helm("template", "release", CHART, *arguments, values=values)
    assert done.returncode != 0 and said in done.stderr, done.stdout + done.stderr


@pytest.mark.parametrize("seal", ["a-secret-of-our", "a-secret-of-ours!", "a-secret-of-ours-" * 8])
def test_a_wrong_seal_is_not_printed(helm, seal):
    done = helm("template", "release", CHART, values={"seal": seal})
    assert done.returncode != 0 and "'/seal'" in done.stderr and "a-secret" not in done.stderr, done.stderr


def configs():
    """The pluginConfigs of the case table and of the fuzzers, good and bad ones, as far as the values can say the same."""
    texts = set()
    for file in sorted((ROOT / "tests/cases").glob("*.yaml")):
        for case in yaml.load(file.read_text(), Yaml):
            for phase in (case, *case.get("then", [])):
                texts.add(phase.get("configText") or json.dumps(phase.get("config")))
    for line in (ROOT / "tests/fuzz/corpus/config.jsonl").read_text().strip().split("\n"):
        texts.update(json.loads(line).split("\n---\n"))
    for text in sorted(texts):
        try:
            config = json.loads(text)
            json.dumps(config, ensure_ascii=False).encode()  # YAML has no lone surrogates
        except (ValueError, RecursionError):
            continue
        # Without rules the chart has those of its values.yaml, none.
        if isinstance(config, dict) and isinstance(config.get("rules"), list):
            yield config


def test_helm_takes_what_the_schema_of_pluginconfig_takes_and_nothing_else(helm, tmp_path):
    """One chart depends on this one once for each config, so that Helm has to start once."""
    validator = Draft7Validator(json.loads((ROOT / "wasmplugin/pluginconfig.schema.json").read_text()))
    examples = {f"config-{number}": config for number, config in enumerate(configs())}
    bad = {name for name, config in examples.items() if not validator.is_valid(config)}
    assert len(bad) > 100 and len(examples) - len(bad) > 100, f"{len(bad)} of {len(examples)} are bad"

    parent = tmp_path / "parent"
    shutil.copytree(CHART, parent / "charts/canary-split")
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["version"]
    dependencies = [{"name": "canary-split", "version": version, "alias": name} for name in examples]
    (parent / "Chart.yaml").write_text(json.dumps({"apiVersion": "v2", "name": "parent", "version": "0.1.0", "dependencies": dependencies}))
    done = helm("template", "release", parent, values=examples)
    refused = set(re.findall(r"(?m)^(config-\d+):$", done.stderr))
    assert done.returncode != 0, done.stderr
    wrong = {name: examples[name] for name in refused ^ bad}
    assert not wrong, f"{wrong}\n{done.stderr[-3000:]}"
