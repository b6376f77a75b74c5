"""What an inspection finds, as plain data."""

from __future__ import annotations

import dataclasses
from typing import Any

Tags = tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class TensorFacts:
    """One input or output of a signature.

    Attributes:
        name: Its name.
        kind: `"dense"`, `"sparse"`, `"ragged"` or `"other"`.
        dtype: The name of its dtype.
        shape: Its sizes, None for an open one; None where the rank is open.
        default: The value that it has where it is not given: numbers or text as Python shows them,
            `"..."` where it is large or computed. None for one that has to be given.
        docs: What a common signature that the signature matches says of it.
    """

    name: str
    kind: str
    dtype: str
    shape: tuple[int | None, ...] | None
    default: str | None = None
    docs: str | None = None

    def __str__(self) -> str:
        """As in an error message: `float32 [None, 4]`, `sparse int64 [None, 10]`."""
        kind = "" if self.kind == "dense" else f"{self.kind} "
        return f"{kind}{self.dtype} {format_shape(self.shape)}"


@dataclasses.dataclass(frozen=True)
class SignatureFacts:
    """One signature of a variant, and what a training call of it for all outputs comes to.

    Attributes:
        name: Its name.
        inputs: What it takes.
        outputs: What it gives.
        common_signatures: The kinds of common signatures that it matches.
        is_tried: Whether the rest was found out. It is not for a plain SavedModel.
        gap: What a call for all outputs needs and is not there, an op or variables, as a sentence;
            None where all is there.
        training_gap: What a training call needs besides, in its update ops, and is not there.
        problem: Why a call raises an error, None where it does not.
        no_gradient: Why a gradient of any output raises an error, None where it does not.
        refused: Names of outputs of which a gradient raises an error, where others have one, and
            why it does.
        trains: Names of the trainable variables that get a gradient.
        inputs_with_gradient: Names of the inputs that get one.
        update_ops: Names of the update ops that run with it.
    """

    name: str
    inputs: tuple[TensorFacts, ...]
    outputs: tuple[TensorFacts, ...]
    common_signatures: tuple[str, ...] = ()
    is_tried: bool = False
    gap: str | None = None
    training_gap: str | None = None
    problem: str | None = None
    no_gradient: str | None = None
    refused: tuple[tuple[str, str], ...] = ()
    trains: tuple[str, ...] = ()
    inputs_with_gradient: tuple[str, ...] = ()
    update_ops: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class TableFacts:
    """A lookup table, or another resource that the graph makes.

    Attributes:
        name: Its node.
        op: The node's op.
        key_dtype: The name of the keys' dtype, None for what is not a table.
        value_dtype: The name of the values' dtype, None for what is not a table.
    """

    name: str
    op: str
    key_dtype: str | None
    value_dtype: str | None


@dataclasses.dataclass(frozen=True)
class AttachmentFacts:
    """A message that the author attached.

    Attributes:
        key: Under which name.
        bytes: The size of the message.
        image_size: Of an `ImageModuleInfo`, the height and width in pixels; else None.
    """

    key: str
    bytes: int
    image_size: tuple[int, int] | None


@dataclasses.dataclass(frozen=True)
class UnknownOp:
    """An op that this TensorFlow does not have.

    Attributes:
        op: Its name.
        place: Where it is, and what needs it.
    """

    op: str
    place: str


@dataclasses.dataclass(frozen=True)
class HostAccess:
    """A node that touches the host when the module is used.

    Attributes:
        op: Its op.
        node: Its name.
        what: What it does: `"reads or writes files"`.
        user: What of the module needs it: `"signature 'default'"`.
    """

    op: str
    node: str
    what: str
    user: str


@dataclasses.dataclass(frozen=True)
class ControlFlow:
    """The control flow that something of a variant needs.

    Attributes:
        loops: The number of loops, in functions too.
        conditionals: The number of conditionals.
        tensor_arrays: The number of TensorArrays and stacks.
    """

    loops: int
    conditionals: int
    tensor_arrays: int


@dataclasses.dataclass(frozen=True)
class VariantFacts:
    """One graph variant.

    Attributes:
        tags: Its tags, sorted.
        producer: The version of TensorFlow that wrote it, `""` where it does not say.
        nodes: The number of nodes in its graph, those in functions not counted.
        functions: The number of functions in its library.
        variables: The number of variables in its collection.
        signatures: Its signatures.
        regularization_losses: Names of tensors.
        update_ops: Names of nodes.
        tables: Its tables.
        attachments: Its attached messages.
        control_flow: The loops and conditionals.
        frozen_batch_norms: The number of batch normalizations that use stored averages.
        lost_gradients: The number of nodes that had a gradient of their own, made with
            `tf.custom_gradient`, which the format does not store.
        missing: Names of the variables that the checkpoint does not have.
        unknown_ops: The ops that this TensorFlow lacks, among those that something needs.
        host_access: The nodes that touch the host.
        ops: The number of nodes by op, in functions too, the most frequent first.
    """

    tags: Tags
    producer: str
    nodes: int
    functions: int
    variables: int
    signatures: tuple[SignatureFacts, ...]
    regularization_losses: tuple[str, ...]
    update_ops: tuple[str, ...]
    tables: tuple[TableFacts, ...]
    attachments: tuple[AttachmentFacts, ...]
    control_flow: ControlFlow
    frozen_batch_norms: int
    lost_gradients: int
    missing: tuple[str, ...]
    unknown_ops: tuple[UnknownOp, ...]
    host_access: tuple[HostAccess, ...]
    ops: dict[str, int]


@dataclasses.dataclass(frozen=True)
class VariableFacts:
    """One variable; all variants share it.

    Attributes:
        name: Its node.
        key: Its name in the checkpoint; the parts of a partitioned variable share one.
        dtype: The name of its dtype.
        shape: Its sizes, None where they are not known.
        parameters: The number of its values, None where the shape is not known.
        bytes: The size of its values; None where it is not known, as for strings.
        trainable: Whether it is in the TRAINABLE_VARIABLES collection of some variant.
        variants: The tags of the variants that have it.
    """

    name: str
    key: str
    dtype: str
    shape: tuple[int, ...] | None
    parameters: int | None
    bytes: int | None
    trainable: bool
    variants: tuple[Tags, ...]


@dataclasses.dataclass(frozen=True)
class AssetFacts:
    """An asset file.

    Attributes:
        name: Its name in the assets folder.
        bytes: Its size, None where it is missing.
    """

    name: str
    bytes: int | None


@dataclasses.dataclass(frozen=True)
class SizeOnDisk:
    """The sizes of the module's files, in bytes.

    Attributes:
        total: Of all of them.
        graph: Of saved_model.pb.
        variables: Of the checkpoint.
        assets: Of the assets.
    """

    total: int
    graph: int
    variables: int
    assets: int


@dataclasses.dataclass(frozen=True)
class WeightFacts:
    """Statistics of the values of a variable, where they were asked for.

    Attributes:
        name: The variable's name.
        min: The least finite value, None where there is none.
        max: The greatest finite value, None where there is none.
        mean: The mean of the finite values, None where there is none.
        std: Their standard deviation, None where there is none.
        zeros: How many are zero.
        nans: How many are not a number.
        infinities: How many are infinite.
        histogram: How many finite values are in each of equally wide bins from min to max.
    """

    name: str
    min: float | None
    max: float | None
    mean: float | None
    std: float | None
    zeros: int
    nans: int
    infinities: int
    histogram: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Finding:
    """One sentence of the verdict.

    Attributes:
        level: `"yes"` for what works, `"note"` for what to know, `"no"` for what does not work.
        topic: `"load"`, `"call"` or `"train"`.
        text: The sentence.
    """

    level: str
    topic: str
    text: str


@dataclasses.dataclass(frozen=True)
class ModuleFacts:
    """All that is found.

    Attributes:
        handle: What the user passed.
        path: The module directory.
        format: `"TF1 Hub format"`, `"TF1 SavedModel"` or `"TF2 SavedModel"`.
        tensorflow: The version of the TensorFlow that the verdict is for.
        size: The sizes of the files; None for a spec that was not read from a folder.
        variants: The graph variants.
        variables: All variables, each once.
        assets: The asset files.
        problems: Why `compat_hub.load` fails, besides what the variants say: a checkpoint of which
            files are missing or damaged, a missing asset.
    """

    handle: str
    path: str | None
    format: str
    tensorflow: str
    size: SizeOnDisk | None
    variants: tuple[VariantFacts, ...]
    variables: tuple[VariableFacts, ...]
    assets: tuple[AssetFacts, ...]
    problems: tuple[str, ...]


def as_json(value: Any) -> Any:
    """Facts as JSON can hold them: dicts, lists, strings and numbers."""
    if dataclasses.is_dataclass(value):
        fields = dataclasses.fields(value)
        return {field.name: as_json(getattr(value, field.name)) for field in fields}
    if isinstance(value, dict):
        return {name: as_json(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [as_json(item) for item in value]
    return value


def format_shape(shape: tuple[int | None, ...] | None) -> str:
    """`[None, 4]`, or `of unknown rank`."""
    return "of unknown rank" if shape is None else str(list(shape))
