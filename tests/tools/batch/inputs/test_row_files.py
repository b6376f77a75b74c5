from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

import compat_hub
from compat_hub.format.tensor_info import TensorInfo
from compat_hub.tools.batch.inputs.row_files import columns_of, count_rows, read_rows


def _info(dtype: tf.DType, *shape: int | None) -> TensorInfo:
    return TensorInfo(tf.TensorSpec(shape, dtype), ("x:0",))


_INFOS = {
    "number": _info(tf.float32, None),
    "count": _info(tf.int32, None),
    "flag": _info(tf.bool, None),
    "text": _info(tf.string, None),
    "vector": _info(tf.float32, None, 2),
}


def _rows(path: Path, content: str | bytes, **columns: Any) -> list[tuple[int, dict[str, Any]]]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_rows(str(path), columns, _INFOS))


def test_texts(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    rows = _rows(path, "\ufeffone\r\n\n wörld \nlast", text=None)
    assert rows == [(k, {"text": t}) for k, t in enumerate(["one", "", " wörld ", "last"], 1)]
    assert count_rows(str(path)) == 4


def test_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    content = '{"a": [1, 2], "text": "x"}\n\n{"text": "y", "a": [3]}\n'
    rows = _rows(path, content, vector=["a"], text=["text"])
    assert rows == [(1, {"vector": [1, 2], "text": "x"}), (3, {"vector": [3], "text": "y"})]
    assert columns_of(str(path)) == ["a", "text"]
    assert _rows(path, "[1]\n2\n", vector=None) == [(1, {"vector": [1]}), (2, {"vector": 2})]


def test_csv(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    content = 'x,y,text,v,flag\n1,2,"a\nb","[3, 4]",TRUE\n\n5.5,-7,,"[0,0]",0\n'
    columns = {"number": ["x"], "count": ["y"], "text": None, "flag": None, "vector": ["v"]}
    first = {"number": 1.0, "count": 2, "text": "a\nb", "flag": True, "vector": [3, 4]}
    second = {"number": 5.5, "count": -7, "text": "", "flag": False, "vector": [0, 0]}
    assert _rows(path, content, **columns) == [(2, first), (5, second)]
    assert _rows(path, content, vector=["x", "y"]) == [
        (2, {"vector": [1.0, 2.0]}),
        (5, {"vector": [5.5, -7.0]}),
    ]
    assert columns_of(str(path)) == ["x", "y", "text", "v", "flag"]
    assert _rows(path, "text\na\n\nb\n", text=None)[1] == (3, {"text": ""})  # an empty text


@pytest.mark.parametrize(
    ("name", "content", "columns", "message"),
    [
        ("a.txt", b"ok\n\xff\n", {"text": None}, "line 1 or soon after: this is no UTF-8"),
        ("a.jsonl", "{}\n{", {"text": None}, "line 2: this is no JSON"),
        ("a.jsonl", "[" * 10**5, {"text": None}, "line 1: this is no JSON"),
        ("a.jsonl", '{"a": 1}\n{"b": 1}\n', {"count": ["a"]}, "line 2, input 'count'.* key 'a'"),
        ("a.jsonl", "[1]\n", {"count": ["a"]}, "line 1, input 'count'"),
        ("a.csv", "", {"text": None}, "line 1: expected the names"),
        ("a.csv", "a,a\n1,2\n", {"text": ["a"]}, r"the columns \['a'\] are there twice"),
        ("a.csv", "a,b\n1,2\n", {"text": ["c"]}, "no column 'c'. The columns are 'a', 'b'"),
        ("a.csv", "a,b\n1,2\n1\n", {"text": ["a"]}, "line 3: expected 2 cells, found 1"),
        ("a.csv", 'a\n"1\n2\n', {"text": ["a"]}, "line 2: unexpected end of data"),
        ("a.csv", "a,b\n1,2\n1,x\n", {"count": ["b"]}, "line 3, column 'b': expected int32"),
        ("a.csv", "a\n1.5\n", {"count": ["a"]}, "line 2, column 'a': expected int32, found '1.5'"),
        ("a.csv", "a\nmaybe\n", {"flag": ["a"]}, "expected bool, found 'maybe'"),
        ("a.csv", "a\n1 2\n", {"vector": ["a"]}, "expected JSON for a row of float32"),
    ],
    ids=range(14),
)
def test_bad_lines(tmp_path: Path, name: str, content: Any, columns: Any, message: str) -> None:
    with pytest.raises(compat_hub.InputTypeError, match=f"{name}', .*{message}"):
        _rows(tmp_path / name, content, **columns)


@pytest.mark.parametrize("suffix", ["txt", "csv", "jsonl"])
def test_files_that_cannot_be_read(tmp_path: Path, suffix: str) -> None:
    path = str(tmp_path / f"a.{suffix}")
    with pytest.raises(compat_hub.ResolveError, match="cannot be read"):
        list(read_rows(path, {"text": None}, _INFOS))
    with pytest.raises(compat_hub.ResolveError, match="cannot be read"):
        count_rows(path)
