from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import compat_hub
from compat_hub.format.tensor_info import TensorInfo
from compat_hub.tools.batch.inputs.arguments import parse_inputs
from compat_hub.tools.batch.inputs.sources import batches_of, values_of


def _dense(dtype: tf.DType, *shape: int | None) -> TensorInfo:
    return TensorInfo(tf.TensorSpec(shape, dtype), ("x:0",))


_INFOS = {
    "x": _dense(tf.float32, None, 2),
    "n": _dense(tf.int32, None),
    "text": _dense(tf.string, None),
    "scale": _dense(tf.float32),
    "table": _dense(tf.float32, 2, 2),
    "image": _dense(tf.float32, None, 4, 5, 3),
    "sparse": TensorInfo(tf.SparseTensorSpec([None, None], tf.int32), ("a", "b", "c")),
    "any": TensorInfo(tf.TensorSpec(None, tf.float32), ("x:0",)),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    x = np.arange(10, dtype=np.float64).reshape(5, 2)
    np.save("x.npy", x)
    np.savez("xn.npz", x=x, n=np.arange(5), other=np.ones(1))
    np.savez("one.npz", anything=x)
    Path("t.txt").write_text("a\nb\nc\nd\ne\n")
    Path("r.csv").write_text(
        "".join(["id,u,v,n\n", *(f"{k},{2 * k},{2 * k + 1},{k}\n" for k in range(5))])
    )
    lines = [json.dumps({"x": row, "n": k, "y": row}) for k, row in enumerate(x.tolist())]
    Path("r.jsonl").write_text("\n".join(lines))
    Path("v.jsonl").write_text("\n".join(map(json.dumps, x.tolist())))
    Path("x.json").write_text(json.dumps(x.tolist()))
    for k in range(3):
        Image.new("RGB", (7, 6), (k, k, k)).save(f"{k}.png")
    return tmp_path


def _batches(*arguments: str, size: int = 2) -> list[dict[str, Any]]:
    sources = parse_inputs(arguments, _INFOS, lambda name: [4, 5])
    return [
        {
            n: v.numpy().tolist() if tf.is_tensor(v) and hasattr(v, "numpy") else v
            for n, v in b.values.items()
        }
        for b in batches_of(sources, size)
    ]


_X = [[[0, 1], [2, 3]], [[4, 5], [6, 7]], [[8, 9]]]


@pytest.mark.parametrize(
    "argument",
    ["x=x.npy", "x=xn.npz", "x=xn.npz:x", "x=one.npz", "x=r.csv:u,v", "x=r.jsonl", "x=r.jsonl:y",
     "x=v.jsonl", "x=x.json", "x=[[0,1],[2,3],[4,5],[6,7],[8,9]]"],
)  # fmt: skip
@pytest.mark.usefixtures("folder")
def test_the_same_rows_from_everywhere(argument: str) -> None:
    assert [batch["x"] for batch in _batches(argument)] == _X
    assert [batch["x"] for batch in _batches(argument, size=0)] == [
        [row for batch in _X for row in batch]
    ]


@pytest.mark.parametrize("path", ["r.jsonl", "xn.npz"])
@pytest.mark.usefixtures("folder")
def test_files_with_the_inputs_by_name(path: str) -> None:
    batches = _batches(path, "text=t.txt")
    assert [batch["x"] for batch in batches] == _X
    assert [batch["n"] for batch in batches] == [[0, 1], [2, 3], [4]]
    assert [batch["text"] for batch in batches] == [[b"a", b"b"], [b"c", b"d"], [b"e"]]
    assert _batches("r.csv", "x=r.csv:u,v", size=9)[0].keys() == {"x", "n"}


@pytest.mark.usefixtures("folder")
def test_values_that_are_not_cut_come_with_each_batch() -> None:
    batches = _batches("scale=3", "table=[[1,2],[3,4]]", "n=[1,2,3]")
    assert [b["n"] for b in batches] == [[1, 2], [3]]
    assert all(b["scale"] == 3 and b["table"] == [[1, 2], [3, 4]] for b in batches)
    assert _batches("scale=3", "any=4") == [{"scale": 3, "any": 4}]
    assert [b["any"] for b in _batches("any=[1,2,3]")] == [[1, 2], [3]]


@pytest.mark.usefixtures("folder")
def test_images() -> None:
    for arguments in (["image=*.png"], ["image=."], [f"image={k}.png" for k in range(3)]):
        first, second = _batches(*arguments)
        assert np.shape(first["image"]) == (2, 4, 5, 3)
        assert np.array(second["image"]) == pytest.approx(2 / 255)


def test_sparse() -> None:
    value = {"indices": [[0, 1], [2, 0]], "values": [5, 6], "dense_shape": [3, 2]}
    batches = _batches(f"sparse={json.dumps(value)}")
    dense = [tf.sparse.to_dense(batch["sparse"]).numpy().tolist() for batch in batches]
    assert dense == [[[0, 5], [0, 0]], [[6, 0]]]


@pytest.mark.usefixtures("folder")
def test_all_at_once() -> None:
    sources = parse_inputs(["x=x.npy", "n=[1]"], _INFOS, lambda name: [4, 5])
    values = values_of(sources)
    assert (values["x"].shape, values["n"].shape) == ([5, 2], [1])
    assert _batches() == [{}]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["y=1"], r"There is no input 'y': the inputs are 'x': float32 \[None"),
        (["x=1", "x=2"], "Input 'x' is given 2 times"),
        (["x=hello"], "'hello' is neither JSON nor a file"),
        (["x=x.npy:y.parquet"], "has one array, without a name"),
        (["x=no.npy"], "no file 'no.npy'"),
        (["image=no.png"], "no image file 'no.png'"),
        (["no.csv"], "no file 'no.csv'"),
        (["t.txt"], "'t.txt' does not name the inputs"),
        (["v.jsonl"], "'v.jsonl', line 1: expected an object"),
        (["one.npz"], "'one.npz' has none of the inputs 'x', .* are 'anything'"),
        (["x=xn.npz:z"], "no array 'z', only 'x', 'n', 'other'"),
        (["x=t.txt:a"], "'t.txt' has no columns"),
        (["x=r.csv:u,w"], "no column 'w'"),
        (["text=t.txt", "n=[1,2]"], "the JSON of input 'n' has 2, and 't.txt' has more"),
        (["text=t.txt", "x=v.jsonl", "n=r.csv:id", "any=[1]"], "has 1, and"),
        (["n=x.npy"], r"In 'x.npy', input 'n': expected int32 \[None\], found float64"),
        (["n=[1,2.5]"], "the JSON of input 'n', row 2, input 'n'"),
        (["scale=[1]"], r"expected float32 \[\]"),
        (["sparse=[[1]]"], "sparse int32"),
        (["x=pickled.npy"], "Save strings as an array"),
        (["x=broken.npy"], "'broken.npy' is not a file of arrays"),
        (["x=broken.npz"], "'broken.npz' is not a file of arrays"),
        (["x=broken.json"], "'broken.json' is no JSON"),
        (["x=" + "[" * 10**5], "nested too deeply|neither JSON"),
    ],
    ids=range(24),
)  # fmt: skip
def test_bad_arguments(folder: Path, arguments: list[str], message: str) -> None:
    np.save("pickled.npy", np.array(["a", 1], object), allow_pickle=True)
    for suffix in "npy", "npz", "json":
        (folder / f"broken.{suffix}").write_bytes(b"PK\x03\x04 and nothing that follows")
    with pytest.raises(compat_hub.HubError, match=message):
        _batches(*arguments)
