#!/usr/bin/env python3
"""Packs the module as an OCI image, without a Docker daemon: the same module gives the same digest.

Writes under .image/: oci/ (an OCI layout) and canary-split.tar (the same as a tarball, for skopeo and crane); and
wasmplugin/in-cluster/canary_split.wasm.gz, for a cluster without a registry. With --url it sets where the WasmPlugin gets the
module from, in wasmplugin/wasmplugin.yaml.
"""

import argparse
import gzip
import hashlib
import io
import json
import re
import shutil
import sys
import tarfile
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
MODULE = TOP / "target/wasm32-wasip1/release/canary_split.wasm"
# The API server takes no larger ConfigMap.
MAX_CONFIG_MAP = 1024 * 1024


def sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def compact(value: dict) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def tar(files: dict[str, bytes]) -> bytes:
    """A tarball without anything of the machine or the moment in it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def compat(module: bytes) -> list[tuple[str, bytes, str]]:
    """An image for every registry and tool: one gzipped layer that holds plugin.wasm."""
    layer = tar({"plugin.wasm": module})
    return [("vnd.oci.image.layer.v1.tar+gzip", gzip.compress(layer, 9, mtime=0), sha256(layer))]


def artifact(module: bytes) -> list[tuple[str, bytes, str]]:
    """An artifact with media types of its own: the module as it is, next to what it runs on."""
    runtime = compact({"type": "envoy_proxy", "abiVersions": ["v0-2-1"]})
    return [
        ("vnd.module.wasm.config.v1+json", runtime, sha256(runtime)),
        ("vnd.module.wasm.content.layer.v1+wasm", module, sha256(module)),
    ]


# The two forms that Istio's agent takes (https://github.com/solo-io/wasm/tree/master/spec), as (media type, blob, diff id).
FORMS = {"compat": compat, "artifact": artifact}


def layout(layers: list[tuple[str, bytes, str]], version: str) -> tuple[dict[str, bytes], str]:
    """The files of an OCI layout with one image of these layers, and the digest of its manifest."""
    labels = {
        "org.opencontainers.image.title": "canary-split",
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.source": "https://github.com/canary-split/canary-split",
        "org.opencontainers.image.licenses": "Apache-2.0",
    }
    config = compact({
        "architecture": "wasm",
        "os": "wasip1",
        "config": {"Labels": labels},
        "rootfs": {"type": "layers", "diff_ids": [diff_id for _, _, diff_id in layers]},
    })

    def descriptor(kind: str, data: bytes) -> dict:
        return {"mediaType": f"application/{kind}", "digest": sha256(data), "size": len(data)}

    manifest = compact({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("vnd.oci.image.config.v1+json", config),
        "layers": [descriptor(kind, blob) for kind, blob, _ in layers],
        "annotations": labels,
    })
    index = compact({"schemaVersion": 2, "manifests": [descriptor("vnd.oci.image.manifest.v1+json", manifest)]})
    files = {"oci-layout": compact({"imageLayoutVersion": "1.0.0"}), "index.json": index}
    for blob in (*(blob for _, blob, _ in layers), config, manifest):
        files["blobs/" + sha256(blob).replace(":", "/")] = blob
    return files, sha256(manifest)


def set_url(path: Path, url: str, checksum: str | None) -> None:
    """Sets the lines `url:` and `sha256:` of the WasmPlugin, and nothing else."""
    lines = [line for line in path.read_text().splitlines() if not re.match(r"  sha256:", line)]
    at = [index for index, line in enumerate(lines) if re.match(r"  url:", line)]
    if len(at) != 1:
        sys.exit(f"{path}: {len(at)} lines begin with '  url:', one is needed")
    lines[at[0]] = f"  url: {url}"
    if checksum:
        lines.insert(at[0] + 1, f"  sha256: {checksum}")
    path.write_text("\n".join(lines) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--module", type=Path, default=MODULE, help="the built module")
    parser.add_argument("--out", type=Path, default=TOP / ".image", help="where the image goes")
    parser.add_argument("--wasmplugin", type=Path, default=TOP / "wasmplugin", help="the folder of the WasmPlugin")
    parser.add_argument("--form", choices=FORMS, default="compat", help="compat: an image that every registry and tool takes (default); artifact: with media types of its own")
    parser.add_argument("--url", help="REGISTRY/NAME that you push to, or in-cluster: set it in wasmplugin.yaml")
    options = parser.parse_args()
    # A tag next to the digest would say nothing, and we set the digest.
    if options.url not in (None, "in-cluster") and not re.fullmatch(r"[a-z0-9.-]+(:\d+)?(/[a-z0-9._-]+)+", options.url):
        sys.exit(f"--url {options.url}: neither in-cluster nor a name like registry.example.com/canary-split (no oci://, no tag, no digest)")
    if not options.module.is_file():
        sys.exit(f"{options.module} is not there; build it first: make build")
    module = options.module.read_bytes()
    if module[:4] != b"\0asm":
        sys.exit(f"{options.module} is no WebAssembly module; build it again: make build")
    version = re.search(r'^version = "(.+)"', (TOP / "Cargo.toml").read_text(), re.M).group(1)

    files, digest = layout(FORMS[options.form](module), version)
    # Only what is ours: a blob of an earlier build would stay in the layout.
    shutil.rmtree(options.out / "oci", ignore_errors=True)
    for name, data in files.items():
        path = options.out / "oci" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (options.out / "canary-split.tar").write_bytes(tar(files))

    zipped = gzip.compress(module, 9, mtime=0)
    if len(zipped) > MAX_CONFIG_MAP:
        sys.exit(f"the gzipped module has {len(zipped)} bytes, too many for a ConfigMap of {MAX_CONFIG_MAP}")
    in_cluster = options.wasmplugin / "in-cluster"
    (in_cluster / "canary_split.wasm.gz").write_bytes(zipped)

    print(f"image   {options.out / 'canary-split.tar'} (the same as a folder: {options.out / 'oci'})")
    print(f"digest  {digest}")
    print(f"module  sha256:{hashlib.sha256(module).hexdigest()}, {len(module)} bytes")
    if options.url == "in-cluster":
        # Istio compares the hash of the module after unpacking.
        namespace = re.search(r"^namespace: (\S+)", (in_cluster / "kustomization.yaml").read_text(), re.M).group(1)
        url = f"http://canary-split-module.{namespace}.svc/canary_split.wasm.gz"
        set_url(options.wasmplugin / "wasmplugin.yaml", url, hashlib.sha256(module).hexdigest())
    elif options.url:
        set_url(options.wasmplugin / "wasmplugin.yaml", f"oci://{options.url}@{digest}", None)
    if options.url:
        print(f"url     set in {options.wasmplugin / 'wasmplugin.yaml'}")


if __name__ == "__main__":
    main()
