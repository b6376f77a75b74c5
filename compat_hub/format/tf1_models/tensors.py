"""The tensors of a graph: found by name, with their dtypes and the shapes that the graph notes."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import TensorInfo

from compat_hub.errors import SignatureError, UnknownNameError
from compat_hub.format.placeholders import PLACEHOLDERS
from compat_hub.graphdef.analysis.control_flow_contexts import find_context
from compat_hub.graphdef.names import node_of
from compat_hub.graphdef.nearest import nearest_nodes
from compat_hub.graphdef.op_outputs import output_dtypes
from compat_hub.graphdef.private_attrs import NOTED_SHAPES
from compat_hub.graphdef.subgraph import index_nodes
from compat_hub.tf_private import op_registry

_DEQUEUE = frozenset({"QueueDequeue", "QueueDequeueV2"})
_DEQUEUE_MANY = frozenset(
    {"QueueDequeueMany", "QueueDequeueManyV2", "QueueDequeueUpTo", "QueueDequeueUpToV2"}
)
_HANDLES = (tf.resource, tf.variant)


class Tensors:
    """The tensors of one meta graph.

    Args:
        meta_graph: The meta graph; it must not change while this is used.
        where: How messages name it.
    """

    def __init__(self, meta_graph: Any, where: str) -> None:
        self.where = where
        self.nodes = index_nodes(meta_graph.graph_def)
        functions = [f.signature for f in meta_graph.graph_def.library.function]
        others = [*functions, *meta_graph.meta_info_def.stripped_op_list.op]
        self._others = {op.name: op for op in others}

    def find(self, name: object, what: str) -> str:
        """The canonical name of a tensor: `"x:0"` for `"x"`.

        Args:
            name: What the caller gave.
            what: What it is for, as messages say it.

        Raises:
            UnknownNameError: The graph has no such tensor.
            SignatureError: It is no name, or that of a tensor without a value of its own.
        """
        if not isinstance(name, str) or not name or name.startswith("^"):
            raise SignatureError(
                f"In {self.where}: {what} is the name of a tensor, such as 'logits:0', found "
                f"{name!r}."
            )
        node = self.nodes.get(node_of(name))
        if node is None:
            raise UnknownNameError(
                f"In {self.where}: the graph has no tensor {name!r}, which {what} names. "
                f"{nearest_nodes(name, self.nodes)}"
            )
        number = name.removeprefix(node_of(name)).removeprefix(":") or "0"
        count = len(self._dtypes(node))
        if not number.isdecimal() or (int(number) >= count and count) or not count:
            raise UnknownNameError(
                f"In {self.where}: the graph has no tensor {name!r}, which {what} names: the node "
                f"{node.name!r}, of the type {node.op!r}, has the outputs {list(range(count))}."
            )
        return f"{node.name}:{int(number)}"

    def check_value(self, tensor: str, what: str, fed: Collection[str] = ()) -> None:
        """Checks that a run has one value of a tensor.

        Raises:
            SignatureError: It is a handle, or inside of a loop or conditional.
        """
        if self.dtype(tensor) in _HANDLES:
            raise SignatureError(
                f"In {self.where}: {tensor!r}, which {what} names, is a handle and no value. Name "
                "a tensor that is computed from it."
            )
        context = None if tensor in fed else find_context(self.nodes, tensor, fed)
        if context is not None:
            raise SignatureError(
                f"In {self.where}: {tensor!r}, which {what} names, is inside of {context}, so it "
                "has no one value in a run. Name one before or after it."
            )

    def dtype(self, tensor: str) -> tf.DType:
        """The dtype of a tensor, as a value; of an unknown op's, `tf.float32`."""
        dtypes = self._dtypes(self.nodes[node_of(tensor)])
        number = int(tensor.rpartition(":")[2])
        return tf.as_dtype(dtypes[number]).base_dtype if number < len(dtypes) else tf.float32

    def knows(self, tensor: str) -> bool:
        """Whether the graph has a tensor."""
        node = self.nodes.get(node_of(tensor))
        return node is not None and int(tensor.rpartition(":")[2]) < len(self._dtypes(node))

    def shape(self, tensor: str) -> tf.TensorShape:
        """The shape of a tensor, as far as the graph notes it."""
        node = self.nodes[node_of(tensor)]
        number = int(tensor.rpartition(":")[2])
        nothing: Any = None
        is_fed = node.op in PLACEHOLDERS or node.op == "PlaceholderWithDefault"
        if (
            is_fed and "shape" in node.attr and node.attr["shape"].shape.dim
        ):  # of old ones, [] is any
            return tf.TensorShape(node.attr["shape"].shape)
        for attr in (NOTED_SHAPES, "output_shapes"):
            if attr in node.attr and number < len(node.attr[attr].list.shape):
                return tf.TensorShape(node.attr[attr].list.shape[number])
        return self._queued_shape(node, number) or tf.TensorShape(nothing)

    def info(self, tensor: str) -> TensorInfo:
        """What a signature says of a tensor."""
        info = TensorInfo(name=tensor, dtype=self.dtype(tensor).as_datatype_enum)
        info.tensor_shape.CopyFrom(self.shape(tensor).as_proto())
        return info

    def _queued_shape(self, node: Any, number: int) -> tf.TensorShape | None:
        if node.op not in _DEQUEUE | _DEQUEUE_MANY or not node.input:
            return None
        queue = self.nodes.get(node_of(node.input[0]))
        if queue is None or number >= len(queue.attr["shapes"].list.shape):
            return None
        shape = tf.TensorShape(queue.attr["shapes"].list.shape[number])
        return tf.TensorShape([None]).concatenate(shape) if node.op in _DEQUEUE_MANY else shape

    def _dtypes(self, node: Any) -> list[int]:
        return output_dtypes(node, lambda op: op_registry.op_def(op) or self._others.get(op))
