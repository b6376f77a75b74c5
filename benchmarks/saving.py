"""How much memory it takes to leave the format: peaks above what a loaded module takes.

    python -m benchmarks.saving [--megabytes 400]

Each figure is of a process of its own: the largest resident size while one call runs, less the size
before it, as a part of the size of the module's weights. `convert` and a fresh `load` begin without
the module; theirs is less the module's weights, too. Linux only.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import tensorflow as tf

import compat_hub
from benchmarks.processes import forget_peak, resident_bytes

v1 = tf.compat.v1

_UNITS = 512
LIMIT = 1.2


def _one_variable(megabytes: int) -> Callable[[], None]:
    """An embedding: all weights are one variable."""

    def build() -> None:
        rows = megabytes * 2**20 // 4 // _UNITS
        table = v1.get_variable("table", [rows, _UNITS], initializer=v1.random_normal_initializer())
        ids = v1.placeholder(tf.int32, [None], "ids")
        compat_hub.add_signature(inputs={"ids": ids}, outputs=tf.gather(table, ids))

    return build


def _many_variables(megabytes: int) -> Callable[[], None]:
    """Dense layers of 1 MB each."""

    def build() -> None:
        x = inputs = v1.placeholder(tf.float32, [None, _UNITS], "x")
        for k in range(megabytes * 2**20 // 4 // _UNITS // _UNITS):
            shape = [_UNITS, _UNITS]
            name = f"layer_{k}/kernel"
            kernel = v1.get_variable(name, shape, initializer=v1.random_normal_initializer(0, 0.1))
            x = tf.tanh(x @ kernel)
        compat_hub.add_signature(inputs={"x": inputs}, outputs=x)

    return build


MODULES: dict[str, Callable[[int], Callable[[], None]]] = {
    "one variable": _one_variable,
    "many variables": _many_variables,
}


def write_module(kind: str, megabytes: int, path: str) -> str:
    """Writes a module of that size with random weights."""
    spec = compat_hub.create_module_spec(MODULES[kind](megabytes))
    return compat_hub.load(spec).export(path)


def _peak_of(call: Callable[[], Any]) -> tuple[int, float]:
    """By how much this process grows at most while it calls, in bytes; seconds."""
    before = resident_bytes()
    forget_peak()
    start = time.perf_counter()
    result = call()
    seconds = time.perf_counter() - start
    del result
    return resident_bytes(peak=True) - before, seconds


def _measure(what: str, module_path: str, path: str, weights: int) -> None:
    """Runs one call, in a process of its own, and prints what it took."""
    small = compat_hub.create_module_spec(_many_variables(1))
    compat_hub.load(small).save(f"{path}-small")  # what TensorFlow loads and keeps at a first use
    if what in ("load", "convert"):
        loaded = weights
        peak, seconds = _peak_of(
            lambda: (
                compat_hub.load(module_path)
                if what == "load"
                else compat_hub.convert(module_path, path)
            )
        )
    else:
        loaded = 0
        module = compat_hub.load(module_path)
        peak, seconds = _peak_of(lambda: getattr(module, what)(path))
    print(f"{(peak - loaded) / weights:.3f} {seconds:.1f}")


def main() -> int:
    """Prints a line for each module and call; returns how many take too much."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=400, help="of weights; default: 400")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    weights = arguments.megabytes * 2**20
    if arguments.measure:
        _measure(*arguments.measure, weights)
        return 0
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for kind in MODULES:
            module_path = write_module(kind, arguments.megabytes, os.path.join(folder, kind))
            for what in ("load", "convert", "save", "export"):
                command = [sys.executable, "-m", "benchmarks.saving"]
                command += ["--megabytes", str(arguments.megabytes), "--measure", what]
                target = os.path.join(folder, f"{kind}-{what}")
                found = subprocess.run(
                    [*command, module_path, target], check=True, capture_output=True, text=True
                )
                ratio, seconds = map(float, found.stdout.split())
                failed += ratio > LIMIT
                print(
                    f"{arguments.megabytes} MB in {kind:14}  {what:8} peak {ratio:6.3f} x weights "
                    f"above the loaded module (at most {LIMIT})  {seconds:5.1f} s",
                    flush=True,
                )
    return failed


if __name__ == "__main__":
    sys.exit(main())
