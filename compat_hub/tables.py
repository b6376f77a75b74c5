"""Lookup tables and the other resources that a module's graph makes without inputs."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from compat_hub import _tensorflow
from compat_hub.errors import ModuleFormatError

# Reference-counted twins: a table then lives as long as any function or dataset that captured it.
_ANONYMOUS = {
    "HashTableV2": "AnonymousHashTable",
    "MutableHashTableV2": "AnonymousMutableHashTable",
    "MutableHashTableOfTensorsV2": "AnonymousMutableHashTableOfTensors",
}
SHARING_ATTRS = frozenset({"container", "shared_name", "use_node_name_sharing"})


class Table(_tensorflow.RESOURCE_BASE):
    """One resource of the module, created from the node that makes it in the graph.

    Attributes:
        node: That node's `NodeDef`.
        where: How messages name the node's graph.

    Raises:
        ModuleFormatError: While it is created, at its first use: the node does not fit its op.
    """

    def __init__(self, node: Any, where: str) -> None:
        super().__init__()
        self.node = node
        self.where = where
        self._initializer: Callable[[], None] | None = None

    def _create_resource(self) -> tf.Tensor:
        try:
            op, attrs = self._op_and_attrs()
            with tf.device("CPU"):
                return getattr(tf.raw_ops, op)(**attrs)
        except (TypeError, ValueError, tf.errors.OpError) as error:
            raise ModuleFormatError(
                f"In {self.where}: the table {self.node.name!r} cannot be created from its node of "
                f"type {self.node.op!r}: {error}. The module is damaged; get a fresh copy of it."
            ) from error

    def _initialize(self) -> None:
        """Fills the table; where a SavedModel is loaded, this runs after `_create_resource`."""
        if self._initializer is not None:
            self._initializer()

    def initialize_with(
        self, initializer: Callable[[], None] | None, assets: Mapping[str, tf.saved_model.Asset]
    ) -> None:
        """Says how to fill the table, and from which files, by their names."""
        self._initializer = initializer
        for name, asset in assets.items():
            _tensorflow.track(self, asset, name)

    def _op_and_attrs(self) -> tuple[str, dict[str, Any]]:
        attrs = {
            name: _attr_value(value)
            for name, value in self.node.attr.items()
            if name not in SHARING_ATTRS and not name.startswith("_")
        }
        op = self.node.op
        # In a session a SavedModel makes its resources once to fill and once to read them: only a
        # name makes the two one. And only by a name other processes reach a table.
        if op in _ANONYMOUS and not (_tensorflow.is_saving() or _is_reached_by_others()):
            return _ANONYMOUS[op], attrs
        return op, {**attrs, "shared_name": f"{self.node.name}_{uuid.uuid4().hex}"}

    def tensor(self) -> tf.Tensor:
        """The resource's handle."""
        with tf.init_scope():  # the first use may be in a function that is being traced
            return self.resource_handle

    def argument(self, writes: bool = False) -> tf.Tensor:
        """The same for all replicas of a strategy that this process has."""
        del writes
        return self.tensor()

    def prepare(self, placeholder: tf.Tensor) -> None:
        """A table's handle tells no more than its dtype."""

    def accessed(self) -> None:
        """No tape watches a table."""

    def written(self) -> None:
        """There is one table, and the call has written to it."""


class MutableTable(Table):
    """A table that calls may change: checkpoints and SavedModels have what is in it."""

    def _serialize_to_tensors(self) -> dict[str, tf.Tensor]:
        """The content, for `tf.train.Checkpoint`."""
        keys, values = tf.raw_ops.LookupTableExportV2(
            table_handle=self.resource_handle,
            Tkeys=self._dtype("key_dtype"),
            Tvalues=self._dtype("value_dtype"),
        )
        return {"keys": keys, "values": values}

    def _restore_from_tensors(self, restored_tensors: Mapping[str, tf.Tensor]) -> Any:
        """Takes the content, in the place of what is in the table."""
        return tf.raw_ops.LookupTableImportV2(
            table_handle=self.resource_handle,
            keys=restored_tensors["keys"],
            values=restored_tensors["values"],
        )

    def _dtype(self, attr: str) -> tf.DType:
        return tf.as_dtype(self.node.attr[attr].type)


def make_table(node: Any, where: str) -> Table:
    """A table for the node that makes one in the graph; `where` is how messages name the graph."""
    return (MutableTable if node.op.startswith("Mutable") else Table)(node, where)


def _is_reached_by_others() -> bool:
    """Whether the workers of a cluster will look things up in this process."""
    return isinstance(tf.distribute.get_strategy(), tf.distribute.ParameterServerStrategy)


def _attr_value(attr: Any) -> Any:
    kind = attr.WhichOneof("value")
    if kind == "type":
        return tf.as_dtype(attr.type)
    if kind == "shape":
        return tf.TensorShape(attr.shape)
    if kind == "list":
        return [
            *(tf.as_dtype(t) for t in attr.list.type),
            *(tf.TensorShape(s) for s in attr.list.shape),
            *attr.list.s,
            *attr.list.i,
            *attr.list.f,
            *attr.list.b,
        ]
    return getattr(attr, kind)
