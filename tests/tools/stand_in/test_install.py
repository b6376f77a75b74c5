"""compat_hub under the name tensorflow_hub."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import importlib.util
import sys

import numpy as np
import tensorflow_hub as hub
import tensorflow_hub.feature_column
from tensorflow_hub import keras_layer
from tensorflow_hub.module_v2 import load

import compat_hub

compat_hub.install_as_tensorflow_hub()  # a second time
assert importlib.util.find_spec("tensorflow_hub") is not None
assert hub.load is compat_hub.load is load
assert hub.KerasLayer is keras_layer.KerasLayer is compat_hub.KerasLayer
assert tuple(map(int, hub.__version__.split("."))) >= (0, 12)
try:
    hub.nothing
except AttributeError as error:
    assert "compat_hub stands for tensorflow_hub" in str(error)
print(sys.argv[1:], hub.load(sys.argv[1])(np.ones([2, 5], np.float32)).shape[0])
sys.exit(3)
"""


def _run(*command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], cwd=folder, capture_output=True, text=True, check=False
    )


def test_a_program_runs_with_its_own_arguments_and_status(tmp_path: Path, fixture_path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    module = fixture_path("fruit")
    command = ["-m", "compat_hub", "run-program", "program.py", module, "--epochs", "3"]
    found = _run(*command, folder=tmp_path)
    assert found.returncode == 3, found.stderr
    assert found.stdout == f"{[module, '--epochs', '3']} 2\n"
    missing = _run("-m", "compat_hub", "run-program", "nothing.py", folder=tmp_path)
    assert missing.returncode == 2
    assert "There is no file 'nothing.py'" in missing.stderr


def test_the_genuine_one_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "tensorflow_hub").mkdir()
    (tmp_path / "tensorflow_hub/__init__.py").write_text("")
    program = (
        "import sys; sys.path.insert(0, '.'); import tensorflow_hub, compat_hub\n"
        "try: compat_hub.install_as_tensorflow_hub()\n"
        "except compat_hub.BackendError as error: print(error)"
    )
    found = _run("-c", program, folder=tmp_path)
    assert "has been imported in this process already" in found.stdout, found.stderr
