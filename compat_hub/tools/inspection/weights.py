"""Statistics of the weights in a checkpoint, one variable after the other."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from compat_hub.common.progress import progress_bar
from compat_hub.format.checkpoints.index import find_problem
from compat_hub.format.spec import ModuleSpec
from compat_hub.format.variant import VariableInfo
from compat_hub.tools.inspection.facts import WeightFacts

_BINS = 40
_CHUNK = 2**20  # values that are looked at in one piece
_LARGE = 100 * 2**20  # bytes, read within a second


def read_weights(spec: ModuleSpec) -> tuple[list[WeightFacts], list[str]]:
    """Reads the values of all variables, and keeps what can be said of them in a few numbers.

    No more than one variable is in memory at a time. Strings and complex numbers are left out, and
    all variables of a module without a checkpoint.

    Args:
        spec: The module.

    Returns:
        The statistics, and messages on variables that cannot be read.
    """
    prefix = spec.checkpoint_prefix
    infos = {info.name: info for v in spec.variants.values() for info in v.variables}
    chosen = [i for i in infos.values() if not (i.dtype.is_complex or i.dtype == tf.string)]
    # Of an index that TensorFlow cannot read it is told without reading values, too.
    if prefix is None or not chosen or find_problem(prefix):
        return [], []
    try:
        reader: Any = tf.compat.v1.train.NewCheckpointReader(prefix)
    except (tf.errors.OpError, IndexError, RuntimeError, TypeError, ValueError):
        return [], []
    shapes = reader.get_variable_to_shape_map()
    size = sum(math.prod(shapes[i.key]) * i.dtype.size for i in chosen if i.key in shapes)
    found, problems = [], []
    whole = _Values(reader)
    with progress_bar("Reading weights", len(chosen), shown=size >= _LARGE) as advance:
        for info in chosen:
            if info.key in shapes:
                try:
                    found.append(statistics(info.name, whole.of(info)))
                except (tf.errors.OpError, RuntimeError, ValueError) as error:
                    problems.append(
                        f"the value of the variable {info.name!r} cannot be read: {error}. Get a "
                        "fresh copy of the module."
                    )
            advance(1)
    return found, problems


class _Values:
    """The values of variables; of parts of a partitioned one, the whole is read once."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader
        self._key: str | None = None
        self._value = np.zeros([])

    def of(self, info: VariableInfo) -> np.ndarray:
        if info.key != self._key:
            self._value = np.zeros([])  # the old one goes before the new one comes
            self._value = np.asarray(self._reader.get_tensor(info.key))
            self._key = info.key
        if info.slice is None:
            return self._value
        pairs = zip(info.slice.offset, info.slice.shape, strict=True)
        return self._value[tuple(slice(start, start + size) for start, size in pairs)]


def statistics(name: str, values: np.ndarray) -> WeightFacts:
    """The statistics of an array of numbers, which may have values that are not numbers.

    Args:
        name: What it is called.
        values: Of any shape and of an integer, boolean or floating dtype.
    """
    zeros = nans = infinities = count = 0
    low, high = math.inf, -math.inf
    for chunk in _chunks(values):
        finite = chunk[np.isfinite(chunk)]
        nans += int(np.isnan(chunk).sum())
        infinities += int(np.isinf(chunk).sum())
        zeros += int((chunk == 0).sum())
        if finite.size:
            count += finite.size
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    if not count:
        return WeightFacts(name, None, None, None, None, zeros, nans, infinities, ())
    # Within [-1, 1] no sum, square or difference gets too large.
    scale = max(abs(low), abs(high)) or 1.0
    mean = sum(float((c / scale).sum()) for c in _finite_chunks(values)) / count
    edges = (low / scale, high / scale) if low < high else (low / scale - 0.5, low / scale + 0.5)
    squares, histogram = 0.0, np.zeros([_BINS], np.int64)
    for chunk in _finite_chunks(values):
        scaled = chunk / scale
        squares += float(np.square(scaled - mean).sum())
        histogram += np.histogram(scaled, _BINS, edges)[0]
    std = math.sqrt(squares / count) * scale
    return WeightFacts(
        name, low, high, mean * scale, std, zeros, nans, infinities, tuple(histogram.tolist())
    )


def _finite_chunks(values: np.ndarray) -> Iterator[np.ndarray]:
    for chunk in _chunks(values):
        yield chunk[np.isfinite(chunk)]


def _chunks(values: np.ndarray) -> Iterator[np.ndarray]:
    # A part of a larger array is not in one piece: its rows are, or parts of them.
    flat = values.reshape(-1) if values.flags.c_contiguous else values.ravel()
    for start in range(0, flat.size, _CHUNK):
        yield flat[start : start + _CHUNK].astype(np.float64)
