#!/usr/bin/env python3
"""Brings into the chart what is written elsewhere, since a chart cannot reach out of its folder.

- values.schema.json: the fields of pluginConfig, from pluginconfig.schema.json. The chart's other values are in that file alone.
- files/: the alerts and the dashboard of manifests/metrics.
- Chart.yaml: the version in Cargo.toml.
- values.yaml: the image of wasmplugin.yaml, if it has a digest.
"""

import argparse
import json
import re
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
CHART = TOP / "wasmplugin/chart"
CONFIG = ("rules", "header", "responseHeader", "seal")
COPIED = ("dashboard.json", "prometheusrule.yaml")


def schema(values: str, plugin_config: str) -> str:
    """The schema of the values, with the fields of pluginConfig as they are now."""
    ours, config = json.loads(values), json.loads(plugin_config)
    if set(config["properties"]) != set(CONFIG):
        raise SystemExit(f"pluginConfig has the fields {sorted(config['properties'])}: give the chart the same, and {__file__}")
    ours["properties"] |= {name: config["properties"][name] for name in CONFIG}
    ours["properties"]["seal"] = unprinted(config["properties"]["seal"])
    ours["definitions"] = config["definitions"]
    return json.dumps(ours, indent=2, ensure_ascii=False) + "\n"


def unprinted(schema: dict) -> dict:
    """The same without a pattern, since Helm's errors print what does not match one."""
    letters, least, most = re.fullmatch(r"\^\[(.+)\]\{(\d+),(\d+)\}\$", schema["pattern"]).groups()
    others = {"not": {"type": "string", "pattern": f"[^{letters}]"}}
    return {name: value for name, value in schema.items() if name != "pattern"} | {"minLength": int(least), "maxLength": int(most)} | others


def with_field(text: str, name: str, value: str) -> str:
    """YAML with another value in the only line of this name."""
    text, found = re.subn(rf"(?m)^( *{name}: ).*$", rf"\g<1>{value}", text)
    if found != 1:
        raise SystemExit(f"{found} lines of the chart begin with {name}:, one is needed")
    return text


def generated() -> dict[Path, str]:
    """The generated files, and what each should hold."""
    read = lambda path: (TOP / path).read_text()  # noqa: E731
    version = re.search(r'^version = "(.+)"', read("Cargo.toml"), re.M).group(1)
    info = with_field(with_field(read("wasmplugin/chart/Chart.yaml"), "version", version), "appVersion", version)
    values = read("wasmplugin/chart/values.yaml")
    if image := re.search(r"(?m)^  url: oci://(\S+)@(sha256:\w+)$", read("wasmplugin/wasmplugin.yaml")):
        values = with_field(with_field(values, "repository", image[1]), "digest", image[2])
    return {
        CHART / "Chart.yaml": info,
        CHART / "values.yaml": values,
        CHART / "values.schema.json": schema(read("wasmplugin/chart/values.schema.json"), read("wasmplugin/pluginconfig.schema.json")),
        **{CHART / "files" / name: read(f"manifests/metrics/{name}") for name in COPIED},
    }


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    for path, text in generated().items():
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            print(f"written {path.relative_to(TOP)}")


if __name__ == "__main__":
    main()
