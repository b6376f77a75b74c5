"""What pyproject.toml, the package and .ci/run say of each other."""

from __future__ import annotations

import os
import subprocess
from importlib import metadata
from pathlib import Path

import pytest

import compat_hub
from compat_hub.cli import main

ROOT = Path(__file__).parents[1]


def test_installed_distribution() -> None:
    try:
        distribution = metadata.distribution("compat-hub")
    except metadata.PackageNotFoundError:
        pytest.skip("compat-hub is not installed")
    assert distribution.version == compat_hub.__version__
    (command,) = distribution.entry_points.select(group="console_scripts")
    assert (command.name, command.load()) == ("compat-hub", main)
    if '"editable": true' not in (distribution.read_text("direct_url.json") or ""):
        files = {str(file) for file in distribution.files or ()}
        assert "compat_hub/samples/pets/variables/variables.index" in files


def test_public_names_exist() -> None:
    for name in compat_hub.__all__:
        assert getattr(compat_hub, name).__name__ == name
    assert set(compat_hub.__all__) <= set(dir(compat_hub))


def test_ci_script() -> None:
    script = ROOT / ".ci/run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)
