"""Gradients of imported nodes that are not the gradient of their op."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from compat_hub import _tensorflow
from compat_hub.errors import HubError
from compat_hub.graph.inline import CUSTOM_GRADIENT_ATTR, inline_calls
from compat_hub.graph.names import is_control

_LOST = "CompatHubLostGradient"
_registered: set[str] = set()
_lock = threading.Lock()


@tf.RegisterGradient(_LOST)
def _lost_gradient(op: tf.Operation, *_: Any) -> None:
    raise HubError(
        f"The node {op.name!r} of the module has a gradient of its own, written with "
        "tf.custom_gradient. The module's format does not store such gradients: TensorFlow 1.15 "
        "could not train this module either. Ask for outputs that do not need this node, or use the "
        "layer with trainable=False on inputs that need no gradient."
    )


def mark_lost_gradients(graph_def: Any) -> None:
    """Points nodes made by tf.custom_gradient to a clear error, in place.

    Their gradients went by names like "CustomGradient-12", which some unrelated function of this
    program may have by now.
    """
    for node in graph_def.node:
        if CUSTOM_GRADIENT_ATTR in node.attr:
            node.attr[CUSTOM_GRADIENT_ATTR].s = _LOST.encode()


def function_gradients(graph_def: Any, digest: str) -> Callable[[str, str], str]:
    """What `inline_calls` needs: registers the gradient functions of a graph's library.

    Args:
        graph_def: The graph with its function library.
        digest: What tells this library from others.
    """

    def register(function: str, gradient_function: str) -> str:
        name = f"CompatHub_{function}_{digest}"
        with _lock:
            if name not in _registered:
                tf.RegisterGradient(name)(_gradient(graph_def, function, gradient_function))
                _registered.add(name)
        return name

    def _gradient(graph_def: Any, function: str, gradient_function: str) -> Callable[..., Any]:
        signatures = {f.signature.name: f.signature for f in graph_def.library.function}
        outputs = len(signatures[function].output_arg)
        inputs = len(signatures[function].input_arg)
        call = type(graph_def)()
        call.versions.CopyFrom(graph_def.versions)
        call.library.CopyFrom(graph_def.library)
        feeds = [f"feed_{k}:0" for k in range(inputs + outputs)]
        call.node.add(name="gradient", op=gradient_function, input=feeds)
        body = inline_calls(call, _tensorflow.op_def, register)

        def gradient(op: tf.Operation, *grads: tf.Tensor | None) -> list[tf.Tensor | None]:
            # The importer takes no tensors of another graph; an identity captures them into this.
            arguments = [tf.identity(tensor) for tensor in op.inputs[outputs:]]
            upstream = [
                tf.zeros_like(op.outputs[k]) if grads[k] is None else tf.convert_to_tensor(grads[k])
                for k in range(outputs)
            ]
            given = dict(zip(feeds, [*arguments, *upstream], strict=True))
            consumed = {i for n in body.node for i in n.input if not is_control(i) and i in given}
            results = tf.graph_util.import_graph_def(
                body,
                input_map={name: given[name] for name in consumed},
                return_elements=[f"gradient:{k}" for k in range(inputs)],
                name="gradient",
            )
            return [None] * outputs + list(results or [])

        return gradient

    return register
