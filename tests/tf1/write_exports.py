"""Writes modules with compat_hub, and what it computes: python tests/tf1/write_exports.py OUT_DIR.

Runs under TensorFlow 2. `check_exports.py` then lets TensorFlow 1.15 judge them (see README.md).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import tensorflow.compat.v1 as tf  # noqa: E402

import compat_hub  # noqa: E402

# The recorder is written for TensorFlow 1.15.
sys.modules["tensorflow_hub"] = compat_hub
import recorder  # noqa: E402
from programs.exports import EXPORTS, IN_FUNCTIONS  # noqa: E402

recorder.tf = tf
WRITTEN = {"golden.npz": "written.npz", "golden.json": "written.json"}


@contextlib.contextmanager
def control_flow(in_functions: bool) -> Iterator[None]:
    """Builds control flow as functions, or as TF1 does."""
    if in_functions:
        tf.enable_control_flow_v2()
    else:
        tf.disable_control_flow_v2()
    yield


def write(name: str, folder: str) -> None:
    """Writes one module with its record into a folder of its own, which is replaced."""
    shutil.rmtree(folder, ignore_errors=True)
    with control_flow(name in IN_FUNCTIONS):
        case = EXPORTS[name](tf, compat_hub)
        recorder.export_module(name, case, folder)
    with control_flow(in_functions=False):
        recorder.record_module(case, folder)
    for old, new in WRITTEN.items():
        os.rename(os.path.join(folder, old), os.path.join(folder, new))


def main() -> int:
    """Writes the modules named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out_dir", help="the directory that gets one directory for each module")
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all that there are")
    arguments: Any = parser.parse_args()
    for name in arguments.names or sorted(EXPORTS):
        print(name, flush=True)
        write(name, os.path.abspath(os.path.join(arguments.out_dir, name)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
