from __future__ import annotations

import csv
import gzip
import importlib
import json
import lzma
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from compat_hub.format.tensor_info import TensorInfo
from compat_hub.tools.batch.outputs.files import check_names, check_output, open_output

_INFOS = {
    "a": TensorInfo(tf.TensorSpec([None, 2], tf.float32), ("a:0",)),
    "b": TensorInfo(tf.TensorSpec([None], tf.string), ("b:0",)),
}
_BATCHES = [
    {"a": tf.constant([[1.0, 2.0], [3.0, 0.1]]), "b": tf.constant(["x", "y,z"])},
    {"a": tf.constant([[5.0, 6.0]]), "b": tf.constant(["ü"])},
]


def _write(path: Path, batches: Any = _BATCHES, infos: Any = _INFOS) -> None:
    with open_output(str(path), infos) as file:
        for batch in batches:
            file.add(batch, len(batch["a"]), {})
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_json_lines(tmp_path: Path) -> None:
    _write(tmp_path / "o.jsonl")
    lines = (tmp_path / "o.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [
        {"a": [1.0, 2.0], "b": "x"},
        {"a": [3.0, 0.1], "b": "y,z"},
        {"a": [5.0, 6.0], "b": "ü"},
    ]


def test_csv(tmp_path: Path) -> None:
    _write(tmp_path / "o.csv")
    rows = list(csv.reader((tmp_path / "o.csv").read_text("utf-8").splitlines()))
    expected = ["a_0,a_1,b", "1.0,2.0,x", "3.0,0.1,y,z", "5.0,6.0,ü"]
    assert [",".join(row) for row in rows] == expected


def test_arrays(tmp_path: Path) -> None:
    _write(tmp_path / "o.npz")
    with np.load(tmp_path / "o.npz") as found:
        assert found["a"].shape == (3, 2)
        assert found["b"].tolist() == [b"x", b"y,z", "ü".encode()]
    (tmp_path / "o.npz").unlink()
    _write(tmp_path / "o.npy", [{"a": b["a"]} for b in _BATCHES], {"a": _INFOS["a"]})
    assert np.load(tmp_path / "o.npy").shape == (3, 2)


_KEPT = [{"id": ["p", "q"], "n": [1, 2]}, {"id": [None], "n": [3]}]


def _write_kept(path: Path) -> None:
    with open_output(str(path), _INFOS) as file:
        for batch, kept in zip(_BATCHES, _KEPT, strict=True):
            file.add(batch, len(batch["a"]), kept)


def test_kept_columns(tmp_path: Path) -> None:
    _write_kept(tmp_path / "o.csv")
    lines = ["id,n,a_0,a_1,b", "p,1,1.0,2.0,x", 'q,2,3.0,0.1,"y,z"', ",3,5.0,6.0,ü"]
    assert (tmp_path / "o.csv").read_text("utf-8").splitlines() == lines
    _write_kept(tmp_path / "o.tsv.gz")
    with gzip.open(tmp_path / "o.tsv.gz", "rt", encoding="utf-8") as file:
        assert file.read().splitlines()[2] == "q\t2\t3.0\t0.1\ty,z"
    _write_kept(tmp_path / "o.jsonl.xz")
    with lzma.open(tmp_path / "o.jsonl.xz", "rt", encoding="utf-8") as file:
        last = json.loads(file.read().splitlines()[-1])
    assert last == {"id": None, "n": 3, "a": [5.0, 6.0], "b": "ü"}
    _write_kept(tmp_path / "o.npz")
    with np.load(tmp_path / "o.npz") as found:
        assert found["id"].tolist() == [b"p", b"q", b""]
        assert (found["n"].dtype, found["n"].tolist()) == (np.int64, [1, 2, 3])


def test_parquet(tmp_path: Path) -> None:
    _write_kept(tmp_path / "o.parquet")
    table = importlib.import_module("pyarrow.parquet").read_table(tmp_path / "o.parquet")
    assert table.to_pydict() == {
        "id": ["p", "q", None],
        "n": [1, 2, 3],
        "a": [[1.0, 2.0], [3.0, float(np.float32(0.1))], [5.0, 6.0]],
        "b": ["x", "y,z", "ü"],
    }
    (tmp_path / "o.parquet").unlink()
    changing = [{"a": tf.ones([1, 2])}, {"a": tf.ones([1, 3])}]
    with pytest.raises(compat_hub.SignatureError, match=r"Write to a \.jsonl file"):
        _write(tmp_path / "o.parquet", changing)


def test_a_column_and_an_output_of_one_name() -> None:
    with pytest.raises(compat_hub.InputTypeError, match="would be called 'a'"):
        check_names(["id", "a", "a"])


@pytest.mark.parametrize("suffix", ["npz", "jsonl", "csv"])
def test_after_an_error_nothing_is_left(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"o.{suffix}"
    path.write_text("old")

    def batches() -> Iterator[Any]:
        yield _BATCHES[0]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        _write(path, batches())
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_outputs_that_have_no_rows(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(compat_hub.SignatureError, match="not one value for each of 2 rows"):
        _write(tmp_path / f"o.{suffix}", [{"a": tf.ones([2, 2]), "b": tf.constant("x")}])
    assert list(tmp_path.iterdir()) == []


def test_columns_that_change(tmp_path: Path) -> None:
    batches = [{"a": tf.ones([1, 2])}, {"a": tf.ones([1, 3])}]
    with pytest.raises(compat_hub.SignatureError, match=r"Write to a \.jsonl file"):
        _write(tmp_path / "o.csv", batches)
    _write(tmp_path / "o.jsonl", batches)


def test_checks_before_anything_is_computed(tmp_path: Path) -> None:
    sparse = {"s": TensorInfo(tf.SparseTensorSpec([None, 2], tf.int32), ("a", "b", "c"))}
    taken = tmp_path / "taken.npz"
    taken.touch()
    for name, infos, error, message in (
        ("o.txt", _INFOS, compat_hub.InputTypeError, "should end in one of .npz, "),
        ("taken.npz", _INFOS, compat_hub.PathExistsError, "pass --overwrite"),
        ("no/o.npz", _INFOS, compat_hub.ResolveError, "no such folder"),
        ("o.npz.gz", _INFOS, compat_hub.InputTypeError, "should end in one of .npz, "),
        ("o.npy", _INFOS, compat_hub.InputTypeError, "'a', 'b'. Choose one"),
        ("o.npy", sparse, compat_hub.InputTypeError, "one dense output"),
        ("o.csv", sparse, compat_hub.InputTypeError, "cannot hold output 's', sparse int32"),
    ):
        with pytest.raises(error, match=message):
            check_output(str(tmp_path / name), infos, overwrite=False)
    check_output(str(taken), _INFOS, overwrite=True)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(compat_hub.ResolveError, match="cannot be written"):
        _write(tmp_path / "gone" / "o.npz")
