"""Imports GraphDefs into graphs of TensorFlow 2, or into functions of TensorFlow's C API."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf

from compat_hub.errors import ModuleFormatError
from compat_hub.format.variant import GraphVariant
from compat_hub.graphdef.function_library import all_nodes, rename_functions
from compat_hub.graphdef.passes.control_flow.make_function import TensorType
from compat_hub.graphdef.private_attrs import COLOCATION
from compat_hub.graphdef.subgraph import consumed_tensors
from compat_hub.tf_private import bare_functions, graph_internals, op_registry

_HANDLES = (tf.resource, tf.variant)
# The gradient of a While adds a variant of its functions under a name that follows from theirs, and
# what is in it depends on what is differentiated: no two imports can share these functions.
_numbers = itertools.count()
_IMPORT_SCOPE = "module"  # node names in the messages of TensorFlow's runtime begin with it


def import_graph(
    variant: GraphVariant, graph_def: Any, given: Mapping[str, tf.Tensor], wanted: Sequence[str]
) -> list[Any]:
    """Imports a graph into the current one.

    Args:
        variant: Where it comes from.
        graph_def: The graph.
        given: The tensors that take the place of the graph's, by name.
        wanted: Names of tensors and nodes.

    Returns:
        The tensors and operations that are wanted.

    Raises:
        ModuleFormatError: This TensorFlow cannot import the graph.
    """
    if graph_def.library.function:
        original, graph_def = graph_def, type(graph_def)()
        graph_def.CopyFrom(original)
        rename_functions(graph_def, f"_{next(_numbers)}")
    consumed = consumed_tensors(graph_def, given.keys())
    ops = {node.op for node in all_nodes(graph_def)}
    known = len(tf.compat.v1.get_default_graph().get_operations())
    # The importer asks each node for this; the answer "there is none" is a slow exception.
    unplaced = {node.name for node in graph_def.node if not node.attr[COLOCATION].list.s}
    for node in graph_def.node:
        node.attr[COLOCATION].list.SetInParent()
    with _importing(variant):
        elements = tf.graph_util.import_graph_def(
            graph_def,
            input_map={name: given[name] for name in consumed},
            return_elements=list(wanted),
            name=_IMPORT_SCOPE,
            producer_op_list=_producer_ops(variant) if has_newer_attrs(variant, ops) else None,
        )
    # tf.vectorized_map makes nodes with the attributes of others, and then asks for each.
    graph_internals.clear_attr(tf.compat.v1.get_default_graph(), known, COLOCATION, unplaced)
    return list(elements or [])


def import_bare(
    variant: GraphVariant,
    graph_def: Any,
    name: str,
    graph: tf.Graph,
    given: Mapping[str, tf.Tensor],
    fetches: Sequence[str],
    targets: Sequence[str],
) -> bare_functions.BareFunction:
    """Imports a graph into one that has only the tensors in `given`, the function's arguments.

    Raises:
        ModuleFormatError: This TensorFlow cannot import the graph.
    """
    for node in graph_def.node:
        # Graphs may come without attributes that have their default, not with empty ones.
        for empty in [a for a, value in node.attr.items() if value.WhichOneof("value") is None]:
            del node.attr[empty]
    with _importing(variant):
        return bare_functions.BareFunction(
            name, graph, given.values(), graph_def, _IMPORT_SCOPE, given, fetches, targets
        )


@contextlib.contextmanager
def _importing(variant: GraphVariant) -> Iterator[None]:
    try:
        yield
    except (ValueError, tf.errors.OpError) as error:
        raise ModuleFormatError(
            f"In {variant.where}: TensorFlow {tf.__version__} cannot import the graph: {error}"
        ) from error


def has_newer_attrs(variant: GraphVariant, ops: Iterable[str]) -> bool:
    """Whether the program that wrote a variant knew attributes of these ops that are unknown here.

    Where they have their default, they are left out.
    """
    ours = {op: op_registry.op_def(op) for op in ops}
    for theirs in _producer_ops(variant).op:
        known = ours.get(theirs.name)
        if known is not None and {a.name for a in theirs.attr} - {a.name for a in known.attr}:
            return True
    return False


def _producer_ops(variant: GraphVariant) -> Any:
    return variant.meta_graph.meta_info_def.stripped_op_list


def complete_handle_data(graph: Any) -> None:
    """Tells what While ops and StopGradient pass through what is known of the things behind.

    That is the dtype and shape of variables, and of the elements of lists. The importer does not. A
    second gradient looks for the variables, and a first one has no zeros for a list unless it knows
    that the list holds no strings.
    """
    for operation in graph.get_operations():
        if operation.type in {"While", "StatelessWhile", "StopGradient"}:
            for source, result in zip(operation.inputs, operation.outputs, strict=True):
                if source.dtype in _HANDLES:
                    graph_internals.copy_handle_data(source, result)


def infer_types(
    variant: GraphVariant,
    graph_def: Any,
    given: Mapping[str, tf.TypeSpec],
    handles: Mapping[str, tf.Tensor],
) -> dict[str, TensorType]:
    """The type of each tensor of a graph, those given included."""
    with tf.Graph().as_default() as graph:
        placeholders = {
            name: tf.compat.v1.placeholder(spec.dtype, spec.shape) for name, spec in given.items()
        }
        for name, handle in handles.items():
            graph_internals.copy_handle_data(handle, placeholders[name])
        import_graph(variant, graph_def, placeholders, [])
        complete_handle_data(graph)
        prefix = f"{_IMPORT_SCOPE}/"
        tensors = {
            tensor.name.removeprefix(prefix): tensor
            for operation in graph.get_operations()
            if operation.name.startswith(prefix)
            for tensor in operation.outputs
        }
        return {name: _type_of(t) for name, t in {**tensors, **placeholders}.items()}


def _type_of(tensor: tf.Tensor) -> TensorType:
    behind = graph_internals.handle_data(tensor) if tensor.dtype in _HANDLES else None
    return TensorType(tensor.dtype.base_dtype.as_datatype_enum, tensor.shape.as_proto(), behind)
