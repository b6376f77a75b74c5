"""One graph of a model on its way to a graph variant: edited first, then cut to what is needed."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from compat_hub.errors import InputTypeError, ModuleFormatError, SignatureError
from compat_hub.format.tf1_models.contexts import keep_contexts
from compat_hub.format.tf1_models.saver import find_restored
from compat_hub.format.tf1_models.sources import is_source
from compat_hub.format.tf1_models.tensors import Tensors
from compat_hub.format.tf1_models.variables import Variables, checkpoint_names
from compat_hub.graphdef.analysis.weights import find_float_constants, find_weights, is_average
from compat_hub.graphdef.function_library import all_nodes, needed_functions
from compat_hub.graphdef.names import is_control, node_of, tensor_of
from compat_hub.graphdef.passes.constants_to_variables import to_variables
from compat_hub.graphdef.passes.fix_tensors import fix_tensors, free_name, rename_tensors
from compat_hub.graphdef.private_attrs import NOTED_SHAPES
from compat_hub.graphdef.subgraph import ancestors, strip_placement

_SERVING_SIGNATURES = ("__saved_model_init_op", "__saved_model_train_op")
_UPDATE_OPS = "update_ops"
_LOSSES = "regularization_losses"
_TABLES = "table_initializer"
_ASSETS = "saved_model_assets"
_KEPT = (_UPDATE_OPS, _LOSSES, _TABLES, _ASSETS, "while_context", "cond_context")
_FILLING = frozenset(
    {"InitializeTable", "InitializeTableV2", "LookupTableImport", "LookupTableImportV2"}
    | {"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"}
)
_SWITCHES = frozenset({"Switch", "RefSwitch"})
_EXITS = frozenset({"Exit", "RefExit"})
_STACKS = frozenset({"Stack", "StackV2", "StackPush", "StackPushV2", "StackPop", "StackPopV2"})
_FED = frozenset({"Placeholder", "PlaceholderV2", "PlaceholderWithDefault"})
_SHOWN = 5


class Draft:
    """A meta graph that becomes a variant.

    Args:
        meta_graph: What was read; it is copied.
        where: How messages name it.
    """

    def __init__(self, meta_graph: Any, where: str) -> None:
        self.meta_graph = type(meta_graph)()
        self.meta_graph.CopyFrom(meta_graph)
        self.where = where
        for name in _SERVING_SIGNATURES:
            self.meta_graph.signature_def.pop(name, None)
        nodes = Tensors(self.meta_graph, where).nodes
        self._restored = find_restored(self.meta_graph.saver_def, nodes)
        self.meta_graph.ClearField("saver_def")
        self._fresh: list[Any] = []  # the VariableDefs of constants that have become variables

    @property
    def tensors(self) -> Tensors:
        """The tensors of the graph as it is now."""
        return Tensors(self.meta_graph, self.where)

    def unfreeze(self, patterns: list[str] | None) -> None:
        """Makes variables of weights, or of all float constants whose names match a pattern.

        Raises:
            SignatureError: There are none.
            InputTypeError: A pattern is no regular expression.
        """
        nodes = self.tensors.nodes
        if patterns is None:
            chosen = find_weights(nodes)
            problem = "the graph has no constants that are weights. A checkpoint and a SavedModel "
            problem += "have variables: leave `unfreeze` out."
        else:
            names = find_float_constants(nodes)
            try:
                searched = [re.compile(pattern) for pattern in patterns]
            except (TypeError, re.error) as error:
                raise InputTypeError(
                    f"In {self.where}: `unfreeze` is True, a regular expression or a list of them; "
                    f"{error}."
                ) from error
            found = [n for n in names if any(pattern.search(n) for pattern in searched)]
            weights = find_weights(nodes)
            chosen = {n: weights.get(n, not is_average(n)) for n in found}
            shown = ", ".join(map(repr, names[:_SHOWN]))
            problem = f"no float constant has a name that `unfreeze` matches. There are: {shown}."
        if not chosen:
            raise SignatureError(f"In {self.where}: {problem}")
        protos = to_variables(self.meta_graph.graph_def, chosen)
        for proto in protos:
            proto.trainable = chosen[node_of(proto.variable_name)]
        self._fresh = protos

    def fix(self, values: Mapping[str, Any]) -> None:
        """Gives tensors, by their canonical names, one value for good.

        Raises:
            InputTypeError: A value is none of the tensor's dtype and shape.
        """
        tensors = self.tensors
        protos: dict[str, Any] = {}
        for name, value in values.items():
            dtype, shape = tensors.dtype(name), tensors.shape(name)
            try:
                array = value.numpy() if hasattr(value, "numpy") else value
                protos[name] = tf.make_tensor_proto(np.asarray(array), dtype)
            except (TypeError, ValueError) as error:
                raise InputTypeError(
                    f"In {self.where}: the value for {name!r} does not convert to {dtype.name}: "
                    f"{error}"
                ) from error
            found = tf.TensorShape(protos[name].tensor_shape)
            if not shape.is_compatible_with(found):
                raise InputTypeError(
                    f"In {self.where}: the value for {name!r} has the shape {found}, expected "
                    f"{shape}."
                )
        renamed = fix_tensors(self.meta_graph.graph_def, protos)
        for signature in self.meta_graph.signature_def.values():
            for key, info in list(signature.inputs.items()):
                if any(tensor_of(n.name) in renamed for n in _names_in(info)):
                    del signature.inputs[key]
            for info in signature.outputs.values():
                _rename(info, renamed)

    def add_signature(
        self, name: str, inputs: Mapping[str, str], outputs: Mapping[str, str]
    ) -> None:
        """Adds a signature from tensors by their canonical names.

        Raises:
            SignatureError: An output needs more than the inputs.
        """
        tensors = self.tensors
        fed = set(inputs.values())
        for key, tensor in inputs.items():
            tensors.check_value(tensor, f"the input {key!r} of {name!r}")
        for key, tensor in outputs.items():
            tensors.check_value(tensor, f"the output {key!r} of {name!r}", fed)
            needed = _ancestors(tensors.nodes, [tensor], fed)
            missing = sorted(n for n in needed if is_source(tensors.nodes[n].op))
            if missing:
                node = tensors.nodes[missing[0]]
                raise SignatureError(
                    f"In {self.where}: the output {key!r} ({tensor!r}) of the signature {name!r} "
                    f"depends on {', '.join(map(repr, missing[:_SHOWN]))} ({node.op}), which "
                    "nothing is fed to. Name such tensors, or ones that come after them, among "
                    f"the `inputs`; or give them a value for good: feed_dict={{'{node.name}:0': "
                    "...}."
                )
        signature = self.meta_graph.signature_def[name]
        signature.Clear()
        for key, tensor in inputs.items():
            signature.inputs[key].CopyFrom(tensors.info(tensor))
        for key, tensor in outputs.items():
            signature.outputs[key].CopyFrom(tensors.info(tensor))

    def correct_signatures(self) -> None:
        """Gives the tensors of signatures the dtypes and shapes that the graph has for them."""
        tensors = self.tensors
        for name, signature in list(self.meta_graph.signature_def.items()):
            for info in (*signature.inputs.values(), *signature.outputs.values()):
                tensor = tensor_of(info.name)
                if info.WhichOneof("encoding") != "name" or not tensors.knows(tensor):
                    continue
                info.dtype = tensors.dtype(tensor).as_datatype_enum
                known = tensors.shape(tensor)
                if not known.is_compatible_with(tf.TensorShape(info.tensor_shape)):
                    info.tensor_shape.CopyFrom(known.as_proto())
            if not signature.outputs:
                del self.meta_graph.signature_def[name]

    def variables(self) -> Variables:
        """The variables of the graph as it is now."""
        found = Variables(self.meta_graph, self.tensors.nodes, self._restored)
        for proto in self._fresh:
            name = node_of(proto.variable_name)
            found.protos[name] = proto
            found.trainable.discard(name)
            if proto.trainable:
                found.trainable.add(name)
        return found

    def checkpoint_names(self) -> dict[str, str]:
        """What variables are called in the checkpoint, where it is not as the graph says."""
        return checkpoint_names(self.variables().protos, self._restored)

    def needed_variables(self) -> set[str]:
        """The variables that the signatures' outputs need."""
        tensors = self.tensors
        return set(self.variables().protos) & _needed(self, tensors)

    def finish(self, concerned: Collection[str], tags: Iterable[str]) -> Any:
        """Cuts the graph to what signatures, update ops, losses and tables need.

        Args:
            concerned: The variables that outputs need, of all graphs of the model. Losses and
                update ops that concern none of them belong to something else.
            tags: The variant's tags.

        Returns:
            The meta graph of a variant.
        """
        meta_graph, tensors = self.meta_graph, self.tensors
        nodes = tensors.nodes
        variables = self.variables()
        if meta_graph.signature_def:
            needed = _needed(self, tensors)
            self._keep_concerned(tensors, needed, concerned)
            updates = self._listed(_UPDATE_OPS)
            losses = [node_of(loss) for loss in self._listed(_LOSSES)]
            for fed in (*_feeds(meta_graph), set[str]()):
                needed |= _ancestors(nodes, [*updates, *losses], fed)
            needed |= self._keep_tables(nodes, needed)
            for fed in _feeds(meta_graph):
                needed |= _whole_loops(nodes, needed, fed)
            needed |= self._close(nodes, variables, needed)
            self._cut(tensors, needed)
        else:  # `prune` takes any part of it
            needed = set(nodes)
        variables.write(meta_graph, needed)
        for key in meta_graph.collection_def.keys() - {*_KEPT, "variables", "trainable_variables"}:
            del meta_graph.collection_def[key]
        self._keep_assets(needed)
        keep_contexts(meta_graph, {node.name for node in meta_graph.graph_def.node})
        for node in all_nodes(meta_graph.graph_def):
            strip_placement(node)
            node.attr.pop(NOTED_SHAPES, None)  # some are of an earlier graph, and contradict it
            for empty in [a for a, value in node.attr.items() if value.WhichOneof("value") is None]:
                node.attr.pop(empty)
        del meta_graph.meta_info_def.tags[:]
        meta_graph.meta_info_def.tags.extend(sorted(tags))
        return meta_graph

    def _listed(self, collection: str) -> list[str]:
        if collection not in self.meta_graph.collection_def:
            return []
        return list(self.meta_graph.collection_def[collection].node_list.value)

    def _keep(self, collection: str, names: Iterable[str]) -> None:
        kept = list(dict.fromkeys(names))
        self.meta_graph.collection_def.pop(collection, None)
        if kept:
            self.meta_graph.collection_def[collection].node_list.value.extend(kept)

    def _keep_concerned(
        self, tensors: Tensors, needed: Collection[str], concerned: Collection[str]
    ) -> None:
        """Drops update ops and losses of something else than the signatures."""
        nodes = tensors.nodes
        feeds = [*_feeds(self.meta_graph), set[str]()]
        fed_nodes = {node_of(tensor) for fed in feeds for tensor in fed}

        def belongs(name: str) -> bool:
            if node_of(name) not in nodes:
                return False
            for fed in feeds:
                own = _ancestors(nodes, [node_of(name)], fed)
                if any(is_source(nodes[n].op) for n in own):
                    continue
                whole = _ancestors(nodes, [node_of(name)], set())
                return bool(own & set(concerned)) or bool(whole & fed_nodes & set(needed))
            return False

        for collection in (_UPDATE_OPS, _LOSSES):
            self._keep(collection, filter(belongs, self._listed(collection)))

    def _keep_tables(self, nodes: Any, needed: Collection[str]) -> set[str]:
        """Finds what fills the tables that are needed, and what that needs."""
        listed = [name for name in self._listed(_TABLES) if node_of(name) in nodes]
        filling = [name for name, node in nodes.items() if node.op in _FILLING]
        kept: list[str] = []
        for name in [*listed, *filling]:
            sources = {node_of(s) for s in nodes[node_of(name)].input}
            own = sources if nodes[node_of(name)].op in _FILLING else _ancestors(nodes, [name], ())
            makers = {n for n in own if "Table" in nodes[n].op and n in needed}
            if makers and not any(node_of(k) == node_of(name) for k in kept):
                kept.append(name)
        self._keep(_TABLES, kept)
        return _ancestors(nodes, kept, ())

    def _close(self, nodes: Any, variables: Variables, needed: set[str]) -> set[str]:
        """What gives the needed variables their initial values; these may need others."""
        found: set[str] = set()
        while True:
            names = needed | found
            wanted = [n for n in variables.needed_by(names) if node_of(n) in nodes]
            more = _ancestors(nodes, wanted, ()) - names
            if not more:
                return found
            found |= more

    def _keep_assets(self, needed: Collection[str]) -> None:
        files = [f for f in self.meta_graph.asset_file_def if node_of(f.tensor_info.name) in needed]
        del self.meta_graph.asset_file_def[:]
        self.meta_graph.asset_file_def.extend(files)
        if _ASSETS in self.meta_graph.collection_def:
            values = self.meta_graph.collection_def[_ASSETS].any_list.value
            kept = []
            for value in values:
                file = tf.compat.v1.MetaGraphDef().asset_file_def.add()
                file.ParseFromString(value.value)
                if node_of(file.tensor_info.name) in needed:
                    kept.append(value)
            del values[:]
            values.extend(kept)
            if not kept:
                del self.meta_graph.collection_def[_ASSETS]

    def _cut(self, tensors: Tensors, needed: set[str]) -> None:
        """Keeps the nodes that are needed; what is fed and is not among them, as placeholders."""
        graph_def = self.meta_graph.graph_def
        nodes = tensors.nodes
        kept = type(graph_def)()
        kept.versions.CopyFrom(graph_def.versions)
        fed = sorted({tensor for feeds in _feeds(self.meta_graph) for tensor in feeds})
        stubs = [t for t in fed if node_of(t) not in needed]
        infos = {
            tensor_of(name.name): (name, spec)
            for signature in self.meta_graph.signature_def.values()
            for info in signature.inputs.values()
            for name, spec in _specs_in(info)
        }
        renamed: dict[str, str] = {}
        taken = dict.fromkeys(nodes)
        for tensor in stubs:
            node = nodes[node_of(tensor)]
            if node.op in _FED:
                copy = kept.node.add()
                copy.CopyFrom(node)
                del copy.input[:]
                if node.op == "PlaceholderWithDefault":
                    copy.input.extend(node.input)
                    needed |= _ancestors(nodes, node.input, ())
                continue
            is_first = tensor.endswith(":0")
            name = node.name if is_first else free_name(tensor.replace(":", "_"), taken)
            taken[name] = None
            stub = kept.node.add(name=name, op="Placeholder")
            stub.attr["dtype"].type = tensors.dtype(tensor).as_datatype_enum
            spec = infos[tensor][1] if tensor in infos else None
            shape = tensors.shape(tensor) if spec is None else spec
            stub.attr["shape"].shape.CopyFrom(shape.as_proto())
            if not is_first:
                renamed[tensor] = f"{name}:0"
        kept.node.extend(node for name, node in nodes.items() if name in needed)
        known = {node.name for node in kept.node}
        for node in kept.node:
            inputs = [i for i in node.input if not is_control(i) or node_of(i) in known]
            if len(inputs) < len(node.input):
                node.input[:] = inputs
        needed_functions(kept.node, graph_def.library, into=kept.library)
        rename_tensors(kept, renamed)
        for signature in self.meta_graph.signature_def.values():
            for info in (*signature.inputs.values(), *signature.outputs.values()):
                _rename(info, renamed)
        graph_def.CopyFrom(kept)


def _needed(draft: Draft, tensors: Tensors) -> set[str]:
    """The nodes that the outputs of signatures need, given their inputs."""
    found: set[str] = set()
    for signature in draft.meta_graph.signature_def.values():
        fed = {tensor_of(n.name) for info in signature.inputs.values() for n in _names_in(info)}
        wanted = [n.name for info in signature.outputs.values() for n in _names_in(info)]
        for name in (*fed, *wanted):
            if node_of(name) not in tensors.nodes:
                tensors.find(name, "a signature of the model")
        found |= _ancestors(tensors.nodes, wanted, fed)
    return found


def _whole_loops(nodes: Any, needed: set[str], fed: Collection[str]) -> set[str]:
    """The nodes of the other results of loops that are needed.

    TensorFlow 1 passes the gradient of a loop's variable from turn to turn by way of its Exit: it
    has to be there. The Exits of counters that an earlier gradient added are left out, with the
    stacks that they wait for.
    """
    found: set[str] = set()
    pending = [name for name in needed if nodes[name].op == "LoopCond"]
    while pending:
        switches = [c for _, c in nodes.consumers(pending.pop()) if nodes[c].op in _SWITCHES]
        exits = [c for s in switches for _, c in nodes.consumers(s) if nodes[c].op in _EXITS]
        for name in exits:
            more = _ancestors(nodes, [name], fed) - needed - found
            if not any(nodes[n].op in _STACKS or is_source(nodes[n].op) for n in more):
                found |= more
                pending += [n for n in more if nodes[n].op == "LoopCond"]
    return found


def _ancestors(nodes: Any, wanted: Iterable[str], fed: Collection[str]) -> set[str]:
    try:
        return ancestors(nodes, wanted, fed)
    except KeyError as error:
        raise ModuleFormatError(
            f"The graph refers to the node {error.args[0]!r}, which it does not have. It is "
            "damaged, or was cut by a tool; get a fresh copy of it."
        ) from error


def _feeds(meta_graph: Any) -> list[set[str]]:
    """By signature, the tensors that are fed."""
    return [
        {tensor_of(n.name) for info in signature.inputs.values() for n in _names_in(info)}
        for signature in meta_graph.signature_def.values()
    ]


class _Name:
    """A field of a `TensorInfo` that is the name of a tensor."""

    def __init__(self, message: Any, field: str) -> None:
        self._message, self._field = message, field

    @property
    def name(self) -> str:
        return getattr(self._message, self._field)

    @name.setter
    def name(self, value: str) -> None:
        setattr(self._message, self._field, value)


def _names_in(info: Any) -> Iterator[_Name]:
    encoding = info.WhichOneof("encoding")
    if encoding == "name":
        yield _Name(info, "name")
    elif encoding == "coo_sparse":
        for field in ("indices_tensor_name", "values_tensor_name", "dense_shape_tensor_name"):
            yield _Name(info.coo_sparse, field)
    elif encoding == "composite_tensor":
        for component in info.composite_tensor.components:
            yield _Name(component, "name")


def _specs_in(info: Any) -> Iterator[tuple[_Name, tf.TensorShape | None]]:
    """The names of a `TensorInfo`, each with its shape, where that is said of it."""
    is_dense = info.WhichOneof("encoding") == "name"
    for name in _names_in(info):
        yield name, tf.TensorShape(info.tensor_shape) if is_dense else None


def _rename(info: Any, renamed: Mapping[str, str]) -> None:
    for name in _names_in(info):
        name.name = renamed.get(tensor_of(name.name), name.name)
