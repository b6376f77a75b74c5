"""Reading the records of what TensorFlow 1.15 did, and comparing with them."""

from __future__ import annotations

import dataclasses
import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

FIXTURES = Path(__file__).parent / "fixtures"

# Relative to the tensor's largest magnitude.
OUTPUT_TOLERANCE = 1e-5
STEP_TOLERANCE = 1e-4
_HALF_PRECISION = {"float16": 2e-3, "bfloat16": 2e-2}


@dataclasses.dataclass(frozen=True)
class Record:
    """One module with its record; tests/tf1/README.md describes the layout."""

    folder: Path

    @property
    def path(self) -> str:
        return str(self.folder / "module")

    @functools.cached_property
    def meta(self) -> dict[str, Any]:
        return json.loads((self.folder / "golden.json").read_text())

    @functools.cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        with np.load(self.folder / "golden.npz") as file:
            return dict(file)

    @property
    def train(self) -> dict[str, Any] | None:
        return self.meta.get("train")

    @property
    def tag_sets(self) -> list[list[str]]:
        """The variants with recorded outputs."""
        found = {k.split("/")[1] for k in self.arrays if k.startswith("out/")}
        return [[] if t == "none" else t.split("+") for t in sorted(found)]

    @property
    def output_tolerance(self) -> float:
        """1e-5, save where bfloat16 is among the dtypes: TF 2 sums its products in float32."""
        half = "bfloat16" in self.meta.get("dtypes", {}).values()
        return _HALF_PRECISION["bfloat16"] if half else OUTPUT_TOLERANCE

    @property
    def step_tolerance(self) -> float:
        """1e-4 for variables after steps of training, save where the record says why not."""
        return (self.train or {}).get("tolerance", STEP_TOLERANCE)

    def signatures(self, tags: list[str]) -> list[str]:
        prefix = f"out/{_tag_key(tags)}/"
        return [
            s
            for s in self.meta["signatures"]
            if any(k.startswith(f"{prefix}{s}/") for k in self.arrays)
        ]

    def inputs(self, signature: str) -> dict[str, Any]:
        prefix = f"in/{signature}/"
        names = {k[len(prefix) :] for k in self.arrays if k.startswith(prefix)}
        return {name: self._value(prefix + name) for name in {_stem(n) for n in names}}

    def calls(self, tags: list[str], signature: str) -> int:
        """How many calls in a row are recorded."""
        return 1 + sum(bool(self.outputs(tags, signature, turn)) for turn in (2, 3))

    def outputs(self, tags: list[str], signature: str, turn: int = 1) -> dict[str, Any]:
        prefix = f"out{_number(turn)}/{_tag_key(tags)}/{signature}/"
        names = {_stem(k[len(prefix) :]) for k in self.arrays if k.startswith(prefix)}
        return {name: self._value(prefix + name) for name in names}

    def changed(self, tags: list[str], signature: str, turn: int = 1) -> dict[str, np.ndarray]:
        """The variables that a call changed, after it."""
        prefix = f"after{_number(turn)}/{_tag_key(tags)}/{signature}/"
        return {k[len(prefix) :]: v for k, v in self.arrays.items() if k.startswith(prefix)}

    def variables(self, step: int) -> dict[str, np.ndarray]:
        prefix = f"step{step}/" if step else "var0/"
        return {k[len(prefix) :]: v for k, v in self.arrays.items() if k.startswith(prefix)}

    def _value(self, key: str) -> Any:
        arrays = self.arrays
        if f"{key}/indices" in arrays:
            parts = (arrays[f"{key}/{p}"] for p in ("indices", "values", "dense_shape"))
            return tf.SparseTensor(*parts)
        if f"{key}/flat_values" in arrays:
            splits = [arrays[k] for k in sorted(arrays) if k.startswith(f"{key}/row_splits")]
            return tf.RaggedTensor.from_nested_row_splits(arrays[f"{key}/flat_values"], splits)
        value = arrays[key]
        true_dtype = self.meta.get("dtypes", {}).get(key)
        if true_dtype:
            return tf.cast(value, true_dtype)
        return value.astype(object) if value.dtype.kind == "S" else value


def _number(turn: int) -> str:
    return str(turn) if turn > 1 else ""


def _tag_key(tags: list[str]) -> str:
    return "+".join(sorted(tags)) or "none"


def _stem(name: str) -> str:
    """The name of an output without the component of a composite tensor."""
    base, _, last = name.rpartition("/")
    is_component = last in {"indices", "values", "dense_shape", "flat_values"} or last.startswith(
        "row_splits"
    )
    return base if base and is_component else name


def read_records(*folders: Path) -> dict[str, Record]:
    return {
        path.parent.name: Record(path.parent)
        for folder in folders
        for path in sorted(folder.glob("*/golden.json"))
    }


def value_of(variable: Any) -> np.ndarray:
    """A variable's value, or that of the parts of a partitioned one in one piece."""
    if isinstance(variable, list):
        shapes = {tuple(v.shape[1:]) for v in variable}
        return np.concatenate([v.numpy() for v in variable], axis=0 if len(shapes) == 1 else 1)
    return variable.numpy()


def assert_close(found: Any, expected: Any, tolerance: float, what: str) -> None:
    """Compares tensors, each number relative to the largest magnitude that is expected."""
    if isinstance(expected, tf.SparseTensor):
        assert isinstance(found, tf.SparseTensor), what
        for part in ("indices", "values", "dense_shape"):
            assert_close(getattr(found, part), getattr(expected, part), tolerance, f"{what} {part}")
        return
    if isinstance(expected, tf.RaggedTensor):
        assert isinstance(found, tf.RaggedTensor), what
        for a, b in zip(found.nested_row_splits, expected.nested_row_splits, strict=True):
            assert_close(a, b, 0, f"{what} row splits")
        assert_close(found.flat_values, expected.flat_values, tolerance, what)
        return
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape, what
    if expected.dtype.kind in "OS":
        assert found.astype("S").tolist() == expected.astype("S").tolist(), what
        return
    if expected.dtype.kind in "iub":
        assert found.dtype == expected.dtype, what
        tolerance = 0
    tolerance = max(tolerance, _HALF_PRECISION.get(found.dtype.name, 0))
    wide = np.complex128 if expected.dtype.kind == "c" else np.float64
    found, expected = found.astype(wide), expected.astype(wide)
    if expected.size:
        scale = np.abs(expected).max()
        error = np.abs(found - expected).max()
        assert error <= tolerance * scale, f"{what}: off by {error / (scale or 1):.2e}"
