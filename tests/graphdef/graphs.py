"""Small graphs, and what they compute in a session of TensorFlow 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import function_pb2, graph_pb2, node_def_pb2

from compat_hub.graphdef.passes.control_flow.make_function import Facts, TensorType
from compat_hub.graphdef.subgraph import index_nodes
from compat_hub.tf_private import graph_internals, op_registry

FLOAT = tf.float32.as_datatype_enum
INT = tf.int32.as_datatype_enum
RESOURCE = tf.resource.as_datatype_enum


def make_node(name: str, op: str, *inputs: str, **attrs: Any) -> Any:
    """A NodeDef; attributes are dtypes (`tf.DType`), ints, bytes, bools, lists of dtypes, arrays,
    function names (str), or placeholders (`("placeholder", name)`)."""
    node = node_def_pb2.NodeDef(name=name, op=op, input=inputs)
    for key, value in attrs.items():
        attr = node.attr[key]
        if isinstance(value, tf.DType):
            attr.type = value.as_datatype_enum
        elif isinstance(value, bool):
            attr.b = value
        elif isinstance(value, int):
            attr.i = value
        elif isinstance(value, bytes):
            attr.s = value
        elif isinstance(value, str):
            attr.func.name = value
        elif isinstance(value, tuple):
            attr.placeholder = value[1]
        elif isinstance(value, list):
            attr.list.type.extend(v.as_datatype_enum for v in value)
        else:
            attr.tensor.CopyFrom(tf.make_tensor_proto(value))
    return node


def make_function(
    name: str,
    arguments: Mapping[str, int | str],
    results: Mapping[str, tuple[str, int | str]],
    *nodes: Any,
    control: Sequence[str] = (),
) -> Any:
    """A FunctionDef; a type is a dtype's number or the name of a type attribute."""
    function = function_pb2.FunctionDef()
    function.signature.name = name

    def describe(arg: Any, kind: int | str) -> None:
        if isinstance(kind, str):
            arg.type_attr = kind
            if kind not in {a.name for a in function.signature.attr}:
                function.signature.attr.add(name=kind, type="type")
        else:
            arg.type = kind

    for argument, kind in arguments.items():
        describe(function.signature.input_arg.add(name=argument), kind)
    for result, (source, kind) in results.items():
        describe(function.signature.output_arg.add(name=result), kind)
        function.ret[result] = source
    for k, target in enumerate(control):
        function.signature.control_output.append(f"control_{k}")
        function.control_ret[f"control_{k}"] = target
    function.node_def.extend(nodes)
    stateful = {"AssignAddVariableOp", "AssignVariableOp", "StatefulPartitionedCall", "Assert"}
    function.signature.is_stateful = any(n.op in stateful for n in nodes)
    return function


def make_graph(*nodes: Any, functions: Sequence[Any] = (), **gradients: str) -> Any:
    """A GraphDef with a library; `gradients` are gradient functions by function."""
    graph_def = graph_pb2.GraphDef(node=nodes)
    graph_def.versions.producer = tf.version.GRAPH_DEF_VERSION
    graph_def.library.function.extend(functions)
    for function, gradient in gradients.items():
        graph_def.library.gradient.add(function_name=function, gradient_func=gradient)
    return graph_def


def placeholder(name: str, dtype: tf.DType = tf.float32) -> Any:
    return make_node(name, "Placeholder", dtype=dtype)


def constant(name: str, value: Any) -> Any:
    array = np.asarray(value, np.float32 if isinstance(value, float | list) else None)
    if array.dtype == np.int64:
        array = array.astype("int32")
    return make_node(name, "Const", dtype=tf.as_dtype(array.dtype), value=array)


def names(graph_def: Any) -> list[str]:
    return [node.name for node in graph_def.node]


def run(graph_def: Any, fetches: Sequence[str], **feeds: Any) -> list[Any]:
    """Runs a graph in a session, uninitialized variables and all."""
    with tf.Graph().as_default() as graph:
        tf.graph_util.import_graph_def(graph_def, name="")
        config = tf.compat.v1.ConfigProto()
        config.graph_options.rewrite_options.disable_meta_optimizer = True  # the graph as it is
        with tf.compat.v1.Session(graph=graph, config=config) as session:
            return session.run(list(fetches), {f"{k}:0": v for k, v in feeds.items()})


def types_of(graph_def: Any) -> dict[str, TensorType]:
    """The type of each tensor of a graph, as TensorFlow's shape inference has it."""
    with tf.Graph().as_default() as graph:
        tf.graph_util.import_graph_def(graph_def, name="")
        tensors = [tensor for op in graph.get_operations() for tensor in op.outputs]
        behind = (tf.resource, tf.variant)
        return {
            t.name: TensorType(
                t.dtype.base_dtype.as_datatype_enum,
                t.shape.as_proto(),
                graph_internals.handle_data(t) if t.dtype in behind else None,
            )
            for t in tensors
        }


def facts_of(graph_def: Any) -> Facts:
    return Facts(types_of(graph_def), op_registry.op_def)


def nodes_of(graph_def: Any) -> dict[str, Any]:
    """The nodes by name, a dict that a pass may change."""
    return dict(index_nodes(graph_def))


def with_functions(graph_def: Any, nodes: Mapping[str, Any], functions: Sequence[Any]) -> Any:
    """A graph of other nodes, with more functions."""
    result = make_graph(*nodes.values(), functions=[*graph_def.library.function, *functions])
    result.versions.CopyFrom(graph_def.versions)
    return result


def floats(name: str, op: str, *inputs: str, **attrs: Any) -> Any:
    """A node of an op whose only attribute that has no default is T, a float here."""
    return make_node(name, op, *inputs, T=tf.float32, **attrs)


def merge(name: str, *inputs: str) -> Any:
    return floats(name, "Merge", *inputs, N=len([i for i in inputs if i[0] != "^"]))


def loop_variable(name: str, start: str, after: str, condition: str = "go", **attrs: Any) -> list:
    """The nodes of a loop variable of the frame "frame": NAME/enter, .../exit.

    Args:
        name: Its name; what the body sees is NAME/in.
        start: Its first value.
        after: Its value after an iteration.
        condition: The loop's LoopCond.
        attrs: Attributes in place of those of a float in the frame "frame".
    """
    options = {"T": tf.float32, **attrs}
    frame = options.pop("frame_name", b"frame")
    return [
        make_node(f"{name}/enter", "Enter", start, frame_name=frame, **options),
        make_node(f"{name}/merge", "Merge", f"{name}/enter", f"{name}/next", N=2, **options),
        make_node(f"{name}/switch", "Switch", f"{name}/merge", condition, **options),
        make_node(f"{name}/in", "Identity", f"{name}/switch:1", **options),
        make_node(f"{name}/next", "NextIteration", after, **options),
        make_node(f"{name}/exit", "Exit", f"{name}/switch", **options),
    ]
