"""What a `module_fn` says of the graph that it builds: signatures and attached messages."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from compat_hub.errors import GraphError, InputTypeError, SignatureError
from compat_hub.format import protos
from compat_hub.format.placeholders import PLACEHOLDERS
from compat_hub.tf_private import saved_models

# Keys that are no strings are left out of exported MetaGraphs and of get_all_collection_keys().
_SIGNATURES = ("compat_hub", "signatures")
_ATTACHMENTS = ("compat_hub", "attachments")

_ATTACHMENT_KEY = re.compile(r"[a-zA-Z][a-zA-Z0-9_]*")
_SUPPORTED = (tf.Tensor, tf.SparseTensor, tf.RaggedTensor)


class ColocationWarning(UserWarning):
    """A signature takes a tensor on which other ops cannot be colocated safely."""


def add_signature(name: str | None = None, inputs: Any = None, outputs: Any = None) -> None:
    """Adds a signature to the module that is being defined: call it inside a `module_fn`.

    Examples:
        >>> def module_fn():
        ...     x = tf.compat.v1.placeholder(tf.float32, [None, 4])
        ...     compat_hub.add_signature(inputs=x, outputs=dict(default=2 * x, squares=x * x))
        >>> spec = compat_hub.create_module_spec(module_fn)
        >>> sorted(spec.get_output_info_dict())
        ['default', 'squares']

    Args:
        name: Its name, `"default"` when None.
        inputs: A dict from names to tensors (dense, sparse or ragged) of the current graph that
            callers give values for; one tensor alone is the input `"default"`. None where the
            signature has no inputs.
        outputs: A dict from names to tensors, or one tensor alone, the output `"default"`.

    Raises:
        SignatureError: The graph has a signature of that name already, or an input or output is
            not a tensor of the current graph, or an input is colocated with another op, or an
            output depends on a placeholder that is not among the inputs.
        InputTypeError: A name is not a string.
        GraphError: No graph is being built.
    """
    name = name or "default"
    graph = _current_graph("add_signature")
    where = f"signature {name!r}"
    if name in dict(graph.get_collection_ref(_SIGNATURES)):
        raise SignatureError(
            f"There is a {where} in this graph already. Give the second one another name."
        )
    maps = {"input": _as_dict(inputs), "output": _as_dict(outputs)}
    for text in (name, *maps["input"], *maps["output"]):
        if not isinstance(text, str):
            raise InputTypeError(f"In {where}: names are strings, found {text!r}.")
    for kind, values in maps.items():
        for key, value in values.items():
            _check_tensor(value, f"In {where}: the {kind} {key!r}", graph)
    _check_colocation(maps["input"], where)
    _check_is_fed(maps["output"], maps["input"], where)
    signature = tf.compat.v1.saved_model.signature_def_utils.build_signature_def(
        {key: saved_models.tensor_info(value) for key, value in maps["input"].items()},
        {key: saved_models.tensor_info(value) for key, value in maps["output"].items()},
    )
    graph.add_to_collection(_SIGNATURES, (name, signature))


def attach_message(key: str, message: Any) -> None:
    """Attaches a protocol message to the module that is being defined, inside a `module_fn`.

    `get_attached_message` gives it back. Each graph variant has its own. If a key is used again,
    the last message holds.

    Examples:
        >>> from google.protobuf import wrappers_pb2
        >>> def module_fn():
        ...     x = tf.compat.v1.placeholder(tf.float32, [None, 4])
        ...     compat_hub.add_signature(inputs=x, outputs=2 * x)
        ...     compat_hub.attach_message("vocabulary_size", wrappers_pb2.Int32Value(value=1000))
        >>> spec = compat_hub.create_module_spec(module_fn)
        >>> spec.get_attached_message("vocabulary_size", wrappers_pb2.Int32Value).value
        1000

    Args:
        key: Its name: letters, digits and underscores, the first a letter.
        message: A protocol message; better an asset, if it is megabytes.

    Raises:
        SignatureError: The key is malformed.
        InputTypeError: The key is not a string, or `message` not a protocol message.
        GraphError: No graph is being built.
    """
    graph = _current_graph("attach_message")
    if not isinstance(key, str):
        raise InputTypeError(f"The key of an attached message is a string, found {key!r}.")
    if not _ATTACHMENT_KEY.fullmatch(key):
        raise SignatureError(
            f"The key {key!r} of an attached message is malformed: it has to be letters, digits "
            "and underscores, and begin with a letter."
        )
    if not hasattr(message, "SerializeToString"):
        raise InputTypeError(
            f"What is attached as {key!r} has to be a protocol message, found a "
            f"{type(message).__name__}."
        )
    graph.add_to_collection(_ATTACHMENTS, (key, message.SerializeToString()))


def signature_defs(graph: tf.Graph) -> dict[str, Any]:
    """The SignatureDefs added to a graph, by name."""
    return dict(graph.get_collection(_SIGNATURES))


def attachments(graph: tf.Graph) -> list[Any]:
    """The messages attached to a graph, as `ModuleAttachment`s."""
    last = dict(graph.get_collection(_ATTACHMENTS))
    return [protos.ModuleAttachment(key=key, value=value) for key, value in last.items()]


def _current_graph(function: str) -> Any:
    if tf.executing_eagerly():
        raise GraphError(
            f"compat_hub.{function}() says something of the graph that a module_fn builds, and "
            "this program executes eagerly. Call it in the function that is passed to "
            "create_module_spec()."
        )
    return tf.compat.v1.get_default_graph()


def _as_dict(values: Any) -> dict[str, Any]:
    if values is None:
        return {}
    return dict(values) if isinstance(values, Mapping) else {"default": values}


def _check_tensor(value: Any, what: str, graph: tf.Graph) -> None:
    if not isinstance(value, _SUPPORTED):
        hint = " Pass its value, variable.read_value()." if isinstance(value, tf.Variable) else ""
        kinds = ", ".join(kind.__name__ for kind in _SUPPORTED)
        raise SignatureError(
            f"{what} has to be one of {kinds}, found a {type(value).__name__}.{hint}"
        )
    for component in tf.nest.flatten(value, expand_composites=True):
        if getattr(component, "graph", None) is not graph:
            raise SignatureError(
                f"{what} is not a tensor of the graph that the module is built in. Make it in the "
                "module_fn."
            )


def _check_colocation(inputs: Mapping[str, Any], where: str) -> None:
    """Raises unless ops that are colocated with an input can follow what takes its place."""
    for name, value in inputs.items():
        for tensor in tf.nest.flatten(value, expand_composites=True):
            groups = tensor.op.colocation_groups()
            if groups != [b"loc:@" + tensor.op.name.encode()]:
                raise SignatureError(
                    f"In {where}: the tensor {tensor.name!r} of the input {name!r} is colocated "
                    f"with other ops: {groups}. An input must not be; make it outside of "
                    "tf.colocate_with(). Other ops may be colocated with it."
                )
            if len(tensor.op.outputs) != 1:
                warnings.warn(
                    f"In {where}: the input {name!r} is one of {len(tensor.op.outputs)} outputs of "
                    f"the op {tensor.op.name!r}. If other ops are colocated with that one, the "
                    "module may fail when it is applied. Better make each input a placeholder.",
                    ColocationWarning,
                    stacklevel=3,
                )


def _check_is_fed(outputs: Mapping[str, Any], inputs: Mapping[str, Any], where: str) -> None:
    fed = tf.nest.flatten([*inputs.values()], expand_composites=True)
    for name, value in outputs.items():
        placeholder = _find_placeholder(tf.nest.flatten(value, expand_composites=True), fed)
        if placeholder:
            raise SignatureError(
                f"In {where}: the output {name!r} depends on the placeholder {placeholder!r}, "
                "which is not among the inputs, so nothing would feed it. Add it to `inputs`, or "
                "make it with tf.compat.v1.placeholder_with_default()."
            )


def _find_placeholder(tensors: Sequence[tf.Tensor], fed: Sequence[tf.Tensor]) -> str | None:
    """The name of a placeholder that the tensors need when others are fed."""
    given = {tensor.name for tensor in fed}
    given_ops = {tensor.op.name for tensor in fed}
    seen: set[str] = set()
    stack = [tensor.op for tensor in tensors if tensor.name not in given]
    while stack:
        op = stack.pop()
        if op.name in seen:
            continue
        seen.add(op.name)
        if op.type in PLACEHOLDERS:
            return op.name
        stack.extend(tensor.op for tensor in op.inputs if tensor.name not in given)
        stack.extend(before for before in op.control_inputs if before.name not in given_ops)
    return None
