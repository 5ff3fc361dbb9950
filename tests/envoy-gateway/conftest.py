"""What the tests of this folder share: one control plane with one Envoy, and the shipped manifests in it."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from envoy_gateway import CERTIFICATES, EnvoyGateway
from gateway import Envoy, bootstrap, echo_listener, newest
from here import here
from registry import Registry
from repository import ROOT

KUBECTL = Path(sys.executable).with_name("kubectl")


@pytest.fixture(scope="session")
def image(tmp_path_factory):
    """The module as it is packed for users, in a registry."""
    out = tmp_path_factory.mktemp("image")
    (out / "wasmplugin/in-cluster").mkdir(parents=True)
    pack = [sys.executable, ROOT / "wasmplugin/image.py", "--out", out, "--wasmplugin", out / "wasmplugin"]
    subprocess.run(pack, check=True, stdout=subprocess.DEVNULL)
    (manifest,) = json.loads((out / "oci/index.json").read_text())["manifests"]
    with Registry(out / "oci") as registry:
        yield f"{registry}/canary-split@{manifest['digest']}"


@pytest.fixture(scope="session")
def shipped(image, certificate):
    """The manifests as they are, except what a cluster would do."""
    render = [KUBECTL, "kustomize", ROOT / "manifests/envoy-gateway"]
    rendered = subprocess.run(render, check=True, capture_output=True, env=os.environ | {"KUBECONFIG": os.devnull}).stdout
    return here(rendered, certificate, image)


@pytest.fixture(scope="session")
def applications():
    """v1 and v2, at the ports of their Services."""
    if not CERTIFICATES.is_dir():
        pytest.fail("these tests need a sandbox: run make test-envoy-gateway", False)
    with Envoy(newest(), bootstrap([echo_listener("v1", 8000), echo_listener("v2", 8001)])) as envoy:
        yield envoy


@pytest.fixture(scope="module")
def envoy(applications, shipped):
    """The shipped manifests, in force."""
    with EnvoyGateway(newest(), shipped) as started:
        yield started


@pytest.fixture
def start(applications):
    """Puts other manifests in force."""
    with contextlib.ExitStack() as stack:
        yield lambda objects: stack.enter_context(EnvoyGateway(newest(), objects))
