"""Lookup tables and the other resources that a module's graph makes without inputs."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from compat_hub.errors import ModuleFormatError
from compat_hub.format.variant import GraphVariant
from compat_hub.graphdef.function_library import (
    library_digest,
    needed_functions,
    rename_functions,
)
from compat_hub.graphdef.passes.own_resources import fill_memory, own_resources_of_functions
from compat_hub.graphdef.subgraph import strip_placement
from compat_hub.programs.passes import check_graph
from compat_hub.programs.state_tensor import StateTensor
from compat_hub.tf_private import op_registry, resources, saved_models, tracking

# Reference-counted twins: a table then lives as long as any function or dataset that captured it.
_ANONYMOUS = {
    "HashTableV2": "AnonymousHashTable",
    "IteratorV2": "AnonymousIteratorV3",
    "MutableHashTableV2": "AnonymousMutableHashTable",
    "MutableHashTableOfTensorsV2": "AnonymousMutableHashTableOfTensors",
}
_MUTABLE_TABLES = frozenset({"MutableHashTableV2", "MutableHashTableOfTensorsV2"})
_KINDS = {
    "HashTableV2": "table",
    **dict.fromkeys(_MUTABLE_TABLES, "table"),
    "IteratorV2": "iterator",
}
_RESOURCE = tf.resource.as_datatype_enum
_VARIANT = tf.variant.as_datatype_enum
SHARING_ATTRS = frozenset({"container", "shared_name", "use_node_name_sharing"})


class Table(resources.ResourceObject, StateTensor):
    """One resource of the module, created from the node that makes it in the graph.

    Mostly it is a lookup table; it may be an iterator over a dataset, a queue, or what an extension
    package has for its own ops.

    Attributes:
        node: That node's `NodeDef`.
        where: How messages name the node's graph.

    Raises:
        ModuleFormatError: While it is created, at its first use: the node does not fit its op.
    """

    def __init__(self, graph_def: Any, where: str) -> None:
        super().__init__()
        self._graph_def = graph_def
        self.node = graph_def.node[0]
        self.where = where
        self._initializer: Callable[[], None] | None = None
        self._lock = threading.Lock()

    def create_handle(self) -> tf.Tensor:
        """Makes the resource from its node."""
        try:
            with tf.device("CPU"):
                return op_registry.make_resource(self._named_graph_def())
        except (TypeError, ValueError, tf.errors.OpError) as error:
            kind = _KINDS.get(self.node.op, "resource")
            raise ModuleFormatError(
                f"In {self.where}: the {kind} {self.node.name!r} cannot be created from its node "
                f"of type {self.node.op!r}: {error}. The module is damaged; get a fresh copy of it."
            ) from error

    def fill(self) -> None:
        """Fills the table, if anything does."""
        if self._initializer is not None:
            self._initializer()

    def initialize_with(
        self, initializer: Callable[[], None] | None, assets: Mapping[str, tf.saved_model.Asset]
    ) -> None:
        """Says how to fill the table, and from which files, by their names."""
        self._initializer = initializer
        for name, asset in assets.items():
            tracking.track(self, asset, name)

    def _named_graph_def(self) -> Any:
        """The node under a name that no other resource of this process has, or without one."""
        graph_def = type(self._graph_def)()
        graph_def.CopyFrom(self._graph_def)
        node = graph_def.node[0]
        named = SHARING_ATTRS & {attr.name for attr in op_registry.op_def(node.op).attr}
        for name in [n for n in node.attr if n in SHARING_ATTRS or n.startswith("_")]:
            del node.attr[name]
        # In a graph, and in the session of a SavedModel, each run makes the resources anew: only a
        # name makes them one. And only by a name other processes reach a table.
        is_eager = tf.executing_eagerly() and not saved_models.is_saving()
        if node.op in _ANONYMOUS and is_eager and not _is_reached_by_others():
            node.op = _ANONYMOUS[node.op]
            return graph_def
        if "container" in named:
            node.attr["container"].s = b""  # some ops have no default for it
        if "shared_name" in named:
            node.attr["shared_name"].s = f"{self.node.name}_{uuid.uuid4().hex}".encode()
        return graph_def

    def spec(self) -> tf.TensorSpec:
        """The spec of the handle; this does not make the resource."""
        return tf.TensorSpec([], tf.resource)

    def tensor(self) -> tf.Tensor:
        """The resource's handle; the first use makes the resource."""
        with self._lock, tf.init_scope():  # the first use may be in a function that is being traced
            return self._made_handle()

    def _made_handle(self) -> tf.Tensor:
        return self.resource_handle


class MutableTable(Table, resources.ResourceWithContent):
    """A table that calls may change: checkpoints and SavedModels have what is in it."""

    def content(self) -> dict[str, tf.Tensor]:
        """The keys and values in the table."""
        keys, values = tf.raw_ops.LookupTableExportV2(
            table_handle=self.resource_handle,
            Tkeys=self._dtype("key_dtype"),
            Tvalues=self._dtype("value_dtype"),
        )
        return {"keys": keys, "values": values}

    def set_content(self, content: Mapping[str, tf.Tensor]) -> Any:
        """Replaces the keys and values in the table by those that `content` gave."""
        return tf.raw_ops.LookupTableImportV2(
            table_handle=self.resource_handle,
            keys=content["keys"],
            values=content["values"],
        )

    def _dtype(self, attr: str) -> tf.DType:
        return tf.as_dtype(self.node.attr[attr].type)


class OneShotIterator(Table):
    """An iterator that starts by itself, at its first use, over the dataset of a function.

    Its op keeps the iterator in the kernel, which calls of functions do not share. An iterator that
    is initialized does the same.
    """

    def __init__(self, graph_def: Any, where: str) -> None:
        node = graph_def.node[0]
        factory = node.attr["dataset_factory"].func
        start = type(graph_def)(versions=graph_def.versions, library=graph_def.library)
        start.node.add(name="iterator", op="Placeholder").attr["dtype"].type = _RESOURCE
        # Stateful, or TensorFlow would take the dataset for a constant.
        dataset = start.node.add(name="dataset", op="StatefulPartitionedCall")
        dataset.attr["f"].func.CopyFrom(factory)
        dataset.attr["Tin"].list.SetInParent()
        dataset.attr["Tout"].list.type.append(_VARIANT)
        start.node.add(name="start", op="MakeIterator", input=["dataset", "iterator"])
        self._start = start
        made = type(graph_def)()
        iterator = made.node.add(name=node.name, op="IteratorV2")
        for name in "output_types", "output_shapes":
            iterator.attr[name].CopyFrom(node.attr[name])
        self._is_started = False
        super().__init__(made, where)

    def _made_handle(self) -> tf.Tensor:
        if not self._is_started and tf.executing_eagerly():
            self.fill()
            self._is_started = True
        elif not self._is_started and not tf.compat.v1.executing_eagerly_outside_functions():
            self._is_started = True
            start = self._start_in_graph(self.resource_handle)
            tf.compat.v1.add_to_collection(tf.compat.v1.GraphKeys.TABLE_INITIALIZERS, start.op)
        return self.resource_handle

    def fill(self) -> None:
        """Starts the iterator."""
        if tf.executing_eagerly():
            # A function of TF1 runs what its outputs need, and returns no operation.
            tf.compat.v1.wrap_function(self._start_in_graph, [self.spec()])(self.resource_handle)
        else:
            self._start_in_graph(self.resource_handle)

    def _start_in_graph(self, handle: tf.Tensor) -> tf.Tensor:
        # The importer takes no tensor of another graph; an identity captures it.
        given = {"iterator:0": tf.identity(handle)}
        (start,) = tf.graph_util.import_graph_def(self._start, given, ["start"], name="start")
        with tf.control_dependencies([start]):
            return tf.constant(True)


def make_table(variant: GraphVariant, node: Any) -> Table:
    """A table, or another resource, for the node of a variant that makes one in the graph."""
    graph_def = _alone(variant, node)
    check_graph(variant, graph_def)
    own_resources_of_functions(graph_def, variant.resource_prefix, op_registry.op_def)
    fill_memory(graph_def)
    rename_functions(graph_def, f"__{library_digest(graph_def.library)}")
    if node.op == "OneShotIterator":
        return OneShotIterator(graph_def, variant.where)
    kind = MutableTable if node.op in _MUTABLE_TABLES else Table
    return kind(graph_def, variant.where)


def _alone(variant: GraphVariant, node: Any) -> Any:
    """The graph of a node that has no data inputs, without what its control inputs wait for.

    A call gets the resource, so the nodes before this one never run, and no check looked at them.
    """
    whole = variant.meta_graph.graph_def
    graph_def = type(whole)(versions=whole.versions)
    alone = graph_def.node.add()
    alone.CopyFrom(node)
    del alone.input[:]
    strip_placement(alone)
    needed_functions([alone], whole.library, into=graph_def.library)
    for function in graph_def.library.function:
        for inner in function.node_def:
            strip_placement(inner)
    return graph_def


def _is_reached_by_others() -> bool:
    """Whether the workers of a cluster will look things up in this process."""
    return isinstance(tf.distribute.get_strategy(), tf.distribute.ParameterServerStrategy)
