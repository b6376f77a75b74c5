"""Reading all variables of a module whose files are in the page cache."""

from __future__ import annotations

import time
from pathlib import Path

import tensorflow as tf

import compat_hub
from benchmarks.processes import Figures
from compat_hub.format.checkpoints.read import read_variables
from compat_hub.state.variables import make_variable


def compat(module: str) -> Figures:
    """The variables, made and filled; not the tables."""
    tf.constant(0)
    for file in Path(module).rglob("variables.*"):
        with file.open("rb") as opened:
            while opened.read(2**24):
                pass
    spec = compat_hub.load_module_spec(module)
    infos = list(
        {v.name: v for variant in spec.variants.values() for v in variant.variables}.values()
    )
    start = time.perf_counter()
    values = read_variables(module, spec.checkpoint_prefix or "", infos)
    variables = [make_variable(v, values.pop(v.name), False, module) for v in infos]
    seconds = time.perf_counter() - start
    size = sum(v.shape.num_elements() * v.dtype.size for v in variables)
    return {"seconds": seconds, "gigabytes per second": size / seconds / 1e9}


def plain_reads(module: str) -> Figures:
    """The limit: the bytes of the files, read into memory that is there."""
    files = list(Path(module).rglob("variables.data*"))
    buffer = bytearray(max(f.stat().st_size for f in files))
    for _ in range(2):
        start = time.perf_counter()
        total = 0
        for file in files:
            with file.open("rb", buffering=0) as opened:
                total += opened.readinto(buffer) or 0
        seconds = time.perf_counter() - start
    return {"seconds": seconds, "gigabytes per second": total / seconds / 1e9}
