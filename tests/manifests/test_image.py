"""The packed image is a valid OCI layout, the same for the same module, and reaches the WasmPlugin."""

import base64
import gzip
import hashlib
import io
import json
import os
import random
import re
import subprocess
import sys
import tarfile

import pytest
from repository import ROOT, WASM
from shipped import MODULE

# Runs a program a day later than it is.
TOMORROW = "import runpy, sys, time; now = time.time; time.time = lambda: now() + 86400; runpy.run_path(sys.argv.pop(1), run_name='__main__')"


def image(tree, *arguments, module=MODULE, python=()):
    path = tree.top / "module.wasm"
    if module is not None:
        path.write_bytes(module)
    return subprocess.run(
        [sys.executable, *python, ROOT / "wasmplugin/image.py", "--module", path, "--out", tree.top / "out"]
        + ["--wasmplugin", tree.top / "wasmplugin", *arguments],
        capture_output=True,
        text=True,
    )


def packed(tree, *arguments, module=MODULE, python=()):
    done = image(tree, *arguments, module=module, python=python)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return re.search(r"^digest +(sha256:[0-9a-f]{64})$", done.stdout, re.M).group(1)


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def blob(layout, descriptor):
    data = layout["blobs/" + descriptor["digest"].replace(":", "/")]
    assert descriptor["digest"] == "sha256:" + sha256(data)
    assert descriptor["size"] == len(data)
    return data


def cargo_package():
    text = (ROOT / "Cargo.toml").read_text().split("\n[")[0]
    return dict(re.findall(r'(?m)^(\w+) = "(.*)"$', text))


@pytest.fixture
def layout(tree):
    packed(tree)
    return files(tree.top / "out/oci")


def test_the_layout_is_valid(tree, layout):
    digest = packed(tree)
    assert json.loads(layout["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    (entry,) = json.loads(layout["index.json"])["manifests"]
    assert entry["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert entry["digest"] == digest
    manifest = json.loads(blob(layout, entry))
    assert (manifest["schemaVersion"], manifest["mediaType"]) == (2, entry["mediaType"])
    assert manifest["config"]["mediaType"] == "application/vnd.oci.image.config.v1+json"
    config = json.loads(blob(layout, manifest["config"]))
    # What Istio's agent takes: the last layer, of this type, with plugin.wasm in it.
    (layer,) = manifest["layers"]
    assert layer["mediaType"] == "application/vnd.oci.image.layer.v1.tar+gzip"
    unpacked = gzip.decompress(blob(layout, layer))
    assert config["rootfs"] == {"type": "layers", "diff_ids": ["sha256:" + sha256(unpacked)]}
    with tarfile.open(fileobj=io.BytesIO(unpacked)) as archive:
        (member,) = archive.getmembers()
        assert (member.name, member.mtime, member.uid, member.gid) == ("plugin.wasm", 0, 0, 0)
        assert archive.extractfile(member).read() == MODULE
    assert len(layout) == 5, "a file that nothing points to"


def test_the_tarball_is_the_layout(tree, layout):
    with tarfile.open(tree.top / "out/canary-split.tar") as archive:
        assert {m.name: archive.extractfile(m).read() for m in archive.getmembers()} == layout


def test_labels_say_what_cargo_says(layout):
    package = cargo_package()
    (entry,) = json.loads(layout["index.json"])["manifests"]
    manifest = json.loads(blob(layout, entry))
    labels = json.loads(blob(layout, manifest["config"]))["config"]["Labels"]
    expected = {"title": "name", "version": "version", "source": "repository", "licenses": "license"}
    assert labels == {f"org.opencontainers.image.{label}": package[field] for label, field in expected.items()}
    assert manifest["annotations"] == labels
    dockerfile = (ROOT / "wasmplugin/Dockerfile").read_text()
    assert dict(re.findall(r'(org\.opencontainers\.image\.\w+)="([^"]*)"', dockerfile)) == labels
    assert re.search(r"(?m)^FROM scratch$", dockerfile)
    (source,) = re.findall(r"(?m)^COPY (\S+) \./plugin\.wasm$", dockerfile)
    assert ROOT / source == WASM


def test_the_artifact_has_the_module_as_it_is(tree):
    digest = packed(tree, "--form", "artifact")
    layout = files(tree.top / "out/oci")
    (entry,) = json.loads(layout["index.json"])["manifests"]
    assert entry["digest"] == digest != packed(tree)
    manifest = json.loads(blob(layout, entry))
    # Istio's agent also takes an artifact: exactly two layers, of which one has this type.
    runtime, module = manifest["layers"]
    assert runtime["mediaType"] == "application/vnd.module.wasm.config.v1+json"
    assert module["mediaType"] == "application/vnd.module.wasm.content.layer.v1+wasm"
    assert blob(layout, module) == MODULE
    assert json.loads(blob(layout, runtime)) == {"type": "envoy_proxy", "abiVersions": ["v0-2-1"]}
    diffs = ["sha256:" + sha256(blob(layout, layer)) for layer in (runtime, module)]
    assert json.loads(blob(layout, manifest["config"]))["rootfs"]["diff_ids"] == diffs


@pytest.mark.parametrize("form", ["compat", "artifact"])
def test_the_same_module_gives_the_same_bytes(tree, form):
    first, before = packed(tree, "--form", form), files(tree.top / "out")
    served = (tree.top / "wasmplugin/in-cluster/canary_split.wasm.gz").read_bytes()
    umask = os.umask(0o077)
    try:
        second = packed(tree, "--form", form, python=("-c", TOMORROW))
    finally:
        os.umask(umask)
    assert (second, files(tree.top / "out")) == (first, before)
    assert (tree.top / "wasmplugin/in-cluster/canary_split.wasm.gz").read_bytes() == served


def test_another_module_gives_another_digest_and_leaves_nothing_behind(tree):
    (tree.top / "out").mkdir()
    (tree.top / "out/mine").write_text("not ours")
    first, second = packed(tree), packed(tree, module=MODULE + b"x")
    assert first != second
    assert len(files(tree.top / "out/oci")) == 5
    assert (tree.top / "out/mine").read_text() == "not ours"


def test_the_built_module_fits(tree):
    assert WASM.is_file(), "the module is not built: make build"
    packed(tree, module=WASM.read_bytes())


def test_what_cannot_be_packed_is_said(tree):
    missing = image(tree, module=None)
    assert missing.returncode != 0 and "make build" in missing.stderr
    wrong = image(tree, module=b"<html>")
    assert wrong.returncode != 0 and "no WebAssembly module" in wrong.stderr and "make build" in wrong.stderr
    large = image(tree, module=b"\0asm" + random.Random(1).randbytes((1 << 20) + 1))
    assert large.returncode != 0 and "too many for a ConfigMap" in large.stderr
    assert "Traceback" not in missing.stderr + wrong.stderr + large.stderr


# ---- where the WasmPlugin gets it from -----------------------------------------------------------------------------------


def test_a_registry_is_set_with_the_digest(tree):
    before = (tree.top / "wasmplugin/wasmplugin.yaml").read_text().splitlines()
    digest = packed(tree, "--url", "registry.example.com:5000/team/canary-split")
    after = (tree.top / "wasmplugin/wasmplugin.yaml").read_text().splitlines()
    assert [line for line in after if line not in before] == [
        f"  url: oci://registry.example.com:5000/team/canary-split@{digest}"
    ]
    assert len(after) == len(before)
    spec = tree.objects("manifests/overlays/sticky").one("WasmPlugin")["spec"]
    assert spec["url"].endswith("@" + digest) and "sha256" not in spec


def test_the_server_in_the_cluster_serves_what_the_wasmplugin_expects(tree):
    packed(tree, "--url", "in-cluster")
    spec = tree.objects("manifests/overlays/sticky").one("WasmPlugin")["spec"]
    host, file = re.fullmatch(r"http://([^/]+)/(.+)", spec["url"]).groups()
    objects = tree.objects("wasmplugin/in-cluster")
    service, deployment, config = (objects.one(kind) for kind in ("Service", "Deployment", "ConfigMap"))
    assert host == f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc"
    assert {o["metadata"]["namespace"] for o in objects} == {"istio-system"}

    # Istio unpacks gzip, and compares the hash of what it then has.
    assert sha256(gzip.decompress(base64.b64decode(config["binaryData"][file]))) == spec["sha256"] == sha256(MODULE)
    template = deployment["spec"]["template"]
    assert template["metadata"]["labels"]["sidecar.istio.io/inject"] == "false"
    assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
    (container,), (volume,) = template["spec"]["containers"], template["spec"]["volumes"]
    assert volume["configMap"]["name"] == config["metadata"]["name"]
    assert [p["port"] for p in service["spec"]["ports"]] == [80]
    assert [p["targetPort"] for p in service["spec"]["ports"]] == [p["containerPort"] for p in container["ports"]]
    # Ready means: the module can be fetched.
    assert container["readinessProbe"]["httpGet"]["path"] == f"/{file}"
    assert re.search(r":\d", container["image"]), "a pinned image"

    # Another namespace has one place.
    tree.edit("wasmplugin/in-cluster/kustomization.yaml", "namespace: istio-system", "namespace: edge")
    packed(tree, "--url", "in-cluster")
    assert ".edge.svc/" in tree.objects("wasmplugin").one("WasmPlugin")["spec"]["url"]

    # And back to a registry: a module's hash next to an image would be a wrong digest.
    packed(tree, "--url", "registry.example.com/canary-split")
    assert "sha256" not in tree.objects("wasmplugin").one("WasmPlugin")["spec"]


@pytest.mark.parametrize(
    "url", ["", "canary-split", "oci://registry.example.com/x", "registry.example.com/x:1", "r.example.com/x@sha256:00", "a/b c"]
)
def test_a_wrong_url_changes_nothing(tree, url):
    before = (tree.top / "wasmplugin/wasmplugin.yaml").read_text()
    done = image(tree, "--url", url)
    assert done.returncode != 0 and "registry.example.com/canary-split" in done.stderr
    assert (tree.top / "wasmplugin/wasmplugin.yaml").read_text() == before


def test_without_make_image_the_error_names_the_file(tree):
    (tree.top / "wasmplugin/in-cluster/canary_split.wasm.gz").unlink()
    done = tree.run("kustomize", "wasmplugin/in-cluster")
    assert done.returncode != 0
    assert "canary_split.wasm.gz: no such file" in done.stderr
    assert "no such file" in (ROOT / "docs/install.md").read_text()


def test_the_module_is_not_committed():
    assert "/wasmplugin/in-cluster/canary_split.wasm.gz" in (ROOT / ".gitignore").read_text().splitlines()
