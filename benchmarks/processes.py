"""Work in fresh processes: what it found, and the most memory it took."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
Figures = dict[str, float]


def run_fresh(measure: str, way: str, module: str, python: str = sys.executable) -> Figures:
    """Runs one way of a measure in a process of its own.

    Args:
        measure: The file in `benchmarks.measures`.
        way: The name of a function there.
        module: The path of the module.
        python: The interpreter.

    Returns:
        The figures that the function returned.

    Raises:
        RuntimeError: The process failed.
    """
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    command = [python, "-m", "benchmarks.worker", measure, way, module]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if found.returncode != 0:
        raise RuntimeError(f"{measure} {way} failed:\n{found.stderr[-3000:]}")
    return json.loads(found.stdout.splitlines()[-1])


def resident_bytes(peak: bool = False) -> int:
    """The memory of this process that is resident now, or was at most. Linux only."""
    wanted = "VmHWM" if peak else "VmRSS"
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        key, _, value = line.partition(":")
        if key == wanted:
            return int(value.split()[0]) * 1024
    raise RuntimeError(f"/proc/self/status has no {wanted}.")


def forget_peak() -> None:
    """Begins the search for the peak anew."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
