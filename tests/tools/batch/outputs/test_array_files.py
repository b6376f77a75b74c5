from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest

from compat_hub.tools.batch.outputs.array_files import ArrayFiles


@pytest.fixture
def stack():
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.mark.parametrize(
    "dtype", ["float32", "float64", "float16", "int8", "uint8", "int64", "bool", "complex64"]
)
def test_arrays_grow(tmp_path: Path, stack: contextlib.ExitStack, dtype: str) -> None:
    parts = [np.arange(6 * n).reshape([n, 2, 3]).astype(dtype) for n in (2, 1, 0, 3)]
    file = ArrayFiles(str(tmp_path), stack)
    for part in parts:
        file.append({"a/b": part, "c": part[:, 0]})
    file.write_npz(str(tmp_path / "a.npz"))
    with np.load(tmp_path / "a.npz", allow_pickle=False) as found:
        assert sorted(found) == ["a/b", "c"]
        np.testing.assert_array_equal(found["a/b"], np.concatenate(parts), strict=True)
        assert found["c"].shape == (6, 3)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_strings_get_the_width_of_the_longest(tmp_path: Path, stack) -> None:
    file = ArrayFiles(str(tmp_path), stack)
    for texts in [[b"a", b""]], [[b"longer", "ü".encode()]]:
        file.append({"x": np.array(texts, object)})
    file.write_npy(str(tmp_path / "a.npy"))
    found = np.load(tmp_path / "a.npy", allow_pickle=False)
    assert found.dtype == "S6"
    assert found.tolist() == [[b"a", b""], [b"longer", "ü".encode()]]


def test_scalars_and_columns_in_the_order_of_fortran(tmp_path: Path, stack) -> None:
    file = ArrayFiles(str(tmp_path), stack)
    array = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    file.append({"scalar": np.float32(3), "array": array, "text": np.array(b"x", object)})
    file.write_npz(str(tmp_path / "a.npz"))
    with np.load(tmp_path / "a.npz") as found:
        assert found["scalar"].shape == ()
        assert found["array"].tolist() == array.tolist()
        assert found["text"].item() == b"x"


def test_the_same_bytes_each_time(tmp_path: Path, stack) -> None:
    for name in "a", "b":
        file = ArrayFiles(str(tmp_path), stack)
        file.append({"x": np.ones(3)})
        file.write_npz(str(tmp_path / name))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
