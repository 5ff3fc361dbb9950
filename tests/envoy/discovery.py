"""The resources (xDS) that Envoy receives while it runs, each kind in a file that it watches."""

import json
from pathlib import Path


def source(file):
    """Where Envoy is to look, for a config_source. The file itself is watched: on macOS Envoy does not notice what moves in a folder."""
    return {"path_config_source": {"path": str(file)}, "resource_api_version": "V3"}


def publish(file, version, *resources):
    """Writes the file in one step: Envoy watches for the rename."""
    file = Path(file)
    part = file.with_suffix(".part")
    part.write_text(json.dumps({"version_info": str(version), "resources": resources}))
    part.rename(file)


def resource(kind, content):
    """A resource of a kind, as `envoy.config.listener.v3.Listener`."""
    return {"@type": f"type.googleapis.com/{kind}", **content}


class Listeners:
    """Listeners that come and go."""

    def __init__(self, file):
        self.file = file
        self.version = 0

    def write(self, *listeners):
        self.version += 1
        publish(self.file, self.version, *(resource("envoy.config.listener.v3.Listener", each) for each in listeners))
