"""A signature of a module run on files, batch by batch."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from compat_hub.common.progress import progress_bar
from compat_hub.errors import HubError, InputTypeError, SignatureError
from compat_hub.format.spec import ModuleSpec, Tags
from compat_hub.format.tensor_info import TensorInfo
from compat_hub.tools.batch.inputs.arguments import parse_inputs
from compat_hub.tools.batch.inputs.row_files import Reading
from compat_hub.tools.batch.inputs.sources import Source, batches_of, values_of
from compat_hub.tools.batch.models import expected_image_size, find_signature
from compat_hub.tools.batch.outputs.files import check_names, check_output, open_output
from compat_hub.tools.batch.outputs.join_batches import array_of, rows_of
from compat_hub.tools.batch.outputs.kept_columns import as_json
from compat_hub.tools.batch.outputs.plain_values import plain_rows, plain_value

_BATCH_SIZE = 32
# For vectors of numbers: with 32, most of the time goes into calls. Other rows, such as texts and
# token ids, may need much memory within the model.
_MANY_ROWS = 1024
_LONG_ROW = 4096
_SHOWN = 6


@dataclasses.dataclass
class OutputSummary:
    """What came out under one name.

    Attributes:
        dtype: The dtype's name.
        shape: Of all batches together; None for sizes that differ between batches or rows.
        first: The first values.
    """

    dtype: str
    shape: list[int | None]
    first: list[Any]


@dataclasses.dataclass
class RunReport:
    """What `run` did.

    Attributes:
        handle: The module.
        signature: The signature's name.
        rows: How many rows there were, None where the inputs are not cut into rows.
        batches: How many calls were made.
        output: The file that was written, None without one.
        outputs: A summary by output name.
        values: All values by output name, as plain lists, where they were asked for.
        kept: The columns of the input that were kept, where values were asked for.
    """

    handle: str
    signature: str
    rows: int | None
    batches: int
    output: str | None
    outputs: dict[str, OutputSummary]
    values: dict[str, Any] | None
    kept: dict[str, list[Any]]

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON can hold it."""
        facts = dataclasses.asdict(self)
        del facts["values"]
        if not self.kept:
            del facts["kept"]
        for name, summary in facts["outputs"].items():
            del summary["first"]
            if self.values is not None:
                summary["values"] = self.values[name]
        return facts


def run(
    handle: str | os.PathLike[str] | ModuleSpec,
    inputs: Sequence[str],
    output: str | os.PathLike[str] | None = None,
    *,
    signature: str | None = None,
    tags: Tags = None,
    only: Sequence[str] = (),
    keep: Sequence[str] = (),
    batch_size: int | None = None,
    image_size: Sequence[int] | None = None,
    format: str | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    overwrite: bool = False,
    keep_values: bool = False,
    allow_host_access: bool = False,
    allow_links: bool = False,
    progress: bool = False,
) -> RunReport:
    """Runs a signature on files.

    Example:
        ```python
        from compat_hub.tools.batch.run import run

        report = run("path/to/module", ["text=reviews.txt"], "vectors.npz")
        print(report.outputs["default"].shape)
        ```

    Args:
        handle: A handle or a `ModuleSpec`. A plain SavedModel is taken, too.
        inputs: What `compat-hub run --input` takes.
        output: The file to write: `.npz`, `.npy`, `.jsonl`, `.csv`, `.tsv` or `.parquet`; nothing
            is written when None.
        signature: The signature's name; when None `"default"`, or what a plain SavedModel serves.
        tags: The variant, that for inference when None.
        only: Names of the outputs to compute, all of them when empty.
        keep: Columns of the input to write beside the outputs: names, ranges, patterns, `"*"` for
            all. The column of images is `"file"`.
        batch_size: How many rows a call gets, 0 for all of them in one call. With None it is what
            the signature asks for, otherwise 1024 where rows are short vectors of floats, and 32.
        image_size: `[height, width]` in pixels of images, what the module says when None.
        format: What the standard input has, and files whose name does not say: `"csv"`, `"tsv"`,
            `"txt"`, `"jsonl"` or `"parquet"`.
        delimiter: What stands between the cells of CSV files, a comma when None.
        encoding: That of text files, UTF-8 when None.
        overwrite: Whether `output` may replace a file.
        keep_values: Whether the report is to have all values.
        allow_host_access: As for `compat_hub.load`.
        allow_links: As for `compat_hub.load`.
        progress: Whether to show progress on the standard error.

    Returns:
        The `RunReport`.

    Raises:
        ResolveError: The handle leads nowhere, or a file cannot be read or written.
        ModuleFormatError: There is no module that can be read.
        UnknownNameError: There is no such variant, signature or output.
        InputTypeError: An input is missing, unknown, or does not fit: the message has the line.
        PathExistsError: There is something at `output` already.
        HubError: TensorFlow could not compute it.
    """
    reading = Reading(format, delimiter, encoding)
    model = find_signature(handle, signature, tags, allow_host_access, allow_links)
    found = model.signature
    chosen = found.select_outputs(tuple(only) or None, model.where)
    infos = {name: found.outputs[name] for name in chosen}
    path = None if output is None else os.fspath(output)
    if path is not None:
        check_output(path, infos, overwrite, keep)

    def size_for(name: str) -> Sequence[int]:
        return image_size or model.image_size(name)

    sources = parse_inputs(inputs, found.inputs, size_for, reading, keep, model.optional)
    model.check_inputs([name for source in sources for name in source.names])
    check_names([*(column for source in sources for column in source.kept), *infos])
    size = _batch_size(sources, found.inputs) if batch_size is None else batch_size
    collected = _Collected(infos, keep_values)
    model.load()
    total = _total(sources) if progress and size else 0
    with (
        _tensorflow_errors(model.where),
        contextlib.nullcontext() if path is None else open_output(path, infos) as file,
        progress_bar("Rows", total, shown=total > size) as advance,
    ):
        for batch in batches_of(sources, size):
            outputs = model(batch.values, chosen)
            collected.add(outputs, batch.rows, batch.kept)
            if file is not None:
                file.add(outputs, batch.rows, batch.kept)
            advance(batch.rows or 0)
        if not collected.batches:
            raise InputTypeError(f"In {model.where}: the inputs have no rows.")
    return RunReport(
        model.handle,
        found.name,
        collected.rows,
        collected.batches,
        path,
        collected.summaries,
        collected.values,
        collected.kept,
    )


def read_inputs(
    spec: ModuleSpec, signature: str, inputs: Sequence[str], image_size: Sequence[int] | None = None
) -> dict[str, Any]:
    """Reads all values for a signature at once.

    Args:
        spec: The module.
        signature: The signature's name, in the variant for inference or the first that has it.
        inputs: What `compat-hub run --input` takes.
        image_size: As for `run`.

    Returns:
        The values by input name.

    Raises:
        UnknownNameError: There is no such signature.
        ResolveError: A file cannot be read.
        InputTypeError: A value does not fit.
    """
    having = [tags for tags in spec.variants if signature in spec.variants[tags].signatures]
    tags = having[0] if having and frozenset() not in having else frozenset()
    infos = spec.signature(signature, tags).inputs

    def size_for(name: str) -> Sequence[int]:
        return image_size or expected_image_size(spec, signature, name)

    return values_of(parse_inputs(inputs, infos, size_for))


def _total(sources: Sequence[Source]) -> int:
    return max((source.count() or 0 for source in sources if source.has_rows), default=0)


def _batch_size(sources: Sequence[Source], infos: Mapping[str, TensorInfo]) -> int:
    """What inputs with a fixed number of rows ask for, otherwise more where rows are small."""
    shapes = [
        (infos[name], infos[name].get_shape())
        for source in sources
        for name in (source.names if source.has_rows else ())
    ]
    for _, shape in shapes:
        if shape.rank and shape[0] is not None:
            return int(shape[0] or 0)
    is_small = all(
        not info.is_composite
        and info.dtype.is_floating
        and shape.rank in {1, 2}
        and (shape[1:].num_elements() or _LONG_ROW) < _LONG_ROW
        for info, shape in shapes
    )
    return _MANY_ROWS if is_small else _BATCH_SIZE


@contextlib.contextmanager
def _tensorflow_errors(where: str) -> Iterator[None]:
    try:
        yield
    except tf.errors.OpError as error:
        reason = " ".join(str(error).split()[:60])
        raise HubError(f"In {where}: TensorFlow could not compute it: {reason}") from error


class _Collected:
    """What is known of the outputs so far."""

    def __init__(self, infos: Mapping[str, TensorInfo], keep_values: bool) -> None:
        self._infos = infos
        self.rows: int | None = None
        self.batches = 0
        self.summaries: dict[str, OutputSummary] = {}
        self.values: dict[str, Any] | None = {} if keep_values else None
        self.kept: dict[str, list[Any]] = {}

    def add(
        self, outputs: Mapping[str, Any], rows: int | None, kept: Mapping[str, list[Any]]
    ) -> None:
        self.batches += 1
        if rows is not None:
            self.rows = (self.rows or 0) + rows
        for name, value in outputs.items():
            shape = value.shape.as_list()
            if name not in self.summaries:
                self.summaries[name] = OutputSummary(value.dtype.name, shape, _first(value))
            else:
                before = self.summaries[name].shape
                self.summaries[name].shape = _joined(before, shape)
            if self.values is not None:
                self._keep(name, value, rows)
        for column, values in kept.items() if self.values is not None else ():
            self.kept.setdefault(column, []).extend(map(as_json, values))

    def _keep(self, name: str, value: Any, rows: int | None) -> None:
        assert self.values is not None
        has_rows = rows is not None and rows_of(value) == rows
        if self.batches > 1 and not has_rows:
            raise SignatureError(
                f"Output {name!r} has the shape {value.shape.as_list()} for a batch of {rows} "
                "rows: it is not one value for each row. Pass a batch size of 0."
            )
        if has_rows:
            self.values.setdefault(name, []).extend(plain_rows(value))
        else:
            self.values[name] = plain_value(value)


def _joined(before: list[int | None], shape: list[int | None]) -> list[int | None]:
    if not shape:
        return shape
    first = None if None in (before[0], shape[0]) else (before[0] or 0) + (shape[0] or 0)
    return [first, *(a if a == b else None for a, b in zip(before[1:], shape[1:], strict=False))]


def _first(value: Any) -> list[Any]:
    """The first values, at most six."""
    if isinstance(value, tf.SparseTensor):
        value = value.values
    elif isinstance(value, tf.RaggedTensor):
        value = value.flat_values
    flat = np.ravel(array_of(value))[:_SHOWN]
    return plain_rows(tf.constant(flat) if flat.dtype.kind != "O" else tf.constant(flat, tf.string))
