"""What is in a checkpoint or a frozen graph, and how to go on with it."""

from __future__ import annotations

import dataclasses
import os
import shlex
from typing import Any

import tensorflow as tf

from compat_hub.errors import CheckpointError
from compat_hub.format.checkpoints.read import Checkpoint
from compat_hub.format.op_packages import explain_op
from compat_hub.format.tf1_models.files import ModelFiles, read_model_files
from compat_hub.format.tf1_models.saver import find_restored
from compat_hub.format.tf1_models.tensors import Tensors
from compat_hub.format.tf1_models.variables import Variables, checkpoint_names
from compat_hub.format.variant import VariableInfo
from compat_hub.graphdef.analysis.weights import find_weights
from compat_hub.programs.missing_ops.table import can_replace
from compat_hub.tf_private import op_registry
from compat_hub.tools.tf1_models.proposals import Proposals, propose

_SHOWN = 12


@dataclasses.dataclass(frozen=True)
class ModelVariable:
    """A variable, or a constant that may become one.

    Attributes:
        name: Its name.
        shape: Its shape, as text.
        size: How many numbers it has, 0 where the graph does not say it.
        trainable: Whether it trains.
        is_missing: Whether the checkpoint does not have it.
    """

    name: str
    shape: str
    size: int
    trainable: bool
    is_missing: bool


@dataclasses.dataclass(frozen=True)
class ModelReport:
    """What `compat-hub inspect` says of a checkpoint or a frozen graph.

    Attributes:
        handle: The path.
        kind: What it is.
        nodes: How many nodes the graph has.
        variables: Its variables, or the constants that are weights.
        proposals: Probable inputs and outputs.
        gone: By an op that this TensorFlow does not have: where it came from.
        command: What to run next.
    """

    handle: str
    kind: str
    nodes: int
    variables: list[ModelVariable]
    proposals: Proposals
    gone: dict[str, str]
    command: str

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON values."""
        return dataclasses.asdict(self)

    def lines(self, show_all: bool = False) -> list[str]:
        """The report as text."""
        what = "constants that are weights" if self.kind == "frozen graph" else "variables"
        size = sum(v.size for v in self.variables)
        lines = [f"{self.handle}: a {self.kind} of TensorFlow 1, {self.nodes:,} nodes"]
        lines += ["", f"{len(self.variables):,} {what}, {size:,} numbers"]
        shown = self.variables if show_all else self.variables[:_SHOWN]
        for v in shown:
            notes = ["" if v.trainable else "not trained", "MISSING" if v.is_missing else ""]
            lines.append(f"  {v.name}  {v.shape}  {', '.join(filter(None, notes))}".rstrip())
        if len(shown) < len(self.variables):
            lines.append(f"  and {len(self.variables) - len(shown):,} more (--all shows them)")
        lines += ["", "Proposed inputs: " + (", ".join(self.proposals.inputs) or "none found")]
        lines.append(
            "Proposed outputs, the likeliest first: "
            + (", ".join(self.proposals.outputs) or "none found")
        )
        settings = [f"{t}={v}" for t, v in self.proposals.feeds.items()]
        if settings:
            lines.append(f"Settings, with values for inference: {', '.join(settings)}")
        if self.proposals.labels:
            lines.append(
                f"Not inputs, as no weight comes after them: {', '.join(self.proposals.labels)}"
            )
        for name, rate in self.proposals.random.items():
            lines.append(f"Draws random numbers at inference: {name}{f' ({rate})' if rate else ''}")
        lines += [f"{op}: {why}" for op, why in self.gone.items()]
        lines += ["", "To go on, with the names that are right:", f"  {self.command}"]
        return lines


def inspect_model(path: str | os.PathLike[str], allow_links: bool = False) -> ModelReport:
    """Tells what is in a checkpoint or a frozen graph. Nothing of it runs.

    Args:
        path: What `load_tf1` takes.
        allow_links: As for `load_tf1`.

    Raises:
        HubError: It cannot be read.
    """
    files = read_model_files(path, allow_links, needs_values=False)
    meta_graph = files.meta_graphs[0]
    tensors = Tensors(meta_graph, f"model {files.handle!r}")
    proposals = propose(meta_graph, tensors.where)
    known = {f.signature.name for f in meta_graph.graph_def.library.function}
    ops = sorted({node.op for node in meta_graph.graph_def.node} - known)
    gone = {op: explain_op(op) for op in ops if not (_is_known(op) or can_replace(op))}
    return ModelReport(
        files.handle,
        files.kind,
        len(tensors.nodes),
        _variables(files, tensors),
        proposals,
        gone,
        _command(files, proposals),
    )


def _is_known(op: str) -> bool:
    return op_registry.is_registered_op(op)


def _variables(files: ModelFiles, tensors: Tensors) -> list[ModelVariable]:
    meta_graph = files.meta_graphs[0]
    nodes = tensors.nodes
    found: list[ModelVariable] = []
    if files.kind == "frozen graph":
        for name, trainable in find_weights(nodes).items():
            shape = tf.TensorShape(nodes[name].attr["value"].tensor.tensor_shape)
            found.append(_variable(name, shape, trainable, False))
        return found
    restored = find_restored(meta_graph.saver_def, nodes)
    variables = Variables(meta_graph, nodes, restored)
    names = checkpoint_names(variables.protos, restored)
    checkpoint = _open(files, names)
    for name, proto in variables.protos.items():
        node = nodes[name]
        if "shape" not in node.attr:
            continue
        shape = tf.TensorShape(node.attr["shape"].shape)
        is_part = proto.HasField("save_slice_info_def")
        key = name.rpartition("/")[0] if is_part else name
        dtype = tf.as_dtype(node.attr["dtype"].type).base_dtype
        info = VariableInfo(name, key, dtype, shape, True, None, "")
        is_missing = checkpoint is None or not checkpoint.has(info)
        found.append(_variable(name, shape, name in variables.trainable, is_missing))
    return found


def _open(files: ModelFiles, names: dict[str, str]) -> Checkpoint | None:
    try:
        return (
            None if files.checkpoint is None else Checkpoint(files.handle, files.checkpoint, names)
        )
    except CheckpointError:
        return None


def _variable(name: str, shape: tf.TensorShape, trainable: bool, is_missing: bool) -> ModelVariable:
    return ModelVariable(name, str(shape), shape.num_elements() or 0, trainable, is_missing)


def _command(files: ModelFiles, proposals: Proposals) -> str:
    """The command that converts the model."""
    words = ["compat-hub", "convert", files.handle, "OUT"]
    for k, tensor in enumerate(proposals.inputs):
        words += ["--input", f"{_name(tensor, k)}={tensor}"]
    for tensor in proposals.outputs[:1] or ["TENSOR"]:
        words += ["--output", f"default={tensor}"]
    for option, feeds in ("--feed", proposals.feeds), ("--training-feed", proposals.training_feeds):
        for tensor, value in feeds.items():
            words += [option, f"{tensor}={value}"]
    if files.kind == "frozen graph":
        words.append("--unfreeze")
    return shlex.join(words)


def _name(tensor: str, number: int) -> str:
    """What to call an input: the last part of the tensor's name, where that is a word."""
    last = tensor.partition(":")[0].rpartition("/")[2]
    return last if last.isidentifier() and tensor.endswith(":0") else f"input_{number}"
