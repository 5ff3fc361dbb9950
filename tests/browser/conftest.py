"""The demo's stack, and a browser that trusts it."""

import base64
import contextlib
import hashlib
import shutil
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
# The demo, and what drives the browser (its packages are apart from the others, see requirements.txt).
sys.path[:0] = [str(TESTS / "demo"), str(TESTS / "envoy"), str(TESTS.parent / ".venv/browser")]

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: E402
from cryptography.x509 import load_pem_x509_certificate  # noqa: E402
from demo import Demo  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

CHROMIUM = shutil.which("chromium")


def pytest_sessionstart():
    if not CHROMIUM:
        pytest.exit("chromium is missing; install it (apt-get install chromium)", returncode=2)


@pytest.fixture(scope="session")
def stack():
    with contextlib.ExitStack() as stack:
        yield Demo(stack)


@pytest.fixture(scope="session")
def chromium(stack):
    """Opens a browser with a profile of its own: `chromium(folder)`. Closing it keeps the folder."""
    certificate = load_pem_x509_certificate((stack.directory / "chain.pem").read_bytes())
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pin = base64.b64encode(hashlib.sha256(key).digest()).decode()
    # The demo's key is trusted, and no other. Without a sandbox: tests run as root in containers.
    arguments = [f"--ignore-certificate-errors-spki-list={pin}", "--no-sandbox"]
    with sync_playwright() as playwright:
        open_ = playwright.chromium.launch_persistent_context
        yield lambda folder, **more: open_(folder, executable_path=CHROMIUM, args=arguments, headless=True, **more)


@pytest.fixture
def browser(chromium, tmp_path):
    """A browser that has never been here."""
    with chromium(tmp_path / "profile") as context:
        yield context
