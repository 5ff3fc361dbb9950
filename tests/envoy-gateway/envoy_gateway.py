"""Envoy Gateway's own control plane on this machine: it reads manifests from a file, starts a stock Envoy and configures it."""

import json
import shutil
import subprocess
from pathlib import Path

from gateway import Envoy, Failed, binary, spawn, until
from here import with_envoy
from repository import ROOT

COMMAND = ROOT / "target/envoy-gateway/envoy-gateway"
# Where Envoy looks for certificates, whatever is configured; ours alone: see sandbox.py.
CERTIFICATES = Path("/certs")


class EnvoyGateway(Envoy):
    """The control plane, and the Envoy that it starts."""

    def __init__(self, version, objects):
        super().__init__(version, bootstrap=None)
        self.manifests = self.directory / "manifests"
        self.admin_file = self.directory / "admin"
        self.objects = objects

    def start(self):
        if not COMMAND.exists():
            raise Failed(f"{COMMAND} is missing; run tests/setup.sh envoy-gateway")
        folders = {name: str(self.directory / name) for name in ("configHome", "dataHome", "stateHome", "runtimeDir")}
        # It would download what is not here.
        envoy = Path(folders["dataHome"], "envoy-versions", self.version, "bin/envoy")
        envoy.parent.mkdir(parents=True)
        envoy.symlink_to(binary(self.version))
        generate = [COMMAND, "certgen", "--local", "--config-home", folders["configHome"]]
        subprocess.run(generate, check=True, stdout=subprocess.DEVNULL)
        shutil.copytree(Path(folders["configHome"], "certs/envoy"), CERTIFICATES, dirs_exist_ok=True)
        self.apply(self.objects)
        source = {"type": "File", "file": {"paths": [str(self.manifests)]}}
        config = {
            "apiVersion": "gateway.envoyproxy.io/v1alpha1",
            "kind": "EnvoyGateway",
            "gateway": {"controllerName": "gateway.envoyproxy.io/gatewayclass-controller"},
            "provider": {
                "type": "Custom",
                "custom": {"resource": source, "infrastructure": {"type": "Host", "host": folders}},
            },
            "extensionApis": {"enableBackend": True, "enableLua": True},
        }
        config_file = self.directory / "envoy-gateway.json"
        config_file.write_text(json.dumps(config))
        with self.log_file.open("wb") as log:
            # It keeps modules in the home directory.
            self.process = spawn(["env", f"HOME={self.directory}", COMMAND, "server", "--config-path", config_file], log)
        ready = lambda: self.admin_file.exists() and self.admin_file.read_text()  # noqa: E731
        self.admin_address = until(lambda: self.alive() and ready(), self.explain("its admin port"))
        until(lambda: self.alive() and self.admin("/ready") == "LIVE\n", self.explain("LIVE"))
        return self

    def apply(self, objects):
        """Puts these manifests in the place of those before."""
        self.objects = objects
        self.manifests.mkdir(exist_ok=True)
        documents = with_envoy(objects, self.version, self.admin_file, CERTIFICATES)
        # What begins with a dot is not read.
        part = self.manifests / ".part"
        part.write_text("\n---\n".join(json.dumps(each) for each in documents))
        part.rename(self.manifests / "all.yaml")

    def update(self, objects):
        """The same, and waits until the listeners that this changes are in force."""
        before = self.stat("listener_manager.listener_in_place_updated")
        self.apply(objects)
        until(lambda: self.alive() and self.stat("listener_manager.listener_in_place_updated") > before, self.explain("a listener"))
        until(lambda: self.stat("listener_manager.total_listeners_warming") == 0, self.explain("the last listener"))
