from __future__ import annotations

import gzip
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from compat_hub.v1.text_embedding import vector_file
from compat_hub.v1.text_embedding.vector_file import (
    EmbeddingFile,
    EmbeddingFileError,
    read_vectors,
    scan,
)


@pytest.fixture
def write(tmp_path: Path):
    """Writes a file and returns its path."""

    def write(content: bytes | str, name: str = "vectors.txt") -> str:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


@pytest.fixture
def vocabulary(tmp_path: Path) -> Path:
    return tmp_path / "tokens.txt"


def _read(path: str, vocabulary: Path, header: bool | None = None) -> np.ndarray:
    file = scan(path, str(vocabulary), header)
    return np.concatenate([block.copy() for block in read_vectors(file, 2)])


def test_tokens_and_vectors(write, vocabulary: Path) -> None:
    path = write("cat 1.0 -0.5\nüber\t2e-3  +4\n東京 5 6 \n")
    file = scan(path, str(vocabulary))
    assert (file.path, file.num_tokens, file.dimensions, file.has_header) == (path, 3, 2, False)
    assert vocabulary.read_text("utf-8") == "cat\nüber\n東京\n"
    blocks = [block.copy() for block in read_vectors(file, 2)]
    assert [block.shape for block in blocks] == [(2, 2), (1, 2)]
    assert blocks[0].dtype == np.float32
    np.testing.assert_allclose(np.concatenate(blocks), [[1, -0.5], [0.002, 4], [5, 6]], rtol=1e-6)


def test_the_digest_tells_tokens_and_not_vectors(write, vocabulary: Path) -> None:
    digests = [
        scan(write(text), str(vocabulary)).digest
        for text in ("a 1\nb 2\n", "a 3\nb 4\n", "b 1\na 2\n", "a 1\nbb 2\n")
    ]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


@pytest.mark.parametrize(
    "content",
    [
        b"a 1 2\r\nb 3 4\r\n",
        b"a 1 2\nb 3 4",
        b"a 1 2\nb 3 4\n\n \n\t\n",
        b"\xef\xbb\xbfa 1 2\nb 3 4\n",
        gzip.compress(b"a 1 2\nb 3 4\n", mtime=0),
        gzip.compress(b"a 1 2\n", mtime=0) + gzip.compress(b"b 3 4\n", mtime=0),
        b"2 2\na 1 2\nb 3 4\n",
    ],
    ids=["crlf", "no newline", "blank at the end", "bom", "gzip", "two gzip members", "header"],
)
def test_ways_to_write_the_same_file(write, vocabulary: Path, content: bytes) -> None:
    vectors = _read(write(content), vocabulary)
    np.testing.assert_array_equal(vectors, [[1, 2], [3, 4]])
    assert vocabulary.read_bytes() == b"a\nb\n"


def test_on_another_filesystem(vocabulary: Path) -> None:
    path = "ram://test_embedding_file/vectors.txt.gz"
    tf.io.gfile.makedirs("ram://test_embedding_file")
    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(gzip.compress(b"a 1 2\nb 3 4\n"))
    np.testing.assert_array_equal(_read(path, vocabulary), [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("content", "header", "num_tokens", "dimensions", "has_header"),
    [
        ("2 3\na 1 2 3\nb 4 5 6\n", None, 2, 3, True),
        ("2 3\na 1 2 3\nb 4 5 6\n", True, 2, 3, True),
        ("2 1\na 1\nb 4\n", None, 2, 1, True),
        ("2 1\n3 1\n", False, 2, 1, False),
        ("2 7\n3 8\n", None, 2, 1, False),  # two numbers as tokens, each with a value
        ("2 0.5\n3 0.25\n", None, 2, 1, False),
        ("1 1\n", None, 1, 1, False),
    ],
)
def test_headers(
    write,
    vocabulary,
    content: str,
    header: bool | None,
    num_tokens: int,
    dimensions: int,
    has_header,
) -> None:
    file = scan(write(content), str(vocabulary), header)
    assert (file.num_tokens, file.dimensions, file.has_header) == (
        num_tokens,
        dimensions,
        has_header,
    )
    assert sum(len(block) for block in read_vectors(file, 100)) == num_tokens


@pytest.mark.parametrize(
    ("content", "line", "expected"),
    [
        ("a 1 2\nb 3\n", 2, "expected a token and 2 values.* found 1 values.* begins with 'b 3'"),
        ("a 1 2\nb 3 4 5\n", 2, "expected a token and 2 values.* found 3"),
        ("a 1 2\nb\n", 2, "expected a token and 2 values.* found 0"),
        ("a 1 2\nb 3 4\n 5 6\n", 3, "found 1 values"),
        ("a\nb\n", 1, "expected a token and its values"),
        ("a 1 2\nb 3 x\n", 2, "'x' is not a number"),
        ("a 1 2\nb 3 1_000\n", 2, "'1_000' is not a number"),
        ("a 1 2\nb_b 3 4\nc 1,5 2\n", 3, "'1,5' is not a number"),
        ("a 1 2\nb 3 nan\n", 2, "a value is nan in float32"),
        ("a 1 2\nb 3 4\nc inf 4\n", 3, "a value is inf in float32"),
        ("a 1 2\nb 3 4\nc 4 5\nd 1 -1e39\n", 4, "a value is -inf in float32"),
        ("a 1 2\nb 3 4\na 5 6\n", 3, "the token is there already, on line 1"),
        ("3 2\na 1 2\nb 3 4\nb 5 6\n", 4, "the token is there already, on line 3"),
        ("a 1 2\n\nb 3 4\n", 2, "the line is blank"),
        ("\n\na 1 2\n", 1, "the line is blank"),
        (b"a 1 2\nb\xff 3 4\n", 2, r"the token is not UTF-8.* begins with 'b\\\\xff 3 4'"),
        (b"a 1 2\nb 3 \xff\n", 2, "is not a number"),
        ("3 2\na 1 2\nb 3 4\n", 1, "the header has to be .* 2 2; the file is incomplete"),
        ("2 1\n3 1\n", 1, "the header has to be .* 1 1; .*header=False"),
    ],
)
def test_malformed_lines(write, vocabulary: Path, content: bytes, line: int, expected: str) -> None:
    path = write(content)
    with pytest.raises(EmbeddingFileError, match=expected) as caught:
        _read(path, vocabulary)
    assert str(caught.value).startswith(f"In {path!r}, line {line}: ")
    assert isinstance(caught.value, compat_hub.ModuleFormatError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["a 1 2\nb 3 4\n", "2 2\n", "2 x\na 1 2\n", "2 2 2\na 1 2\n"])
def test_a_header_that_is_none(write, vocabulary: Path, content: str) -> None:
    with pytest.raises(EmbeddingFileError, match=r"line 1: expected a header, `count dimensions`"):
        scan(write(content), str(vocabulary), header=True)


@pytest.mark.parametrize("content", [b"", b"\n\n", gzip.compress(b"", mtime=0)])
def test_an_empty_file(write, vocabulary: Path, content: bytes) -> None:
    with pytest.raises(EmbeddingFileError, match="is empty"):
        scan(write(content), str(vocabulary))


@pytest.mark.parametrize("damage", ["truncated", "garbled"])
def test_a_damaged_archive(write, vocabulary: Path, damage: str) -> None:
    lines = b"".join(b"token%d %d %d\n" % (k, k * 7919, k) for k in range(5000))
    packed = bytearray(gzip.compress(lines))
    if damage == "truncated":
        packed = packed[: len(packed) // 2]
    else:
        packed[len(packed) // 2 :] = bytes(len(packed) // 2)
    with pytest.raises(EmbeddingFileError, match=r"damaged after line \d+"):
        _read(write(bytes(packed)), vocabulary)


def test_a_file_that_is_missing_or_a_folder(tmp_path: Path, vocabulary: Path) -> None:
    for path in (tmp_path / "none.txt", tmp_path):
        with pytest.raises(compat_hub.ResolveError, match=re.escape(str(path))) as caught:
            scan(path, str(vocabulary))
        assert isinstance(caught.value, OSError)


@pytest.mark.parametrize("content", ["a 1\n", "a 1\nb 2\nc 3\n"])
def test_a_file_that_changes_meanwhile(write, content: str) -> None:
    path = write(content)
    with pytest.raises(EmbeddingFileError, match="had 2 vectors at first"):
        list(read_vectors(EmbeddingFile(path, 2, 1, False, ""), 10))


def test_hashes_that_collide_are_no_duplicates(write, vocabulary: Path, monkeypatch) -> None:
    monkeypatch.setattr(vector_file, "hash", len, raising=False)
    assert scan(write("a 1\nb 2\ncc 3\n"), str(vocabulary)).num_tokens == 3
    with pytest.raises(EmbeddingFileError, match="line 4: the token is there already, on line 2"):
        scan(write("a 1\nb 2\ncc 3\nb 4\n"), str(vocabulary))


def test_memory_stays_far_below_the_size_of_the_matrix(write, vocabulary: Path) -> None:
    line = b" ".join([b"0.125"] * 200) + b"\n"
    path = write(b"".join(b"token%d " % k + line for k in range(4000)))
    tracemalloc.start()
    try:
        file = scan(path, str(vocabulary))
        total = sum(float(block.sum()) for block in read_vectors(file, 100))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert total == 0.125 * 200 * 4000
    assert peak < 4 * 200 * 4000 / 4
