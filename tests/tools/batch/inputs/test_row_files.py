from __future__ import annotations

import bz2
import gzip
import importlib
import io
import lzma
import sys
import zipfile
from pathlib import Path
from typing import Any

import pyarrow
import pytest
import tensorflow as tf

import compat_hub
from compat_hub.format.tensor_info import TensorInfo
from compat_hub.tools.batch.inputs.arguments import parse_inputs
from compat_hub.tools.batch.inputs.row_files import Reading, RowFile
from compat_hub.tools.batch.inputs.sources import batches_of

parquet = importlib.import_module("pyarrow.parquet")


def _info(dtype: tf.DType, *shape: int | None) -> TensorInfo:
    return TensorInfo(tf.TensorSpec(shape, dtype), ("x:0",))


_INFOS = {
    "number": _info(tf.float32, None),
    "count": _info(tf.int64, None),
    "flag": _info(tf.bool, None),
    "text": _info(tf.string, None),
    "vector": _info(tf.float32, None, 2),
    "column": _info(tf.float32, None, 1),
    "wave": _info(tf.complex64, None),
}
_TABLE = 'x,y,text,v,flag\n1,2,"a\nb","[3, 4]",TRUE\n\n5.5,-7,,"[0,0]",0\n'


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _write(name: str, content: str | bytes) -> None:
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())


def _read(*arguments: str, keep: Any = (), infos: Any = _INFOS, **reading: Any) -> dict[str, Any]:
    """All values, and the columns that are kept."""
    sources = parse_inputs(arguments, infos, lambda name: [1, 1], Reading(**reading), keep)
    (batch,) = batches_of(sources, 0)
    return {**{name: value.numpy().tolist() for name, value in batch.values.items()}, **batch.kept}


def test_texts() -> None:
    _write("a.txt", "\ufeffone\r\n\n wörld \nlast")
    assert _read("text=a.txt") == {"text": [b"one", b"", " wörld ".encode(), b"last"]}
    assert RowFile("a.txt", Reading()).count() == 4


def test_json_lines() -> None:
    _write("a.jsonl", '{"a": [1, 2], "text": "x", "n": 1}\n\n{"text": "y", "a": [3, 4]}\n')
    expected = {"vector": [[1, 2], [3, 4]], "text": [b"x", b"y"]}
    assert _read("vector=a.jsonl:a", "text=a.jsonl") == expected
    assert _read("a.jsonl", keep=["n"]) == {"text": [b"x", b"y"], "n": [1, None]}
    _write("a.jsonl", "[1, 2]\n[3, 4]\n")
    assert _read("vector=a.jsonl") == {"vector": [[1, 2], [3, 4]]}
    _write("a.jsonl", '{"a": 1, "b": 2}\n{"b": 4, "a": 3}\n')
    assert _read("vector=a.jsonl:a:b") == {"vector": [[1, 2], [3, 4]]}


def test_csv() -> None:
    _write("a.csv", _TABLE)
    columns = ["number=a.csv:x", "count=a.csv:y", "a.csv", "vector=a.csv:v", "column=a.csv:x"]
    assert _read(*columns) == {
        "number": [1, 5.5],
        "count": [2, -7],
        "text": [b"a\nb", b""],
        "flag": [True, False],
        "vector": [[3, 4], [0, 0]],
        "column": [[1], [5.5]],
    }
    assert _read("vector=a.csv:x,y", keep=["flag", "v"]) == {
        "vector": [[1, 2], [5.5, -7]],
        "flag": ["TRUE", "0"],
        "v": ["[3, 4]", "[0,0]"],
    }
    _write("a.csv", "text\nNA\n\nnan\n")  # texts are as they are, an empty one too
    assert _read("text=a.csv") == {"text": [b"NA", b"", b"nan"]}


def test_numbers_are_exact() -> None:
    _write("a.csv", "n,x,w\n9007199254740993,0.1,1+2j\n-9223372036854775808,1e-45,0\n")
    found = _read("count=a.csv:n", "number=a.csv:x", "wave=a.csv:w")
    assert found["count"] == [2**53 + 1, -(2**63)]
    assert found["number"] == tf.constant([0.1, 1e-45]).numpy().tolist()
    assert found["wave"] == [1 + 2j, 0]


def test_delimiters_and_encodings() -> None:
    _write("a.tsv", "x\ttext\n1\ta, b\n")
    assert _read("number=a.tsv:x", "a.tsv") == {"number": [1], "text": [b"a, b"]}
    _write("a.csv", "x;text\n1;a, b\n")
    assert _read("text=a.csv", delimiter=";") == {"text": [b"a, b"]}
    for encoding in "cp1252", "utf-16", "utf-8":
        _write("a.csv", "id,text\n1,é\n".encode(encoding))
        assert _read("a.csv", encoding=encoding) == {"text": ["é".encode()]}
    _write("a.csv", "x;text\n1;a\n")
    with pytest.raises(compat_hub.InputTypeError, match=r"no column 'text'.*pass --delimiter ';'"):
        _read("text=a.csv")
    for wrong in {"encoding": "utf-9"}, {"delimiter": "ab"}, {"encoding": "base64"}:
        with pytest.raises(compat_hub.InputTypeError, match=r"encoding|delimiter"):
            Reading(**wrong)


@pytest.mark.parametrize("suffix", ["gz", "bz2", "xz", "zip", "zst"])
def test_packed_files(suffix: str) -> None:
    rows = [f"{k},{k**8}" for k in range(200)]
    content = "\n".join(["text,count", *rows]).encode()
    pack: Any = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}.get(suffix)
    if suffix == "zip":
        with zipfile.ZipFile("a.csv.zip", "w") as file:
            file.writestr("inside.csv", content)
    elif suffix == "zst":
        with pyarrow.output_stream("a.csv.zst", compression="zstd") as file:
            file.write(content)
    else:
        _write(f"a.csv.{suffix}", pack(content))
    found = _read(f"a.csv.{suffix}")
    assert found["count"] == [k**8 for k in range(200)]
    packed = Path(f"a.csv.{suffix}").read_bytes()
    _write(f"a.csv.{suffix}", packed[: len(packed) // 2])
    with pytest.raises(compat_hub.ResolveError, match=f"a.csv.{suffix}' cannot be read"):
        _read(f"text=a.csv.{suffix}")


@pytest.mark.parametrize(
    ("format_", "content", "expected"),
    [
        ("csv", b"text,n\na,1\n", {"text": [b"a"], "n": ["1"]}),
        ("jsonl", b'{"text": "a", "n": 1}\n', {"text": [b"a"], "n": [1]}),
        ("txt", b"a\n", {"text": [b"a"]}),
    ],
)
def test_standard_input(
    format_: str, content: bytes, expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    only = {"text": _INFOS["text"]}
    for argument in "-", "text=-":
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        keep = [] if format_ == "txt" else ["n"]
        assert _read(argument, keep=keep, infos=only, format=format_) == expected
    with pytest.raises(compat_hub.InputTypeError, match=r"standard input .* Pass --format"):
        _read("text=-")


def test_parquet() -> None:
    columns = {
        "text": ["a", "b"],
        "n": [2**53 + 1, 1],
        "v": [[1.0, 2.0], [3.0, 4.0]],
        "x": [0.5, 1.5],
        "gap": [1, None],
        "raw": [b"\xff", b"a"],
    }
    parquet.write_table(pyarrow.table(columns), "a.parquet")
    found = _read("a.parquet", "count=a.parquet:n", "vector=a.parquet:v", keep=["n", "gap"])
    assert found == {
        "text": [b"a", b"b"],
        "count": columns["n"],
        "vector": columns["v"],
        "n": columns["n"],
        "gap": [1, None],
    }
    assert _read("vector=a.parquet:x,n")["vector"][1] == [1.5, 1]
    assert _read("text=a.parquet:raw") == {"text": [b"\xff", b"a"]}
    assert RowFile("a.parquet", Reading()).count() == 2
    for argument, message in (
        ("number=a.parquet:gap", "'a.parquet', row 2, input 'number': .* found null"),
        ("count=a.parquet:x", "'a.parquet', row 1, input 'count': .* found 0.5"),
        ("number=a.parquet:y", "no column 'y'"),
    ):
        with pytest.raises(compat_hub.InputTypeError, match=message):
            _read(argument)
    _write("a.parquet", "PAR1 and no more")
    with pytest.raises(compat_hub.InputTypeError, match="is no Parquet file"):
        _read("text=a.parquet")


def test_without_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    _write("a.parquet", "PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(compat_hub.ResolveError, match="needs pyarrow: pip install 'pyarrow"):
        _read("text=a.parquet")


@pytest.mark.parametrize(
    ("name", "content", "argument", "message"),
    [
        ("a.txt", b"ok\n" * 5000 + b"caf\xe9\n", "text=a.txt",
         "line 5001: this is no text in utf-8: the byte 0xe9 after 'caf'.*--encoding cp1252"),
        ("a.csv", b"text,x\na,1\n\xe9,1\n", "text=a.csv", "line 3: this is no text in utf-8"),
        ("a.jsonl", "{}\n{", "text=a.jsonl", "line 2: this is no JSON"),
        ("a.jsonl", "[" * 10**5, "text=a.jsonl", "line 1: this is no JSON"),
        ("a.jsonl", '{"a": 1}\n{"b": 1}\n', "count=a.jsonl:a", "line 2, input 'count'.* key 'a'"),
        ("a.jsonl", "[1]\n", "count=a.jsonl:a", "line 1, input 'count'"),
        ("a.csv", "", "text=a.csv", "line 1: expected the names"),
        ("a.csv", "a,a\n1,2\n", "text=a.csv:a", r"the columns \['a'\] are there twice"),
        ("a.csv", "a,b\n1,2\n", "text=a.csv:c", "no column 'c'. The columns are 'a', 'b'"),
        ("a.csv", "a,b\n1,2\n1\n", "text=a.csv:a", "line 3: expected 2 cells, found 1"),
        ("a.csv", 'a\n"1\n2\n', "text=a.csv:a", "line 2: unexpected end of data"),
        ("a.csv", "a,b\n1,2\n1,x\n", "count=a.csv:b", "line 3, column 'b': expected int64"),
        ("a.csv", "a,b\n1,\n", "number=a.csv:b", "line 2, column 'b': expected float32, found ''"),
        ("a.csv", "a\n1.5\n", "count=a.csv:a", "line 2, column 'a': expected int64, found '1.5'"),
        ("a.csv", "a\nmaybe\n", "flag=a.csv:a", "expected bool, found 'maybe'"),
        ("a.csv", "a\n1 2\n", "vector=a.csv:a", "expected JSON for a row of float32"),
        ("a.csv", 'a,b\n"\n",1\n1,x\n', "vector=a.csv:b,b", "line 4, column 'b'"),
    ],
    ids=range(17),
)  # fmt: skip
def test_bad_lines(name: str, content: Any, argument: str, message: str) -> None:
    _write(name, content)
    with pytest.raises(compat_hub.InputTypeError, match=f"{name}', .*{message}"):
        _read(argument)


@pytest.mark.parametrize("suffix", ["txt", "csv", "jsonl"])
def test_files_that_cannot_be_read(suffix: str) -> None:
    Path(f"a.{suffix}").mkdir()
    with pytest.raises(compat_hub.ResolveError, match="cannot be read"):
        list(RowFile(f"a.{suffix}", Reading()).rows([]))
