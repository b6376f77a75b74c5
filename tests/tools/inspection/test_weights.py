from __future__ import annotations

import math

import numpy as np
import pytest

import compat_hub
from compat_hub.tools.inspection import weights
from compat_hub.tools.inspection.weights import read_weights, statistics


@pytest.mark.parametrize("chunk", [7, 10**6])
def test_statistics(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_CHUNK", chunk)
    values = np.random.default_rng(1).normal(3, 2, [40, 50]).astype(np.float32)
    values[:3, 0] = 0
    values[0, 1] = np.nan
    values[0, 2:4] = np.inf, -np.inf
    found = statistics("w", values)
    finite = values[np.isfinite(values)].astype(np.float64)
    assert (found.min, found.max) == (finite.min(), finite.max())
    assert found.mean == pytest.approx(finite.mean())
    assert found.std == pytest.approx(finite.std())
    assert (found.zeros, found.nans, found.infinities) == (3, 1, 2)
    assert found.histogram == tuple(np.histogram(finite, 40)[0])


@pytest.mark.parametrize(
    "values",
    [np.float32([1, np.nan]), np.int64([5, 5]), np.bool_([True, True]), np.float16([3])],
    ids=["one", "integers", "booleans", "half"],
)
def test_one_value(values: np.ndarray) -> None:
    found = statistics("w", values)
    assert found.min == found.max == found.mean
    assert found.std == 0
    assert sum(found.histogram) == np.isfinite(values).sum()


def test_the_widest_range() -> None:
    largest = np.finfo(np.float64).max
    found = statistics("w", np.array([-largest, 0, largest]))
    assert (found.min, found.max) == (-largest, largest)
    assert sum(found.histogram) == 3


@pytest.mark.parametrize("values", [np.zeros([0, 3]), np.array([np.nan])], ids=["empty", "nan"])
def test_nothing_finite(values: np.ndarray) -> None:
    found = statistics("w", values)
    assert (found.min, found.max, found.mean, found.std, found.histogram) == (*[None] * 4, ())


def test_parts_of_partitioned_variables(fixture_path) -> None:
    path = fixture_path("partitioned")
    found, problems = read_weights(compat_hub.load_module_spec(path))
    assert problems == []
    variables = {v.name.partition(":")[0]: v.numpy() for v in compat_hub.load(path).variables}
    assert {w.name for w in found} == variables.keys()
    for w in found:
        assert w.mean == pytest.approx(variables[w.name].mean(), abs=1e-6)
        assert not math.isnan(w.mean or 0)


def test_a_module_without_a_checkpoint_has_none(fixture_path) -> None:
    assert read_weights(compat_hub.load_module_spec(fixture_path("no_variables"))) == ([], [])
