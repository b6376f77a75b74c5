"""A module made from a file of word vectors, for which a text's embedding is that of its words."""

from __future__ import annotations

import contextlib
import math
import numbers
import os
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from compat_hub.common.progress import progress_bar
from compat_hub.errors import InputTypeError
from compat_hub.format.checkpoints.write_matrix import write_matrix
from compat_hub.format.writer import new_folder
from compat_hub.v1.authoring.create_spec import create_module_spec
from compat_hub.v1.text_embedding.graph import COMBINERS, VARIABLE, build_graph
from compat_hub.v1.text_embedding.vector_file import (
    EmbeddingFile,
    EmbeddingFileError,
    read_vectors,
    scan,
)

__all__ = ["EmbeddingFileError", "export"]

_VOCABULARY = "tokens.txt"
_BLOCK_BYTES = 32 * 2**20


def export(
    embedding_file: str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    num_oov_buckets: int = 1,
    preprocess_text: bool = True,
    lowercase: bool = False,
    combiner: str = "sqrtn",
    oov_stddev: float = 0.0,
    seed: int = 0,
    header: bool | None = None,
    progress: bool = False,
) -> str:
    r"""Writes a module in TF1 Hub format that embeds texts by the vectors of their words.

    Its signature `default` takes `sentences`, a string tensor of shape [batch], and gives
    `default`, a float32 tensor of shape [batch, dimensions]: the common signature of the kind
    `"text_embedding"`. A sentence is split at whitespace, and the vectors of its tokens are
    combined. A sentence without tokens gets the zero vector. The vectors are one trainable
    variable, `embeddings`, of shape [tokens + num_oov_buckets, dimensions].

    The file is read twice. Its vectors are never in memory together, so they may be larger than it.

    Examples:
        >>> with open("pets.txt", "w") as file:
        ...     _ = file.write("cat 1.0 0.5\ndog 0.0 2.0\n")
        >>> compat_hub.text_embedding.export("pets.txt", "pets_embedding")
        'pets_embedding'
        >>> compat_hub.load("pets_embedding")(["cat", "dog!"]).numpy()
        array([[1. , 0.5],
               [0. , 2. ]], dtype=float32)

    Args:
        embedding_file: A file in UTF-8, on any filesystem of `tf.io.gfile`, or one compressed by
            gzip: on each line a token and the values of its vector, with spaces or tabs between
            them, the same number of values on all lines.
        path: The folder to make, on any filesystem of `tf.io.gfile`. It may be there and empty.
        num_oov_buckets: How many vectors there are for tokens that the file lacks, which are
            distributed among them by a hash. With 0, such tokens are left out.
        preprocess_text: Whether to remove all punctuation from sentences (what Unicode takes for
            such: the regular expression `\pP`). Then tokens of the file with punctuation in them
            are never found.
        lowercase: Whether to turn sentences to lower case, in all of Unicode.
        combiner: What the vectors of a sentence's tokens become: their `"sum"`, their `"mean"`, or
            their sum divided by the square root of their number, `"sqrtn"`.
        oov_stddev: The standard deviation of the normal distribution that the vectors of
            out-of-vocabulary buckets are drawn from; with 0.0 they are zeros.
        seed: The seed for drawing them.
        header: Whether the first line of the file is `count dimensions`, as word2vec writes it.
            None takes it for that if it is two whole numbers and the second line has as many
            values as the second number says.
        progress: Whether to show a progress bar on the standard error, or one line where that is
            no terminal.

    Returns:
        The path.

    Raises:
        ResolveError: There is no such file, or the folder cannot be written.
        EmbeddingFileError: A line of the file is malformed; the message has its number. It is a
            `ModuleFormatError`, and nothing is written.
        PathExistsError: There is something at `path` already.
        InputTypeError: A number is out of range, or there is no such combiner.
    """
    _check_arguments(num_oov_buckets, oov_stddev, seed, combiner)
    _check_path(path)
    with tempfile.TemporaryDirectory() as folder:
        vocabulary = os.path.join(folder, _VOCABULARY)
        file = scan(embedding_file, vocabulary, header)

        def build() -> None:
            build_graph(file, vocabulary, num_oov_buckets, preprocess_text, lowercase, combiner)

        def save_variables(prefix: str) -> None:
            shape = (file.num_tokens + num_oov_buckets, file.dimensions)
            with progress_bar(f"Vectors of {file.path}", file.num_tokens, progress) as advance:
                blocks = _blocks(file, num_oov_buckets, oov_stddev, seed, advance)
                write_matrix(prefix, VARIABLE, shape, blocks)

        return create_module_spec(build).write(path, save_variables)


def _blocks(
    file: EmbeddingFile,
    num_oov_buckets: int,
    oov_stddev: float,
    seed: int,
    advance: Callable[[int], None],
) -> Iterator[np.ndarray]:
    rows = max(1, _BLOCK_BYTES // (4 * file.dimensions))
    for block in read_vectors(file, rows):
        yield block
        advance(len(block))
    random = np.random.default_rng(seed)
    for start in range(0, num_oov_buckets, rows):
        shape = [min(rows, num_oov_buckets - start), file.dimensions]
        yield (
            np.float32(oov_stddev) * random.standard_normal(shape, np.float32)
            if oov_stddev
            else np.zeros(shape, np.float32)
        )


def _check_arguments(num_oov_buckets: int, oov_stddev: float, seed: int, combiner: str) -> None:
    whole: dict[str, Any] = {"num_oov_buckets": num_oov_buckets, "seed": seed}
    for name, value in whole.items():
        if not isinstance(value, numbers.Integral) or value < 0:
            raise InputTypeError(f"`{name}` has to be a whole number of at least 0, found {value}.")
    if not 0 <= oov_stddev < math.inf:
        raise InputTypeError(f"`oov_stddev` has to be finite and at least 0, found {oov_stddev}.")
    if combiner not in COMBINERS:
        raise InputTypeError(
            f"`combiner` has to be one of {', '.join(map(repr, COMBINERS))}, found {combiner!r}."
        )


class _Stop(Exception):  # noqa: N818
    """Nothing is wrong."""


def _check_path(path: str | os.PathLike[str]) -> None:
    """Raises what writing there will raise, before a large file is read in vain."""
    with contextlib.suppress(_Stop), new_folder(path):
        raise _Stop
