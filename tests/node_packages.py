"""npm packages that tests use as independent readers, installed once into the user's cache, never into the checkout."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from pose2mesh.paths import cache_dir

PACKAGES = ("gltf-validator@2.0.0-dev.3.10", "three@0.187.0")


@cache
def node_modules() -> Path:
    """The folder that holds node_modules; skips the test where node or the packages cannot be had."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed")
    folder = cache_dir() / "test-node"
    if not all((folder / "node_modules" / name.split("@")[0]).is_dir() for name in PACKAGES):
        folder.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), *PACKAGES]
        result = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if result.returncode:
            pytest.skip(f"npm cannot install {' '.join(PACKAGES)}")
    return folder


def run_node(script: Path, *arguments: str | Path) -> str:
    """Output of a script that gets the packages' folder first."""
    command = ["node", str(script), str(node_modules()), *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    return result.stdout
