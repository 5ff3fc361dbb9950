"""Where the repository and the built module are."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WASM = ROOT / "target/wasm32-wasip1/release/canary_split.wasm"
