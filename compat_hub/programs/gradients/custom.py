"""Gradients of imported nodes that are not the gradient of their op."""

from __future__ import annotations

import functools
import hashlib
import itertools
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from compat_hub.graphdef.analysis.op_counts import is_of_custom_gradient
from compat_hub.graphdef.function_library import all_nodes
from compat_hub.graphdef.passes.inline_functions import CUSTOM_GRADIENT_ATTR, inline_calls
from compat_hub.graphdef.subgraph import consumed_tensors
from compat_hub.programs.gradients.named import use_named_gradients
from compat_hub.programs.gradients.registration import LostGradientWarning, register, registered
from compat_hub.tf_private import gradient_registry, op_registry

__all__ = [
    "LostGradientWarning",
    "bind_gradients",
    "drop_gradients_in_functions",
    "function_gradients",
    "replace_lost_gradients",
]
_numbers = itertools.count()


def replace_lost_gradients(graph_def: Any, where: str, portable: bool = False) -> None:
    """Points nodes to a gradient that exists where the one that they name may not, in place.

    The format stores no gradient of tf.custom_gradient, only a name like "CustomGradient-12", which
    some unrelated function of this program may bear by now. TensorFlow 1.15 refuses to train such a
    module. The nodes that compute the value are in the graph, though: their own derivative is used
    instead, with a warning. For tf.nn.swish, the usual case, the two are the same function. For
    names that an author chose, see `use_named_gradients`.

    Args:
        graph_def: The graph.
        where: How messages name it.
        portable: Whether the graph has to do without compat_hub: then the warning comes now, and
            not when a gradient is asked for.
    """
    # Those of functions, too: any function of the program may bear the name by now.
    given = [n for n in all_nodes(graph_def) if CUSTOM_GRADIENT_ATTR in n.attr]
    nodes = [n for n in given if is_of_custom_gradient(n)]
    use_named_gradients([n for n in given if not is_of_custom_gradient(n)], where, portable)
    if not nodes:
        return
    name = "CompatHubLost_" + hashlib.sha256(where.encode()).hexdigest()[:16]
    message = (
        f"In {where}: the module's author gave {len(nodes)} nodes ({nodes[0].name!r} for one) a "
        "gradient of their own, with tf.custom_gradient, which the format does not store. The "
        "derivative of what they compute is used instead. For tf.nn.swish that is the same; for an "
        "estimator that is meant to differ from the derivative it is not."
    )

    if portable:
        warnings.warn(message, LostGradientWarning, stacklevel=2)
        for node in nodes:
            del node.attr[CUSTOM_GRADIENT_ATTR]
        return

    def pass_through(_: tf.Operation, *grads: tf.Tensor) -> list[tf.Tensor]:
        warnings.warn(message, LostGradientWarning, stacklevel=2)
        return list(grads)

    register(name, lambda: pass_through)
    for node in nodes:
        node.attr[CUSTOM_GRADIENT_ATTR].s = name.encode()


def drop_gradients_in_functions(graph_def: Any, where: str) -> None:
    """Leaves the derivative of what they compute to calls in loops and conditionals, in place.

    A SavedModel keeps the gradients of a function's own nodes, and not those of nodes within loops
    and conditionals.
    """
    nodes = [
        node
        for function in graph_def.library.function
        for node in function.node_def
        if CUSTOM_GRADIENT_ATTR in node.attr
    ]
    if nodes:
        warnings.warn(
            f"In {where}: {len(nodes)} calls in loops or conditionals ({nodes[0].name!r} for one) "
            "have a gradient function of their own, which a SavedModel cannot hold there. After "
            "loading it, the derivative of what they compute is used.",
            LostGradientWarning,
            stacklevel=2,
        )
    for node in nodes:
        del node.attr[CUSTOM_GRADIENT_ATTR]


def bind_gradients(graph: Any) -> None:
    """Gives each call with a gradient function a gradient that knows its call.

    TensorFlow asks for a gradient without naming the call while it writes a SavedModel.
    """
    for operation in graph.get_operations():
        name = gradient_registry.gradient_name(operation)
        if name in registered:
            bound = f"{name}_{next(_numbers)}"
            register(bound, functools.partial(_bind, registered[name], graph, operation.name))
            gradient_registry.set_gradient_name(operation, bound)


def _bind(gradient: Callable[..., Any], graph: Any, name: str) -> Callable[..., Any]:
    reference = weakref.ref(graph)  # the registry keeps what it has for good

    def bound(_: Any, *grads: Any) -> Any:
        graph: Any = reference()
        return gradient(graph.get_operation_by_name(name), *grads)

    return bound


def function_gradients(graph_def: Any, digest: str) -> Callable[[str, str], str]:
    """What `inline_calls` needs: registers the gradient functions of a graph's library.

    Args:
        graph_def: The graph with its function library.
        digest: What tells this library from others.
    """

    def register_gradient(function: str, gradient_function: str) -> str:
        name = f"CompatHub_{function}_{digest}"
        register(name, lambda: _gradient(graph_def, function, gradient_function))
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
        for node in all_nodes(call):  # names of gradients that are not in the library
            if CUSTOM_GRADIENT_ATTR in node.attr:
                del node.attr[CUSTOM_GRADIENT_ATTR]
        body = inline_calls(call, op_registry.op_def, register_gradient)

        def gradient(op: tf.Operation, *grads: Any) -> list[Any]:
            # The importer takes no tensors of another graph; an identity captures them into this.
            arguments = [tf.identity(tensor) for tensor in op.inputs[outputs:]]
            upstream = [
                tf.zeros_like(op.outputs[k]) if grads[k] is None else tf.convert_to_tensor(grads[k])
                for k in range(outputs)
            ]
            given = dict(zip(feeds, [*arguments, *upstream], strict=True))
            consumed = consumed_tensors(body, given.keys())
            results = tf.graph_util.import_graph_def(
                body,
                input_map={name: given[name] for name in consumed},
                return_elements=[f"gradient:{k}" for k in range(inputs)],
                name="gradient",
            )
            return [None] * outputs + list(results or [])

        return gradient

    return register_gradient
