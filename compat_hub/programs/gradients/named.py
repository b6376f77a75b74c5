"""Gradients that a module's author gave to nodes by name, with gradient_override_map."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import tensorflow as tf

from compat_hub.graphdef.analysis.op_counts import is_of_another_module
from compat_hub.graphdef.passes.inline_functions import CUSTOM_GRADIENT_ATTR
from compat_hub.programs.gradients.registration import LostGradientWarning, register
from compat_hub.tf_private import gradient_registry, op_registry

_PREFIX = "CompatHubNamed_"


def use_named_gradients(nodes: Iterable[Any], where: str, portable: bool) -> None:
    """Points nodes to a gradient that looks for the one they name, in place.

    The name is that of an op, as in straight-through estimators, which give Round the gradient of
    Identity; or of a function that the author registered, as a program that trains the module has
    to do, too. If there is none when a gradient is asked for, that of the node's op is used, with
    a warning.

    Args:
        nodes: The nodes with such a name.
        where: How messages name the graph.
        portable: Whether the graph has to do without compat_hub. A SavedModel keeps a gradient
            only of a node with one input and one output.
    """
    for node in nodes:
        name = node.attr[CUSTOM_GRADIENT_ATTR].s.decode()
        if is_of_another_module(node):  # with what that one may do
            del node.attr[CUSTOM_GRADIENT_ATTR]
            continue
        if not portable and _find(name):
            continue
        if portable and not _is_unary(node):
            reason = "a SavedModel cannot hold for such a node"
            warnings.warn(_message(where, node, reason), LostGradientWarning, stacklevel=3)
            del node.attr[CUSTOM_GRADIENT_ATTR]
            continue
        message = _message(where, node, "this program has not registered (tf.RegisterGradient)")
        digest = hashlib.sha256(f"{where} {node.op}".encode()).hexdigest()[:16]
        registered_name = f"{_PREFIX}{digest}/{name}"
        register(registered_name, lambda n=name, m=message: _gradient(n, m))
        node.attr[CUSTOM_GRADIENT_ATTR].s = registered_name.encode()


def _message(where: str, node: Any, reason: str) -> str:
    name = node.attr[CUSTOM_GRADIENT_ATTR].s.decode()
    return (
        f"In {where}: the module's author gave {node.op} nodes ({node.name!r} for one) the "
        f"gradient {name!r}, which {reason}. The gradient of {node.op} is used instead."
    )


def restore_name(node: Any) -> None:
    """Gives a node of a graph that is written to a file the name that its author chose."""
    if CUSTOM_GRADIENT_ATTR not in node.attr:
        return
    registered, _, name = node.attr[CUSTOM_GRADIENT_ATTR].s.decode().partition("/")
    if registered.startswith(_PREFIX):
        node.attr[CUSTOM_GRADIENT_ATTR].s = name.encode()


def _is_unary(node: Any) -> bool:
    op_def = op_registry.op_def(node.op)
    return op_def is not None and len(op_def.input_arg) == len(op_def.output_arg) == 1


def _find(name: str) -> Callable[..., Any] | None:
    try:
        return gradient_registry.gradient_function(name)
    except LookupError:
        return None


def _gradient(name: str, message: str) -> Callable[..., Any]:
    def gradient(op: tf.Operation, *grads: Any) -> Any:
        function = _find(name) or _OF_CONTRIB.get(name)
        if function is None:
            warnings.warn(message, LostGradientWarning, stacklevel=2)
            function = gradient_registry.gradient_function(op.type)
        return function(op, *grads)

    return gradient


def _folded_batch_norm(op: tf.Operation, _: Any, mean: Any, variance: Any, *__: Any) -> list[Any]:
    """Of tf.contrib.quantize: the batch's moments are used, and not what is normalized by them.

    The variance that the op gives is that of a sample: it is divided by one less than the number.
    """
    x = op.inputs[0]
    count = tf.cast(tf.size(x) / tf.size(mean), x.dtype)
    of_mean = mean / count
    of_variance = 2 * variance * (x - op.outputs[1]) / (count - 1)
    return [of_mean + of_variance] + [None] * (len(op.inputs) - 1)


_OF_CONTRIB = {"FoldFusedBatchNormGrad": _folded_batch_norm}
