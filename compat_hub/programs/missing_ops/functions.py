"""A computation in Python as a function of a graph's library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from compat_hub.graphdef.private_attrs import COLOCATION

NodeDef = Any


class Computation(NamedTuple):
    """What a node computes.

    Attributes:
        inputs: Specs of the node's inputs.
        outputs: The names of the op's outputs, as a function calls them.
        compute: Takes the inputs, and gives the outputs in order.
    """

    inputs: Sequence[tf.TensorSpec]
    outputs: Sequence[str]
    compute: Callable[..., Sequence[tf.Tensor]]


def as_library(computation: Computation) -> Any:
    """A FunctionDefLibrary: first the function that computes it, then those that it needs."""
    with tf.init_scope():
        traced = tf.function(computation.compute, autograph=False).get_concrete_function(
            *computation.inputs
        )
    library = traced.graph.as_graph_def().library
    made = type(library)()
    main = made.function.add()
    main.CopyFrom(traced.function_def)
    for arg, name in zip(main.signature.output_arg, computation.outputs, strict=True):
        main.ret[name] = main.ret.pop(arg.name)
        arg.name = name
    made.function.extend(library.function)
    for function in made.function:
        for node in function.node_def:
            node.attr.pop(COLOCATION, None)  # names nodes as they are called here
    return made


def dtype_of(node: NodeDef, attr: str = "T", default: tf.DType = tf.float32) -> tf.DType:
    """The dtype that an attribute of a node names; a graph may leave out the op's default."""
    return tf.as_dtype(node.attr[attr].type) if attr in node.attr else default


def spec(rank: int | None, dtype: tf.DType) -> tf.TensorSpec:
    """That of a tensor of which no more than the rank is known."""
    shape: Any = None if rank is None else [None] * rank
    return tf.TensorSpec(shape, dtype)
