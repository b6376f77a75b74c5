"""FuncGraphs: handle data, contexts, attributes of nodes (`tensorflow.python.framework`).

All of it was seen in TensorFlow 2.16.2 and 2.21.0.
"""

from __future__ import annotations

import contextlib
from collections.abc import Container, Iterable, Iterator
from typing import Any

import tensorflow as tf
from tensorflow.python.eager.polymorphic_function import (
    polymorphic_function,
)
from tensorflow.python.framework import (
    ops,
)
from tensorflow.python.ops import (
    handle_data_util,
)


def copy_handle_data(source: tf.Tensor, target: tf.Tensor) -> None:
    """Tells a resource placeholder the dtype and shape of the variable behind it.

    Without it shape inference stops at each read, and no gradient reaches the variable.
    """
    handle_data_util.copy_handle_data(source, target)


def handle_data(handle: tf.Tensor) -> tuple[Any, Any] | None:
    """The dtype and shape of the variable, or of a list's elements, behind a tensor in a graph."""
    data = handle_data_util.get_handle_data(handle)
    if not data.is_set or len(data.shape_and_type) != 1:
        return None
    return data.shape_and_type[0].dtype, data.shape_and_type[0].shape


@contextlib.contextmanager
def outside_of_functions() -> Iterator[None]:
    """Enters `tf.init_scope`, without the variable creators of functions that are being built.

    In a `tf.function` they would be uninitialized, and there could be none in its second tracing.
    """
    with tf.init_scope():
        graph: Any = ops.get_default_graph()
        stack = graph._variable_creator_stack
        theirs = polymorphic_function.__name__
        if not any(creator.__module__ == theirs for _, creator in stack):
            yield
            return
        graph._variable_creator_stack = [c for c in stack if c[1].__module__ != theirs]
        try:
            yield
        finally:
            graph._variable_creator_stack = stack


def keep_with_functions(thing: Any) -> None:
    """Keeps an object for as long as the functions that are being built here."""
    for graph in graphs_around(ops.get_default_graph()):
        if not graph.building_function:
            break
        graph.add_to_collection(("compat_hub", "kept"), thing)


def graphs_around(graph: Any) -> Iterator[Any]:
    """A graph, and those that it is a function within, from the inside out."""
    while graph is not None:
        yield graph
        graph = getattr(graph, "outer_graph", None)


def bring_in(graph: Any, tensor: tf.Tensor) -> tf.Tensor:
    """The tensor as seen from where the program is: inside a function, a loop or a branch."""
    home = getattr(tensor, "graph", None)
    if home is None and not graph.building_function:  # an eager tensor in a graph of TF1
        tensor = tf.constant(tensor.numpy())
    elif home is not graph:
        tensor = graph.capture(tensor)
    context = graph._get_control_flow_context()
    return tensor if context is None else context.AddValue(tensor)


def always_run(graph: Any, operations: Iterable[Any]) -> None:
    """Makes operations run at each call of the function that is being built in `graph`."""
    graph.control_outputs.extend(operations)


def clear_attr(graph: tf.Graph, known: int, name: str, nodes: Container[str]) -> None:
    """Takes an attribute from the operations that came after `known`.

    From those with names in `nodes`, not counting the outermost scope, which is the import's.
    """
    added: list[Any] = graph.get_operations()[known:]
    for operation in added:
        if operation.name.partition("/")[2] in nodes:
            operation._clear_attr(name)


def colocation(operation: Any) -> set[bytes]:
    """The colocation groups that an op names, without the one that is its own."""
    return {c for c in operation.get_attr("_class") if c.startswith(b"loc:@")}


def set_colocation(operation: Any, groups: list[bytes], device: str) -> None:
    """Replaces the colocation groups of an op; `tf.colocate_with` only sets those of new ones."""
    others = [c for c in operation.get_attr("_class") if not c.startswith(b"loc:@")]
    value = tf.compat.v1.AttrValue()
    value.list.s.extend([*others, *groups])
    operation._set_attr("_class", value)
    operation._set_device(device)
