"""Debian's Chromium, driven by Playwright, trusting the demo's certificate alone."""

import base64
import contextlib
import hashlib
import shutil
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
# The demo, and what drives the browser (its packages are apart from the others, see requirements.txt).
sys.path[:0] = [str(TESTS / "demo"), str(TESTS.parent / ".venv/browser")]

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: E402
from cryptography.x509 import load_pem_x509_certificate  # noqa: E402
from demo import Demo  # noqa: E402, F401
from playwright.sync_api import sync_playwright  # noqa: E402


class Missing(Exception):
    """No browser is installed."""


@contextlib.contextmanager
def chromium(stack):
    """What opens a browser with a profile of its own: `open(folder)`. Closing it keeps the folder."""
    path = shutil.which("chromium")
    if not path:
        raise Missing("chromium is missing; install it (apt-get install chromium)")
    certificate = load_pem_x509_certificate((stack.directory / "chain.pem").read_bytes())
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pin = base64.b64encode(hashlib.sha256(key).digest()).decode()
    # Without a sandbox: tests run as root in containers.
    arguments = [f"--ignore-certificate-errors-spki-list={pin}", "--no-sandbox"]
    with sync_playwright() as playwright:
        open_ = playwright.chromium.launch_persistent_context
        yield lambda folder, **more: open_(folder, executable_path=path, args=arguments, headless=True, **more)
