"""The environments that the roads need, each built once in a folder that the user names."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
from pathlib import Path

_TENSORFLOW = "tensorflow>=2.16,<2.22"


@dataclasses.dataclass(frozen=True)
class Environment:
    """What is installed, and for which Python.

    Attributes:
        name: Its folder.
        python: The command of its Python.
        requirements: What pip installs.
        shown: The packages whose versions belong to the results.
    """

    name: str
    python: str
    requirements: tuple[str, ...]
    shown: tuple[str, ...]


# tensorflow_hub 0.16.1 imports pkg_resources, which setuptools has no more since 82.
_OLD_SETUPTOOLS = "setuptools<81"
TF2 = Environment("tf2", "python3", (_TENSORFLOW,), ("tensorflow", "keras"))
HUB = Environment(
    "hub",
    "python3",
    (_TENSORFLOW, "tf-keras>=2.16,<2.22", "tensorflow-hub==0.16.1", _OLD_SETUPTOOLS),
    ("tensorflow", "tf-keras", "tensorflow-hub", "setuptools"),
)
ONNX = Environment(
    "onnx",
    "python3",
    (_TENSORFLOW, "tf2onnx", "onnxruntime", _OLD_SETUPTOOLS),
    ("tensorflow", "tf2onnx", "onnx", "onnxruntime"),
)
TF1 = Environment(
    "tf1",
    "python3.7",
    ("tensorflow==1.15.5", "tensorflow-hub==0.12.0", "protobuf<3.21"),
    ("tensorflow", "tensorflow-hub"),
)

_VERSIONS = """
import json, sys
from importlib.metadata import version
print(json.dumps({n: version(n) for n in sys.argv[1:]}))
"""
_VERSIONS_OF_37 = """
import json, sys, pkg_resources
print(json.dumps({n: pkg_resources.get_distribution(n).version for n in sys.argv[1:]}))
"""


def build(environment: Environment, folder: Path) -> str:
    """Makes a virtual environment unless it is there; returns its Python."""
    python = folder / environment.name / "bin/python"
    done = folder / environment.name / "complete"
    if not done.exists():
        command = shutil.which(environment.python)
        if command is None:
            raise FileNotFoundError(
                f"There is no {environment.python} for the environment {environment.name!r}: "
                f"install it, or pass --{environment.name} with the Python of one that is there."
            )
        shutil.rmtree(done.parent, ignore_errors=True)
        subprocess.run([command, "-m", "venv", done.parent], check=True)
        pip = [python, "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "--upgrade", "pip"], check=True)
        subprocess.run([*pip, *environment.requirements], check=True)
        done.touch()
    return str(python)


def versions(environment: Environment, python: str) -> dict[str, str]:
    """The versions of what the results depend on, Python's included."""
    found = {"Python": _run(python, "import sys; print(sys.version.split()[0])").strip()}
    script = _VERSIONS_OF_37 if found["Python"].startswith("3.7.") else _VERSIONS
    return {**found, **json.loads(_run(python, script, *environment.shown))}


def _run(python: str, script: str, *arguments: str) -> str:
    command = [python, "-c", script, *arguments]
    environ = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environ).stdout
