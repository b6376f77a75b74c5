"""A graph variant: one MetaGraph of the module, with its collections read and checked."""

from __future__ import annotations

import dataclasses
import functools
import os
import uuid
from collections.abc import Container, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.framework import variable_pb2

from compat_hub.errors import ModuleFormatError, UnknownNameError
from compat_hub.format import protos, tensor_info
from compat_hub.format.placeholders import PLACEHOLDERS, complete_input
from compat_hub.format.tensor_info import TensorInfo
from compat_hub.graphdef.function_library import find_open_attribute, library_digest
from compat_hub.graphdef.names import node_of, tensor_of
from compat_hub.graphdef.passes.control_flow.back_prop import find_undifferentiated_exits
from compat_hub.graphdef.passes.references_to_resources import REFERENCE_VARIABLE_OPS, VARIABLE_OPS
from compat_hub.graphdef.subgraph import ancestors, cut, dependents, index_nodes, names_by_op
from compat_hub.tf_private import op_registry

# The keys of tf.compat.v1.GraphKeys, and two more that SavedModel and TF1 Hub format define.
_VARIABLES = "variables"
_TRAINABLE_VARIABLES = "trainable_variables"
_REGULARIZATION_LOSSES = "regularization_losses"
_UPDATE_OPS = "update_ops"
_TABLE_INITIALIZERS = "table_initializer"
_WHILE_CONTEXT = "while_context"
_COND_CONTEXT = "cond_context"
_SAVED_MODEL_ASSETS = "saved_model_assets"
_ATTACHMENTS = "hub_module_attachments"

_FRESH_COPY = "The module is damaged; get a fresh copy of it."


@dataclasses.dataclass(frozen=True)
class Signature:
    """A named function of a variant.

    Attributes:
        name: Its name; the one that callers get without asking is `"default"`.
        inputs: What it takes, by name.
        outputs: What it gives, by name.
    """

    name: str
    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]

    @property
    def default_output(self) -> str:
        """The name of the output that a call returns: `"default"`, or the only one."""
        return next(iter(self.outputs)) if len(self.outputs) == 1 else "default"

    def select_outputs(self, outputs: Sequence[str] | None, where: str) -> tuple[str, ...]:
        """The names of the wanted outputs, all of them for None.

        Raises:
            UnknownNameError: The signature has no output of that name.
        """
        for name in outputs or ():
            if name not in self.outputs:
                existing = ", ".join(map(repr, self.outputs))
                hint = " Or ask for all with as_dict=True." if name == "default" else ""
                raise UnknownNameError(
                    f"There is no output {name!r} in {where}, signature {self.name!r}. "
                    f"It has: {existing}.{hint}"
                )
        return tuple(self.outputs if outputs is None else outputs)


@dataclasses.dataclass(frozen=True)
class Slice:
    """Which part of a partitioned variable one variable is.

    Attributes:
        full_shape: The shape of the whole.
        offset: Where the part begins, in each dimension.
        shape: The shape of the part.
    """

    full_shape: tuple[int, ...]
    offset: tuple[int, ...]
    shape: tuple[int, ...]

    @property
    def spec(self) -> str:
        """As TensorFlow's restore op takes it: `"12 4 8,4:0,4"`."""
        full = " ".join(str(n) for n in self.full_shape)
        parts = ":".join(f"{o},{n}" for o, n in zip(self.offset, self.shape, strict=True))
        return f"{full} {parts}"


@dataclasses.dataclass(frozen=True)
class VariableInfo:
    """What a variant says of one variable.

    Attributes:
        name: The node that holds it; what tells variables of different variants to be the same.
        key: Its name in the checkpoint, shared by all parts of a partitioned variable.
        dtype: Its dtype.
        shape: Its shape, as far as the graph fixes it.
        trainable: Whether it is in the TRAINABLE_VARIABLES collection.
        slice: Which part of the partitioned variable `key` it is; None for a whole variable.
        initial_value: Name of the tensor that its initializer assigns.
    """

    name: str
    key: str
    dtype: tf.DType
    shape: tf.TensorShape
    trainable: bool
    slice: Slice | None
    initial_value: str


def format_tags(tags: Iterable[str]) -> str:
    """Tags as an error message shows them: `set()` or `{"gpu", "train"}`."""
    tags = sorted(tags)
    return "{" + ", ".join(f'"{t}"' for t in tags) + "}" if tags else "set()"


class GraphVariant:
    """The read-only description of one MetaGraph.

    Attributes:
        tags: The set of tags that names it.
        handle: How messages name the module.
        where: How messages name it: the module's handle and the tags.
        meta_graph: The `MetaGraphDef`; not to be changed.
        nodes: The graph's nodes by name, in the graph's order.
        signatures: Its signatures by name.
        variables: All its variables, in the order of the VARIABLES collection.
        regularization_losses: Names of scalar tensors.
        update_ops: Names of nodes.
        table_initializers: Names of nodes.
        assets: File name inside the assets folder, by the name of the tensor that holds its path.
        attachments: Serialized messages by key.
        programs: What has been built of it, for all modules that are loaded from it.

    Raises:
        ModuleFormatError: The MetaGraph contradicts itself.
    """

    def __init__(self, meta_graph: Any, handle: str) -> None:
        self.meta_graph = meta_graph
        self.tags = frozenset(meta_graph.meta_info_def.tags)
        self.handle = handle
        self.where = f"module {handle!r}, variant {format_tags(self.tags)}"
        self.nodes = index_nodes(meta_graph.graph_def)
        self.signatures = self._read_signatures()
        self.variables = self._read_variables()
        self.regularization_losses = tuple(map(tensor_of, self._node_list(_REGULARIZATION_LOSSES)))
        self.update_ops = tuple(dict.fromkeys(map(node_of, self._node_list(_UPDATE_OPS))))
        self.table_initializers = tuple(map(node_of, self._node_list(_TABLE_INITIALIZERS)))
        self.assets = self._read_assets()
        self.attachments = self._read_attachments()
        # Never stale: a program that draws random numbers is not in it.
        self.programs: dict[Any, Any] = {}
        self._check_references()
        self._check_function_names()
        self._check_function_attributes()

    @property
    def default_signature(self) -> str:
        """The signature of calls that name none: `"default"`, `"serving_default"`, the only one."""
        known = [name for name in ("default", "serving_default") if name in self.signatures]
        if not known and len(self.signatures) == 1:
            known = list(self.signatures)
        return known[0] if known else "default"

    def subgraph(self, wanted: Iterable[str], fed: Iterable[str]) -> Any:
        """The GraphDef of what `wanted` needs when `fed` is given: `graph.subgraph.cut`.

        Raises:
            ModuleFormatError: The graph lacks a node that is needed.
        """
        try:
            return cut(self.meta_graph.graph_def, self.nodes, wanted, frozenset(fed))
        except KeyError as error:
            raise self._missing_node(error.args[0]) from error

    def needed_nodes(self, wanted: Iterable[str], fed: Iterable[str] = ()) -> set[str]:
        """The names of the nodes that `wanted` needs when `fed` is given.

        Raises:
            ModuleFormatError: The graph lacks a node that is needed.
        """
        try:
            return ancestors(self.nodes, wanted, frozenset(fed))
        except KeyError as error:
            raise self._missing_node(error.args[0]) from error

    def needed_without_initializers(self) -> set[str]:
        """The names of the nodes that something needs besides the initializers of variables.

        Raises:
            ModuleFormatError: The graph lacks a node that is needed.
        """
        outputs = [o for s in self.signatures.values() for o in s.outputs.values()]
        wanted = [component for output in outputs for component in output.components]
        wanted += [*self.regularization_losses, *self.update_ops, *self.table_initializers]
        return self.needed_nodes(wanted)

    def unfed_placeholders(self, wanted: Iterable[str], fed: Iterable[str] = ()) -> list[str]:
        """The placeholders without a default that `wanted` would still need."""
        needed = self.needed_nodes(wanted, fed)
        return [name for name in needed if self.nodes[name].op in PLACEHOLDERS]

    def runnable(self, wanted: Iterable[str], fed: Iterable[str] = ()) -> list[str]:
        """Those of the tensors and nodes `wanted` that need no placeholder besides `fed`."""
        fed = frozenset(fed)
        placeholders = [name for op in PLACEHOLDERS for name in self.nodes_by_op.get(op, ())]
        open_nodes = dependents(self.nodes, placeholders, fed)
        return [n for n in wanted if n in fed or node_of(n) not in open_nodes]

    def runnable_update_ops(self, given: Sequence[str]) -> list[str]:
        """The update ops that need no placeholder besides the tensors `given`."""
        return self.runnable(self.update_ops, given)

    def free_losses(self) -> list[str]:
        """The regularization losses that depend on no input without a default."""
        return self.runnable(self.regularization_losses)

    def input_losses(self, given: Sequence[str]) -> list[str]:
        """The regularization losses that need inputs, and can be computed from those `given`."""
        free = set(self.free_losses())
        return [n for n in self.runnable(self.regularization_losses, given) if n not in free]

    def variables_missing_in(self, tensors: Container[str]) -> set[str]:
        """The names of the variables whose tensors are not among `tensors`."""
        return {info.name for info in self.variables if tensor_of(info.name) not in tensors}

    def has_default(self, info: TensorInfo) -> bool:
        """Whether an input may be left out: all its tensors are placeholders with a default."""
        return all(self.nodes[node_of(c)].op == "PlaceholderWithDefault" for c in info.components)

    @functools.cached_property
    def ops(self) -> frozenset[str]:
        """The ops of the graph's nodes and of its functions' nodes."""
        functions = self.meta_graph.graph_def.library.function
        used = ({node.op for node in f.node_def} for f in functions)
        return frozenset(self.nodes_by_op).union(*used)

    @functools.cached_property
    def nodes_by_op(self) -> Mapping[str, Sequence[str]]:
        """The names of the graph's nodes by their op."""
        return names_by_op(self.nodes)

    @functools.cached_property
    def library_digest(self) -> str:
        """A digest of the graph's function library."""
        return library_digest(self.meta_graph.graph_def.library)

    @functools.cached_property
    def resource_prefix(self) -> str:
        """What the names of its resources begin with in this process, and no others."""
        return uuid.uuid4().hex

    @functools.cached_property
    def function_names(self) -> frozenset[str]:
        """The names of the functions in the graph's library."""
        return frozenset(f.signature.name for f in self.meta_graph.graph_def.library.function)

    @functools.cached_property
    def variables_by_node(self) -> Mapping[str, VariableInfo]:
        """The variables by the name of their node."""
        return MappingProxyType({v.name: v for v in self.variables})

    @functools.cached_property
    def variable_tensors(self) -> frozenset[str]:
        """The names of the tensors that stand for variables."""
        return frozenset(tensor_of(v.name) for v in self.variables)

    @functools.cached_property
    def variable_dtypes(self) -> Mapping[str, int]:
        """The dtypes of the variables, by the tensor that stands for them."""
        return {tensor_of(v.name): v.dtype.as_datatype_enum for v in self.variables}

    @functools.cached_property
    def undifferentiated_exits(self) -> frozenset[str]:
        """The Exit nodes of loops that were made with `back_prop=False`."""
        return find_undifferentiated_exits(
            self._values(_WHILE_CONTEXT, "bytes_list"), self._values(_COND_CONTEXT, "bytes_list")
        )

    @functools.cached_property
    def reference_variables(self) -> Mapping[str, int]:
        """The dtypes of the variables that are not resource variables, by their tensor."""
        return {
            tensor_of(v.name): v.dtype.as_datatype_enum
            for v in self.variables
            if self.nodes[v.name].op in REFERENCE_VARIABLE_OPS
        }

    def _missing_node(self, name: str, who: str = "the graph") -> ModuleFormatError:
        return ModuleFormatError(
            f"In {self.where}: {who} refers to the node {name!r}, which the graph does not have. "
            "The module is damaged or was cut by a tool; get a fresh copy of it."
        )

    def _values(self, collection: str, kind: str) -> list[Any]:
        if collection not in self.meta_graph.collection_def:
            return []
        proto = self.meta_graph.collection_def[collection]
        found = proto.WhichOneof("kind")
        if found not in (kind, None):
            raise ModuleFormatError(
                f"In {self.where}: the collection {collection!r} is stored as {found}, "
                f"expected {kind}. {_FRESH_COPY}"
            )
        return list(getattr(proto, kind).value)

    def _node_list(self, collection: str) -> tuple[str, ...]:
        return tuple(self._values(collection, "node_list"))

    def _parse(self, message: Any, value: bytes, what: str) -> Any:
        try:
            message.ParseFromString(value)
        except DecodeError as error:
            raise ModuleFormatError(
                f"In {self.where}: {what} cannot be parsed: {_reason(error)} {_FRESH_COPY}"
            ) from error
        return message

    def _read_signatures(self) -> Mapping[str, Signature]:
        signatures = {}
        for name in sorted(self.meta_graph.signature_def):
            proto = self.meta_graph.signature_def[name]
            try:
                inputs = {
                    key: complete_input(key, info, self.nodes)
                    for key, info in tensor_info.parse_map(proto.inputs).items()
                }
                outputs = tensor_info.parse_map(proto.outputs)
            except (ModuleFormatError, TypeError, ValueError) as error:
                raise ModuleFormatError(
                    f"In {self.where}: signature {name!r} cannot be read: {_reason(error)} "
                    f"{_FRESH_COPY}"
                ) from error
            signatures[name] = Signature(name, MappingProxyType(inputs), outputs)
        return MappingProxyType(signatures)

    def _variable_defs(self, collection: str) -> list[Any]:
        return [
            self._parse(variable_pb2.VariableDef(), value, f"an entry of {collection!r}")
            for value in self._values(collection, "bytes_list")
        ]

    def _read_variables(self) -> tuple[VariableInfo, ...]:
        trainable = {v.variable_name for v in self._variable_defs(_TRAINABLE_VARIABLES)}
        variables = {}
        for proto in self._variable_defs(_VARIABLES):
            name = node_of(proto.variable_name)
            if name not in self.nodes:
                raise self._missing_node(name, f"the collection {_VARIABLES!r}")
            try:
                variables[name] = self._read_variable(proto, proto.variable_name in trainable)
            except (IndexError, TypeError, ValueError) as error:
                raise ModuleFormatError(
                    f"In {self.where}: the variable {name!r} cannot be read: {_reason(error)} "
                    f"{_FRESH_COPY}"
                ) from error
        return tuple(variables.values())

    def _read_variable(self, proto: Any, trainable: bool) -> VariableInfo:
        name = node_of(proto.variable_name)
        node = self.nodes[name]
        if node.op not in VARIABLE_OPS:
            raise ValueError(f"the node of that name is of type {node.op!r}")
        part = _read_slice(proto)
        return VariableInfo(
            name=name,
            key=name.rpartition("/")[0] if part else name,
            dtype=tf.as_dtype(node.attr["dtype"].type).base_dtype,
            shape=_read_shape(node),
            trainable=trainable,
            slice=part,
            initial_value=self._initial_value(proto),
        )

    def _initial_value(self, proto: Any) -> str:
        if proto.initial_value_name:
            return tensor_of(proto.initial_value_name)
        assign = self.nodes.get(node_of(proto.initializer_name))  # before TF 1.4
        return tensor_of(assign.input[1]) if assign is not None else ""

    def _read_assets(self) -> Mapping[str, str]:
        files = list(self.meta_graph.asset_file_def)
        for packed in self._values(_SAVED_MODEL_ASSETS, "any_list"):
            file = tf.compat.v1.MetaGraphDef().asset_file_def.add()
            files.append(self._parse(file, packed.value, "an asset"))
        assets = {}
        for file in files:
            path = os.path.normpath(file.filename)
            if "\0" in path:
                raise ModuleFormatError(
                    f"In {self.where}: the asset {file.filename!r} has a name that no file has. "
                    f"{_FRESH_COPY}"
                )
            if not file.filename or os.path.isabs(path) or path.split(os.sep)[0] == os.pardir:
                raise ModuleFormatError(
                    f"In {self.where}: the asset {file.filename!r} points outside the module's "
                    "assets folder. Do not use this module unless you trust its source; get a "
                    "fresh copy of it."
                )
            assets[tensor_of(file.tensor_info.name)] = path
        return MappingProxyType(assets)

    def _read_attachments(self) -> Mapping[str, bytes]:
        attachments = {}
        for value in self._values(_ATTACHMENTS, "bytes_list"):
            attachment = self._parse(protos.ModuleAttachment(), value, "an attachment")
            attachments[attachment.key] = attachment.value
        return MappingProxyType(attachments)

    def _check_references(self) -> None:
        """Raises unless all that signatures and collections name is in the graph."""
        named = {
            f"the collection {_REGULARIZATION_LOSSES!r}": self.regularization_losses,
            f"the collection {_UPDATE_OPS!r}": self.update_ops,
            f"the collection {_TABLE_INITIALIZERS!r}": self.table_initializers,
            f"the collection {_SAVED_MODEL_ASSETS!r}": self.assets,
        }
        for signature in self.signatures.values():
            for kind, infos in ("input", signature.inputs), ("output", signature.outputs):
                for name, info in infos.items():
                    named[f"signature {signature.name!r}, {kind} {name!r},"] = info.components
        for who, names in named.items():
            for node in map(node_of, names):
                if node not in self.nodes:
                    raise self._missing_node(node, who)

    def _check_function_names(self) -> None:
        """Raises if a function has the name of an op: a node of that name could be either."""
        for function in self.meta_graph.graph_def.library.function:
            if op_registry.is_registered_op(function.signature.name):
                raise ModuleFormatError(
                    f"In {self.where}: a function of the graph is called "
                    f"{function.signature.name!r}, which is the name of an op. TensorFlow makes no "
                    "such functions: do not use this module unless you trust its source."
                )

    def _check_function_attributes(self) -> None:
        """Raises if callers of a function give an attribute in it its value: it shows none."""
        found = find_open_attribute(self.meta_graph.graph_def.library)
        if found:
            function, node, name = found
            raise ModuleFormatError(
                f"In {self.where}: in the function {function!r}, whoever calls it gives the "
                f"attribute {name!r} of the node {node!r} its value. TensorFlow writes no such "
                "functions into a model: do not use this module unless you trust its source."
            )


def _reason(error: Exception) -> str:
    return f"{str(error).rstrip('.')}."


def _read_shape(node: Any) -> tf.TensorShape:
    proto: Any = node.attr["shape"].shape if "shape" in node.attr else None
    return tf.TensorShape(proto)


def _read_slice(proto: Any) -> Slice | None:
    if not proto.HasField("save_slice_info_def"):
        return None
    info = proto.save_slice_info_def
    part = Slice(tuple(info.full_shape), tuple(info.var_offset), tuple(info.var_shape))
    if not (
        len(part.full_shape) == len(part.offset) == len(part.shape)
        and all(0 <= o <= o + n <= f for f, o, n in zip(*dataclasses.astuple(part), strict=True))
    ):
        raise ValueError(f"it is said to be the part {part} of a partitioned variable")
    return part
