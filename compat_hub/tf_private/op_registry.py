"""TensorFlow's registry of ops and kernels (`op_def_registry`, `kernels`).

All of it was seen in TensorFlow 2.16.2 and 2.21.0.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import (
    context,
    execute,
)
from tensorflow.python.framework import (
    kernels,
    op_def_library,
    op_def_registry,
)


def is_registered_op(name: str) -> bool:
    """Whether this process knows the op; `tf.raw_ops` leaves out ops of extension libraries."""
    return op_def_registry.get(name) is not None


def makes_resource(name: str) -> bool:
    """Whether the op makes a resource out of nothing, as a table does; variables not counted."""
    op_def = op_def_registry.get(name)
    return (
        op_def is not None
        and op_def.is_stateful
        and not op_def.input_arg
        and [o.type for o in op_def.output_arg] == [tf.resource.as_datatype_enum]
        and name != "VarHandleOp"
    )


def is_state_op(name: str) -> bool:
    """Whether the op holds state that comes out of nothing: a variable, a table, an iterator.

    As tensorflow_hub tells what belongs to the state of a module.
    """
    op_def = op_def_registry.get(name)
    return op_def is not None and op_def.is_stateful and not op_def.input_arg


def make_resource(graph_def: Any) -> tf.Tensor:
    """The handle of a resource that one node makes out of nothing; any registered op may be it.

    `tf.raw_ops` has no ops of extension packages, and cannot be given functions.

    Args:
        graph_def: The node, and the functions that it needs.
    """
    (node,) = graph_def.node
    if not context.executing_eagerly():
        handles = tf.graph_util.import_graph_def(
            graph_def, return_elements=[f"{node.name}:0"], name="resource"
        )
        return handles[0]
    runtime: Any = context.context()
    for function in graph_def.library.function:
        runtime.add_function_def(function)
    attrs = [part for name, a in node.attr.items() for part in (name, _eager_attr(a))]
    return execute.execute(node.op.encode(), 1, inputs=[], attrs=tuple(attrs), ctx=runtime)[0]


def apply_op(name: str, inputs: Sequence[Any], attrs: Mapping[str, Any]) -> list[tf.Tensor]:
    """Adds a node of any registered op to the current graph.

    Args:
        name: The op.
        inputs: One value for each of its inputs.
        attrs: Attributes by name, where they do not follow from the inputs nor have their default.

    Returns:
        Its outputs.
    """
    definition: Any = op_def_registry.get(name)
    given = dict(zip([a.name for a in definition.input_arg], inputs, strict=True))
    inferred = {a.type_attr for a in definition.input_arg}
    defaults = {a.name: None for a in definition.attr if a.name not in inferred}
    result: Any = op_def_library.apply_op(name, **given, **{**defaults, **attrs})
    return list(result) if isinstance(result, list | tuple) else [result]


def _eager_attr(attr: Any) -> Any:
    """An AttrValue as the eager runtime takes it."""
    kind = attr.WhichOneof("value")
    if kind == "list":
        lists = attr.list
        shapes = [_eager_shape(shape) for shape in lists.shape]
        return [*lists.s, *lists.i, *lists.f, *lists.b, *lists.type, *shapes]
    if kind == "func":
        return attr.func.name
    return _eager_shape(attr.shape) if kind == "shape" else getattr(attr, kind)


def _eager_shape(shape: Any) -> list[int] | None:
    return None if shape.unknown_rank else [dim.size for dim in shape.dim]


def op_def(name: str) -> Any:
    """The OpDef of an op, or None: there is no public registry."""
    return op_def_registry.get(name)


@functools.cache
def xla_dtypes(op_name: str) -> dict[str, frozenset[int]] | None:
    """The dtypes, by attribute, for which XLA compiles an op; None if it does not compile it."""
    _register_xla_kernels()
    for kernel in kernels.get_registered_kernels_for_op(op_name).kernel:
        if kernel.device_type == "XLA_GPU_JIT":
            return {c.name: frozenset(c.allowed_values.list.type) for c in kernel.constraint}
    return None


@functools.cache
def _register_xla_kernels() -> None:
    """TensorFlow lists the kernels of XLA after something was compiled, and not before."""
    with tf.init_scope(), tf.device("CPU:0"):
        tf.function(tf.identity, jit_compile=True)(tf.constant(0.0))
