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
from compat_hub.format.inputs import bind_inputs
from compat_hub.format.spec import ModuleSpec, Tags, load_module_spec, normalize_tags
from compat_hub.format.tensor_info import TensorInfo
from compat_hub.hub_module.hub_module import HubModule
from compat_hub.hub_module.load import load
from compat_hub.tools.batch.inputs.sources import Source, batches_of, parse_inputs, values_of
from compat_hub.tools.batch.outputs.files import check_output, open_output
from compat_hub.tools.batch.outputs.join_batches import array_of, rows_of
from compat_hub.tools.batch.outputs.plain_values import plain_rows, plain_value
from compat_hub.v1.image_modules import get_expected_image_size

_BATCH_SIZE = 32
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
    """

    handle: str
    signature: str
    rows: int | None
    batches: int
    output: str | None
    outputs: dict[str, OutputSummary]
    values: dict[str, Any] | None

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON can hold it."""
        facts = dataclasses.asdict(self)
        del facts["values"]
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
    batch_size: int | None = None,
    image_size: Sequence[int] | None = None,
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
        handle: A handle or a `ModuleSpec`.
        inputs: What `compat-hub run --input` takes.
        output: The file to write, `.npz`, `.npy`, `.jsonl` or `.csv`; nothing is written when None.
        signature: The signature's name, `"default"` when None.
        tags: The variant, that for inference when None.
        only: Names of the outputs to compute, all of them when empty.
        batch_size: How many rows a call gets: 0 for all of them in one call, None for 32, or
            what the signature asks for.
        image_size: `[height, width]` in pixels of images, what the module says when None.
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
    spec = load_module_spec(handle, allow_host_access=allow_host_access, allow_links=allow_links)
    variant = spec.variant(frozenset() if tags is None else normalize_tags(tags))
    found = spec.signature(signature, variant.tags)
    where = f"{variant.where}, signature {found.name!r}"
    chosen = found.select_outputs(tuple(only) or None, variant.where)
    infos = {name: found.outputs[name] for name in chosen}
    path = None if output is None else os.fspath(output)
    if path is not None:
        check_output(path, infos, overwrite)

    module: Any = None  # restored when all else is known to fit

    def size_for(name: str) -> Sequence[int]:
        return image_size or _expected_size(module, found.name, name)

    sources = parse_inputs(inputs, found.inputs, size_for)
    given = dict.fromkeys(name for source in sources for name in source.names)
    bind_inputs(found.inputs, given, variant.has_default, where)
    size = _batch_size(sources, found.inputs) if batch_size is None else batch_size
    total = max((source.count() or 0 for source in sources), default=0)
    collected = _Collected(infos, keep_values)
    module = load(spec, variant.tags)
    with (
        _tensorflow_errors(where),
        contextlib.nullcontext() if path is None else open_output(path, infos) as file,
        progress_bar("Rows", total, shown=progress and total > size > 0) as advance,
    ):
        for batch in batches_of(sources, size):
            outputs = module.call_signature(batch.values, found.name, chosen).outputs
            collected.add(outputs, batch.rows)
            if file is not None:
                file.add(outputs, batch.rows)
            advance(batch.rows or 0)
        if not collected.batches:
            raise InputTypeError(f"In {where}: the inputs have no rows.")
    return RunReport(
        spec.handle,
        found.name,
        collected.rows,
        collected.batches,
        path,
        collected.summaries,
        collected.values,
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
        return image_size or _expected_size(spec, signature, name)

    return values_of(parse_inputs(inputs, infos, size_for))


def _expected_size(module: HubModule | ModuleSpec, signature: str, name: str) -> Sequence[int]:
    try:
        return get_expected_image_size(module, signature, name)
    except SignatureError as error:
        raise InputTypeError(f"{error} Pass it as the image size.") from error


def _batch_size(sources: Sequence[Source], infos: Mapping[str, TensorInfo]) -> int:
    """What inputs with a fixed number of rows ask for."""
    for source in sources:
        for name in source.names if source.count() is not None else ():
            shape = infos[name].get_shape()
            if shape.rank and shape[0] is not None:
                return int(shape[0] or 0)
    return _BATCH_SIZE


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

    def add(self, outputs: Mapping[str, Any], rows: int | None) -> None:
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
