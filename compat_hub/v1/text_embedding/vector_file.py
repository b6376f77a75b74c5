"""Reading a file of `token v1 v2 ...` lines, never all of it at once."""

from __future__ import annotations

import array
import codecs
import dataclasses
import gzip
import hashlib
import itertools
import os
import zlib
from collections.abc import Iterator, Sequence
from typing import NoReturn

import numpy as np
import tensorflow as tf

from compat_hub.errors import ModuleFormatError, ResolveError

_GZIP_MAGIC = b"\x1f\x8b"

# A line's number, from 1, and its content.
_Line = tuple[int, bytes]


class EmbeddingFileError(ModuleFormatError):
    """The file is not a text embedding that can be read."""


@dataclasses.dataclass(frozen=True)
class EmbeddingFile:
    """What is in a file of vectors, besides the vectors.

    Attributes:
        path: Where it is.
        num_tokens: How many tokens it has, each with a vector.
        dimensions: How many values each vector has.
        has_header: Whether its first line is `count dimensions`.
        digest: A digest of all tokens in their order.
    """

    path: str
    num_tokens: int
    dimensions: int
    has_header: bool
    digest: str


def scan(
    path: str | os.PathLike[str], vocabulary_path: str, header: bool | None = None
) -> EmbeddingFile:
    """Reads a file's tokens and writes them to a vocabulary file.

    Of each token 8 bytes are kept in memory.

    Args:
        path: The file, on any filesystem of `tf.io.gfile`; it may be compressed by gzip.
        vocabulary_path: The file to write, with one token in a line.
        header: Whether the first line is `count dimensions`, as word2vec writes it. None takes it
            for that if it is two whole numbers and the second line has as many values as the
            second number says.

    Returns:
        What is in the file. The values are not read yet.

    Raises:
        ResolveError: There is no such file.
        EmbeddingFileError: It is empty, or a token is malformed or there twice.
    """
    path = os.fspath(path)
    lines = _read_lines(path)
    start = list(itertools.islice(lines, 2))
    if not start:
        raise EmbeddingFileError(f"The file {path!r} is empty. It needs `token v1 v2 ...` lines.")
    has_header = _is_header(start) if header is None else header
    if has_header and (len(start) < 2 or _header_fields(start[0]) is None):
        _fail(path, 1, "expected a header, `count dimensions`, and vectors below", start[0][1])
    body = itertools.chain(start[int(has_header) :], lines)
    number, line = start[int(has_header)]
    dimensions = len(line.split()) - 1
    if not dimensions:
        _fail(path, number, "expected a token and its values", line)
    hashes = array.array("q")
    digest = hashlib.sha256()
    with open(vocabulary_path, "wb") as vocabulary:
        for number, line in body:
            token = line.split(None, 1)[0]
            try:
                token.decode()
            except UnicodeDecodeError as error:
                reason = f"the token is not UTF-8 ({error.reason}), convert the file with iconv"
                _fail(path, number, reason, line)
            hashes.append(hash(token))
            digest.update(token + b"\n")
            vocabulary.write(token + b"\n")
    file = EmbeddingFile(path, len(hashes), dimensions, has_header, digest.hexdigest())
    _check_header(file, start[0])
    _check_duplicates(file, np.frombuffer(hashes, np.int64), vocabulary_path)
    return file


def read_vectors(file: EmbeddingFile, rows: int) -> Iterator[np.ndarray]:
    """Reads the vectors in blocks.

    Args:
        file: What `scan` gave.
        rows: How many vectors a block has; the last one has those that are left.

    Yields:
        Arrays of dtype float32 and shape [rows, dimensions]. The next one takes the place of the
        one before.

    Raises:
        EmbeddingFileError: A line has another number of values, or one that is not a finite number.
    """
    block = np.empty([min(rows, file.num_tokens), file.dimensions], np.float32)
    filled = done = 0
    for number, line in itertools.islice(_read_lines(file.path), int(file.has_header), None):
        if done == file.num_tokens:
            raise _changed(file)
        _parse(file, number, line, block[filled])
        filled, done = filled + 1, done + 1
        if filled == len(block) or done == file.num_tokens:
            _check_finite(file, number - filled + 1, block[:filled])
            yield block[:filled]
            filled = 0
    if done < file.num_tokens:
        raise _changed(file)


def _read_lines(path: str) -> Iterator[_Line]:
    """The lines up to the last one that is not blank."""
    number, blank = 0, 0
    try:
        with tf.io.gfile.GFile(path, "rb") as raw:
            is_compressed = raw.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
            raw.seek(0)
            for number, line in enumerate(gzip.GzipFile(fileobj=raw) if is_compressed else raw, 1):
                content = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
                if content.isspace() or not content:
                    blank = blank or number
                    continue
                if blank:
                    _fail(path, blank, "the line is blank, and others follow", b"")
                yield number, content
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise EmbeddingFileError(
            f"The file {path!r} is damaged after line {number}: {error}. Get a fresh copy of it."
        ) from error
    except tf.errors.OpError as error:
        raise ResolveError(
            f"The file {path!r} cannot be read: {error.message}. Check the path."
        ) from error


def _header_fields(line: _Line) -> tuple[int, int] | None:
    fields = line[1].split()
    if len(fields) != 2 or not all(field.isdigit() for field in fields):
        return None
    return int(fields[0]), int(fields[1])


def _is_header(start: Sequence[_Line]) -> bool:
    fields = _header_fields(start[0])
    return fields is not None and len(start) > 1 and len(start[1][1].split()) - 1 == fields[1]


def _check_header(file: EmbeddingFile, line: _Line) -> None:
    if not file.has_header:
        return
    found = (file.num_tokens, file.dimensions)
    if _header_fields(line) != found:
        reason = (
            f"the header has to be the number of vectors and of their values, {found[0]} "
            f"{found[1]}; the file is incomplete, or the line is a vector (then pass header=False)"
        )
        _fail(file.path, line[0], reason, line[1])


def _check_duplicates(file: EmbeddingFile, hashes: np.ndarray, vocabulary_path: str) -> None:
    ordered = np.sort(hashes)
    suspects = set(ordered[1:][ordered[1:] == ordered[:-1]].tolist())
    if not suspects:
        return
    seen: dict[bytes, int] = {}
    with open(vocabulary_path, "rb") as vocabulary:
        for number, line in enumerate(vocabulary, 1 + file.has_header):
            token = line.removesuffix(b"\n")
            if hash(token) not in suspects:
                continue
            if token in seen:
                reason = f"the token is there already, on line {seen[token]}; remove one of the two"
                _fail(file.path, number, reason, line)
            seen[token] = number


def _parse(file: EmbeddingFile, number: int, line: bytes, row: np.ndarray) -> None:
    token, *values = line.split()
    if len(values) != file.dimensions:
        reason = (
            f"expected a token and {file.dimensions} values, as on the line of the first vector, "
            f"found {len(values)} values (a token has no spaces in it)"
        )
        _fail(file.path, number, reason, line)
    try:
        with np.errstate(over="ignore"):  # infinite then, and refused with its line
            row[:] = values
    except ValueError:
        is_number = False
    else:
        is_number = b"_" not in line[len(token) :]  # float() takes 1_000
    if not is_number:
        wrong = next(value for value in values if not _is_number(value))
        reason = f"{wrong.decode(errors='backslashreplace')!r} is not a number"
        _fail(file.path, number, reason, line)


def _is_number(value: bytes) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return b"_" not in value


def _check_finite(file: EmbeddingFile, first: int, block: np.ndarray) -> None:
    """Raises where a value is infinite, not a number, or beyond float32."""
    finite = np.isfinite(block).all(axis=1)
    if not finite.all():
        row = int(np.argmin(finite))
        value = block[row][~np.isfinite(block[row])][0]
        _fail(file.path, first + row, f"a value is {value} in float32; all have to be finite", b"")


def _changed(file: EmbeddingFile) -> EmbeddingFileError:
    return EmbeddingFileError(
        f"The file {file.path!r} had {file.num_tokens} vectors at first, and another number when "
        "it was read again. Pass a file, not a pipe, and do not write to it meanwhile."
    )


def _fail(path: str, number: int, reason: str, line: bytes) -> NoReturn:
    start = line[:60].decode(errors="backslashreplace").rstrip()
    shown = f" The line begins with {start!r}." if start else ""
    raise EmbeddingFileError(f"In {path!r}, line {number}: {reason}.{shown}")
