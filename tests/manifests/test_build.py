"""The module is the same wherever it is built, and made of what may be handed on."""

import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

from repository import ROOT, WASM


def test_the_same_source_gives_the_same_bytes_in_another_place(tmp_path):
    copy = tmp_path / "a folder of another name"
    left_out = shutil.ignore_patterns(".git", ".venv", ".image", "target", "__pycache__")
    shutil.copytree(ROOT, copy, ignore=left_out)
    # Crates at another path too.
    home = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")
    elsewhere = tmp_path / "cargo"
    shutil.copytree(home / "registry/cache", elsewhere / "registry/cache")
    shutil.copytree(home / "registry/index", elsewhere / "registry/index")
    for settings in ("config.toml", "config"):
        if (home / settings).exists():
            shutil.copy(home / settings, elsewhere)
    environment = os.environ | {"CARGO_HOME": str(elsewhere)}
    built = subprocess.run(["make", "build"], cwd=copy, env=environment, capture_output=True, text=True, timeout=600)
    assert built.returncode == 0, built.stderr
    assert (copy / WASM.relative_to(ROOT)).read_bytes() == WASM.read_bytes()


def test_the_module_names_no_path_of_the_machine_that_built_it():
    module = WASM.read_bytes()
    for path in (ROOT, Path.home()):
        assert f"{path}/".encode() not in module, path


def test_the_module_is_as_small_as_it_was_and_has_no_callback_that_it_does_not_need():
    module = WASM.read_bytes()
    # 300,000 bytes, and some room.
    assert len(module) <= 330_000
    # Envoy calls what is exported: a body would be copied into the module.
    for callback in (b"proxy_on_request_body", b"proxy_on_response_body", b"proxy_on_log", b"proxy_on_done"):
        assert callback not in module


# What cargo-deny holds the tool and the module to.
TOOL, MODULE = (tomllib.loads((ROOT / path).read_text()) for path in ("deny.toml", "wasmplugin/deny.toml"))


def licences(*arguments):
    """Those of packages, by name and version."""
    command = ["cargo", "metadata", "--locked", "--format-version=1", *arguments]
    metadata = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    resolved = {node["id"] for node in metadata["resolve"]["nodes"]}
    return {(p["name"], p["version"]): p["license"] for p in metadata["packages"] if p["id"] in resolved}


def linked_into_the_module():
    tree = ["cargo", "tree", "--locked", "--no-default-features", "--target=wasm32-wasip1", "-e", "normal", "--prefix", "none"]
    linked = set(re.findall(r"(?m)^(\S+) v(\S+)", subprocess.run(tree, cwd=ROOT, capture_output=True, text=True, check=True).stdout))
    assert len(linked) > 10
    return linked


def refused(crates, rules):
    """Those whose licence is not allowed."""
    return {crate: licence for crate, licence in crates.items() if not is_allowed(licence, rules["licenses"]["allow"])}


def is_allowed(licence, allowed):
    """Alternatives may be in parentheses."""
    return all(any(choice in allowed for choice in re.split(r" OR |/", part.strip("()"))) for part in licence.split(" AND "))


def test_every_licence_in_the_module_is_one_that_deny_toml_allows():
    known = licences("--filter-platform=wasm32-wasip1", "--no-default-features")
    assert refused({crate: known[crate] for crate in linked_into_the_module()}, MODULE) == {}


def test_every_licence_in_the_tool_is_one_that_deny_toml_allows():
    for target in TOOL["graph"]["targets"]:
        assert refused(licences(f"--filter-platform={target}", "--all-features"), TOOL) == {}, target


def test_nothing_is_linked_into_the_module_that_its_deny_toml_refuses():
    names = [name for name, _ in linked_into_the_module()]
    assert {each["crate"] for each in MODULE["bans"]["deny"]}.isdisjoint(names)
    # Nor twice.
    assert len(names) == len(set(names))
