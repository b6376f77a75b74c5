"""Any part of a variant's graph as a callable, by the names of its tensors."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.core.framework.node_def_pb2 import NodeDef

from compat_hub.errors import InputTypeError, SignatureError, UnknownNameError
from compat_hub.format.inputs import convert_input
from compat_hub.format.placeholders import PLACEHOLDERS
from compat_hub.format.tensor_info import TensorInfo
from compat_hub.format.variant import GraphVariant
from compat_hub.graphdef.analysis.control_flow_contexts import find_context
from compat_hub.graphdef.names import node_of, tensor_of
from compat_hub.graphdef.nearest import nearest_nodes
from compat_hub.graphdef.op_outputs import output_dtypes
from compat_hub.graphdef.private_attrs import NOTED_SHAPES
from compat_hub.programs.gaps import check_gap
from compat_hub.programs.graph_function import GraphFunction
from compat_hub.programs.program import Program, shared_program
from compat_hub.programs.state_tensor import StateTensor
from compat_hub.tf_private import autograph_marks, op_registry, saved_models

_SHOWN = 4
_HANDLES = (tf.resource, tf.variant)


class PrunedFunction:
    """The part of a graph between tensors that are fed and tensors that are fetched.

    `HubModule.prune` makes it.

    Attributes:
        feeds: The names that were given, in their structure.
        fetches: The names that were given, in their structure.
    """

    def __init__(
        self, variant: GraphVariant, feeds: Any, fetches: Any, state: Mapping[str, StateTensor]
    ) -> None:
        self.feeds = feeds
        self.fetches = fetches
        self._variant = variant
        self._where = f"{variant.where}, prune"
        self._inputs = self._read_feeds(state)
        # By what each name stands for, a tensor, or a node that has none.
        found = [self._find(name, "fetch") for name in self._names(fetches, "fetches")]
        self._wanted = [tensor or node_of(name) for tensor, name in found]
        self._tensors = list(dict.fromkeys(tensor for tensor, _ in found if tensor))
        self._targets = list(dict.fromkeys(node_of(name) for tensor, name in found if not tensor))
        self._state = {t: s for t, s in state.items() if t not in self._inputs}
        self._lock = threading.Lock()
        self._functions: dict[bool, GraphFunction] = {}
        self._check()

    @property
    def fed_tensors(self) -> list[str]:
        """The names of the graph's tensors that are fed."""
        return list(self._inputs)

    @property
    def wanted(self) -> list[str]:
        """The names of the graph's tensors and nodes that are fetched."""
        return list(dict.fromkeys(self._wanted))

    @autograph_marks.unconverted
    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Runs the part.

        Args:
            *args: The values: one for each entry of `feeds`, in its structure, or all of them one
                after the other.
            **kwargs: Where `feeds` is a dict, they may be given by its keys.

        Returns:
            What is fetched, in the structure of `fetches`; None for an operation.
        """
        values = self._bind(args, kwargs)
        tensors = [
            convert_input(value, name, info, self._where)[0]
            for value, (name, info) in zip(values, self._inputs.items(), strict=True)
        ]
        outputs = dict(zip(self._tensors, self._function()(tensors), strict=True))
        return tf.nest.pack_sequence_as(self.fetches, [outputs.get(name) for name in self._wanted])

    def _function(self) -> GraphFunction:
        portable = saved_models.is_saving()
        with self._lock:
            known = self._functions.get(portable)
            if known is None:
                known = self._functions[portable] = self._make_function(portable)
        return known

    def _make_function(self, portable: bool) -> GraphFunction:
        specs = {name: info.type_spec for name, info in self._inputs.items()}

        def build() -> Program:
            return Program(
                self._variant, specs, self._state, self._tensors, self._targets, "prune", portable
            )

        key = ("prune", *map(tuple, (specs, self._tensors, self._targets)), portable)
        return GraphFunction(lambda: shared_program(self._variant, key, build), self._state)

    def _bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Any]:
        """The values, one for each of the fed tensors."""
        names = list(self._inputs)
        if kwargs and (args or not isinstance(self.feeds, Mapping)):
            raise InputTypeError(
                f"In {self._where}: values are passed by position, or by keyword where `feeds` is "
                "a dict."
            )
        several = isinstance(self.feeds, list | tuple)
        given: Any = kwargs or (args if several else args[0] if len(args) == 1 else None)
        values = [] if given is None else list(_flatten_as(self.feeds, given))
        if len(values) != len(names) and len(args) == len(names):
            return list(args)
        if len(values) != len(names):
            found = f"the keywords {', '.join(kwargs)}" if kwargs else f"{len(args)} arguments"
            raise InputTypeError(
                f"In {self._where}: expected a value for each of {', '.join(names) or 'none'}, "
                f"one after the other or in the structure of `feeds`, found {found}."
            )
        return values

    def _names(self, structure: Any, what: str) -> list[str]:
        names = tf.nest.flatten(structure)
        for name in names:
            if not isinstance(name, str):
                raise InputTypeError(
                    f"In {self._where}: `{what}` are names of tensors, such as 'logits:0', in "
                    f"lists and dicts; found a {type(name).__name__}."
                )
        return names

    def _find(self, name: str, what: str) -> tuple[str, str]:
        """The canonical name of a tensor, or "" for an operation that gives none; and its name."""
        node = self._variant.nodes.get(node_of(name))
        number = name.removeprefix(node_of(name)).removeprefix(":") or "0"
        if node is None or name.startswith("^"):
            raise UnknownNameError(
                f"In {self._where}: the graph has no tensor {name!r}. "
                f"{nearest_nodes(name, self._variant.nodes)}"
            )
        dtypes = self._dtypes(node)
        if not dtypes and ":" not in name and what == "fetch":
            return "", name
        if not number.isdecimal() or int(number) >= len(dtypes):
            raise UnknownNameError(
                f"In {self._where}: the graph has no tensor {name!r}: the node {node.name!r}, of "
                f"the type {node.op!r}, has the outputs {list(range(len(dtypes)))}."
            )
        tensor = f"{node.name}:{int(number)}"
        return tensor, name

    def _check_context(self, tensor: str, what: str, fed: Collection[str]) -> None:
        context = find_context(self._variant.nodes, tensor, fed)
        if context is not None:
            raise SignatureError(
                f"In {self._where}: the tensor {tensor!r} is inside of {context}, so it has no one "
                f"value in a run. To {what}, take one from before or after it."
            )

    def _dtypes(self, node: NodeDef) -> list[int]:
        """The dtypes of a node's outputs, also of an op that TensorFlow does not have."""
        meta_graph = self._variant.meta_graph

        def op_def(op: str) -> Any:
            functions = (f.signature for f in meta_graph.graph_def.library.function)
            others = (*functions, *meta_graph.meta_info_def.stripped_op_list.op)
            return op_registry.op_def(op) or next((o for o in others if o.name == op), None)

        return output_dtypes(node, op_def)

    def _read_feeds(self, state: Mapping[str, StateTensor]) -> dict[str, TensorInfo]:
        infos: dict[str, TensorInfo] = {}
        for name in self._names(self.feeds, "feeds"):
            tensor, _ = self._find(name, "feed")
            if tensor in infos:
                raise SignatureError(f"In {self._where}: the tensor {tensor!r} is fed twice.")
            self._check_context(tensor, "feed", ())
            spec = self._spec(tensor)
            given = {*self._variant.reference_variables, *self._variant.assets}
            if spec.dtype in _HANDLES or (tensor in state and tensor not in given):
                raise SignatureError(
                    f"In {self._where}: {tensor!r} is the handle of a variable or table, which no "
                    "value can take the place of. Assign to the variables in "
                    "module.variable_map, or feed a tensor that is computed from it."
                )
            infos[tensor] = TensorInfo(spec, (tensor,))
        return infos

    def _spec(self, tensor: str) -> tf.TensorSpec:
        """The dtype of a tensor, and as much of its shape as the graph and its signatures say."""
        for signature in self._variant.signatures.values():
            for info in (*signature.inputs.values(), *signature.outputs.values()):
                if tensor in info.components:
                    return info.component_specs()[info.components.index(tensor)]
        node = self._variant.nodes[node_of(tensor)]
        number = int(tensor.rpartition(":")[2])
        shape: Any = None
        if NOTED_SHAPES in node.attr and number < len(node.attr[NOTED_SHAPES].list.shape):
            shape = node.attr[NOTED_SHAPES].list.shape[number]
        elif node.op in PLACEHOLDERS and node.attr["shape"].shape.dim:  # of old ones, [] is any
            shape = node.attr["shape"].shape
        return tf.TensorSpec(shape, tf.as_dtype(self._dtypes(node)[number]))

    def _check(self) -> None:
        """Raises where what is fetched cannot be computed from what is fed."""
        variant = self._variant
        if not self._wanted:
            raise SignatureError(f"In {self._where}: nothing is fetched.")
        given = [*self._inputs, *self._state]
        for name in self._tensors:
            self._check_context(name, "fetch", self._inputs)
        for name in self._wanted:
            if name in self._inputs:
                continue
            unfed = variant.unfed_placeholders([name], given)
            if unfed:
                listed = ", ".join(repr(tensor_of(n)) for n in sorted(unfed)[:_SHOWN])
                fed = ", ".join(map(repr, self._inputs)) or "nothing"
                raise SignatureError(
                    f"In {self._where}: {name!r} depends on placeholders that are not fed: "
                    f"{listed}. Fed: {fed}. Put these into `feeds`, or tensors between them and "
                    "what is fetched."
                )
        for name in self._tensors:
            node = variant.nodes[node_of(name)]
            dtype = self._dtypes(node)[int(name.rpartition(":")[2])]
            if tf.as_dtype(dtype) in _HANDLES:
                raise SignatureError(
                    f"In {self._where}: {name!r} is a handle and no value. The variables are in "
                    "module.variable_map; or fetch a tensor that is computed from it."
                )
        missing = variant.variables_missing_in({**self._state, **self._inputs})
        check_gap(variant, self._wanted, self._inputs, missing, self._where)

    def __repr__(self) -> str:
        return f"<compat_hub function from {self.feeds!r} to {self.fetches!r}>"


def _flatten_as(structure: Any, value: Any) -> Iterator[Any]:
    """The parts of a value that stand where `structure` has its leaves, in their order."""
    if isinstance(structure, Mapping):
        if isinstance(value, Mapping) and value.keys() == structure.keys():
            for key in sorted(structure):
                yield from _flatten_as(structure[key], value[key])
    elif isinstance(structure, list | tuple):
        if isinstance(value, Sequence) and len(value) == len(structure):
            for part, given in zip(structure, value, strict=True):
                yield from _flatten_as(part, given)
    else:
        yield value
