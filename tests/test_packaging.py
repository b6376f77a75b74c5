"""What pyproject.toml, the package and .ci/run say of each other."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from email import message_from_bytes
from importlib import metadata
from pathlib import Path

import pytest

import compat_hub
from compat_hub.cli.main import main

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
        assert "compat_hub/tools/samples/pets/variables/variables.index" in files


def test_the_wheel(tmp_path: Path) -> None:
    """It has the package's files, its metadata, and nothing else."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run([*command, "--directory", tmp_path], cwd=ROOT, check=True, capture_output=True)
    (file,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(file) as wheel:
        names = set(wheel.namelist())
        info = f"compat_hub-{compat_hub.__version__}.dist-info"
        parts = ("METADATA", "WHEEL", "entry_points.txt", "licenses/LICENSE", "RECORD")
        package = (path for path in (ROOT / "compat_hub").rglob("*") if path.is_file())
        assert names == {f"{info}/{part}" for part in parts} | {
            path.relative_to(ROOT).as_posix() for path in package if path.suffix != ".pyc"
        }
        assert names > {
            "compat_hub/py.typed",
            "compat_hub/tools/inspection/page.html",
            "compat_hub/tools/samples/pets/tfhub_module.pb",
            "compat_hub/tools/samples/pets/variables/variables.index",
        }
        metadata_of_wheel = message_from_bytes(wheel.read(f"{info}/METADATA"))
        assert metadata_of_wheel["License-Expression"] == "Apache-2.0"
        license_of_wheel = wheel.read(f"{info}/licenses/LICENSE")
    assert license_of_wheel == (ROOT / "LICENSE").read_bytes()


def test_public_names_exist() -> None:
    for name in compat_hub.__all__:
        assert getattr(compat_hub, name).__name__ == name
    assert set(compat_hub.__all__) <= set(dir(compat_hub))


def test_ci_script() -> None:
    script = ROOT / ".ci/run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)
