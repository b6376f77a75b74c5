"""What is in the support matrix: the pairs of TensorFlow and Python, and the tests."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
from pathlib import Path

# What is installed depends on these; all are in the record.
SHOWN = ("tensorflow", "tf-keras", "keras", "numpy", "protobuf")

# Every module in what depends most on TensorFlow and Keras, in half an hour of one core. Left out
# are the conformance tests of tf.distribute, Beam, random control flow and other tools.
TESTS = (
    "tests/tf_private/test_tensorflow.py",
    "tests/conformance/test_outputs.py",
    "tests/conformance/test_training.py",
    "tests/conformance/test_converted.py",
    "tests/conformance/test_programs.py",
    "tests/conformance/test_keras_saving.py",
    "tests/conformance/test_state_and_randomness.py",
    "tests/conformance/test_verdict.py",
    "tests/programs/test_known_ops.py",
    "tests/hub_module/test_hub_module.py",
    "tests/hub_module/test_convert.py",
    "tests/keras_layers/test_layer.py",
    "tests/keras_layers/test_tf_keras_layer.py",
    "tests/keras_layers/test_keras3_layer.py",
    "tests/tools/demo/test_demo.py",
    "tests/v1/test_module.py",
)


@dataclasses.dataclass(frozen=True)
class Row:
    """A pair of versions, such as 2.16 and 3.11."""

    tensorflow: str
    python: str

    @property
    def name(self) -> str:
        return f"tf{self.tensorflow}-py{self.python}"

    @property
    def requirements(self) -> tuple[str, ...]:
        return (f"tensorflow=={self.tensorflow}.*", f"tf-keras=={self.tensorflow}.*")


ROWS = {
    row.name: row
    for row in (
        Row("2.16", "3.10"),
        Row("2.16", "3.11"),
        Row("2.21", "3.10"),
        Row("2.21", "3.11"),
        Row("2.21", "3.12"),
        Row("2.21", "3.13"),
    )
}


def find_python(version: str) -> str:
    """A Python of this version, on PATH or in pyenv.

    Raises:
        FileNotFoundError: There is none.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = [shutil.which(f"python{version}"), *pyenv.glob(f"versions/{version}.*/bin/python")]
    for python in filter(None, found):
        command = [python, "-c", "import ensurepip, sys; print('%d.%d' % sys.version_info[:2])"]
        # What pyenv puts on PATH fails for versions that are not switched on.
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.stdout.strip() == version:
            return str(python)
    raise FileNotFoundError(f"There is no Python {version}, neither on PATH nor in {pyenv}.")
