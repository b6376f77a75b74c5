"""The records of models that TensorFlow 1.15 wrote, other than modules: `tests/other_models`."""

from __future__ import annotations

import dataclasses
import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

import compat_hub

FOLDER = Path(__file__).parent / "other_models"
NAMES = sorted(folder.name for folder in FOLDER.iterdir())


@dataclasses.dataclass(frozen=True)
class OtherModel:
    """One model with its record; `tests/tf1/other_models/recorder.py` wrote it."""

    name: str

    @functools.cached_property
    def meta(self) -> dict[str, Any]:
        return json.loads((FOLDER / self.name / "case.json").read_text())

    @functools.cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        with np.load(FOLDER / self.name / "record.npz") as file:
            return dict(file)

    @property
    def path(self) -> str:
        return str(FOLDER / self.name / self.meta["path"])

    @property
    def signature(self) -> str:
        return self.meta["signature"]

    @property
    def inputs(self) -> dict[str, tf.Tensor]:
        values = self.part("in").items()
        return {n: tf.constant(v, tf.int32 if v.dtype == np.int64 else None) for n, v in values}

    def part(self, kind: str) -> dict[str, np.ndarray]:
        prefix = f"{kind}/"
        return {k[len(prefix) :]: v for k, v in self.arrays.items() if k.startswith(prefix)}

    def load(self) -> compat_hub.HubModule:
        return compat_hub.load_tf1(self.path, **self.meta["arguments"])


@functools.cache
def model(name: str) -> OtherModel:
    return OtherModel(name)


def whole(value: Any) -> np.ndarray:
    """A variable's value, of a partitioned one all parts together."""
    return (
        np.concatenate([np.asarray(part) for part in value])
        if isinstance(value, list)
        else (np.asarray(value))
    )


def squares(outputs: Any, names: Any) -> tf.Tensor:
    """The loss that is recorded."""
    return tf.add_n([tf.reduce_sum(outputs[name] ** 2) for name in sorted(names)])
