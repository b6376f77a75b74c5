"""The state of a loaded module: variables, tables and assets, one set for all variants."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Callable, Container, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

import tensorflow as tf
from tensorflow.core.framework.node_def_pb2 import NodeDef

from compat_hub.common.folder_progress import byte_size, folder_progress
from compat_hub.errors import InputTypeError, ModuleFormatError, SignatureError
from compat_hub.format.checkpoints.read import Checkpoint, may_be_without_checkpoint
from compat_hub.format.host_access import check_host_access
from compat_hub.format.spec import ModuleSpec
from compat_hub.format.variant import GraphVariant, VariableInfo
from compat_hub.graphdef.checks.queues import find_empty_queue
from compat_hub.graphdef.names import node_of, tensor_of
from compat_hub.programs.gaps import check_complete, check_usable, tables_without_ops
from compat_hub.programs.graph_function import GraphFunction
from compat_hub.programs.program import Program
from compat_hub.programs.state_tensor import StateTensor
from compat_hub.sources.fresh_copy import fresh_copy
from compat_hub.state.assets import StateAsset
from compat_hub.state.tables import SHARING_ATTRS, Table, make_table
from compat_hub.state.variables import StateVariable, make_variable, written_in_calls
from compat_hub.tf_private import op_registry

Missing = Literal["error", "initial"]


class ModuleState:
    """Variables restored from the checkpoint, tables initialized from assets, assets.

    A variable is known by its name: all variants that have it share it. So are tables that are
    initialized alike.

    Args:
        spec: The module.
        variants: The variants that will be used.
        missing: What becomes of variables that the checkpoint does not have: with `"error"` they
            are left out, and what needs them raises; with `"initial"` they have the values of the
            graph's initializers.

    Raises:
        CheckpointError: There is no checkpoint that can be read.
        ModuleFormatError: An asset or the collections do not fit the graphs.
        InputTypeError: `missing` is something else.

    Attributes:
        variables: Those that have a value, by node name, in the order of the graphs.
        lacking: The names of the variables without a value, as the checkpoint does not have them.
        trainable: The names of those in the TRAINABLE_VARIABLES collection of some variant.
        tables: Every table once.
        assets: By file name.
    """

    def __init__(
        self, spec: ModuleSpec, variants: Sequence[GraphVariant], missing: Missing = "error"
    ) -> None:
        check_missing(missing)
        self._spec = spec
        self._variants = variants
        self._unregistered = {
            op
            for variant in variants
            for op in variant.ops - variant.function_names
            if not op_registry.is_registered_op(op)
        }
        self._initial_values = missing == "initial"
        self.assets = self._open_assets(variants)
        self.tables: list[Table] = []
        self._tensors: dict[frozenset[str], dict[str, StateTensor]] = {
            v.tags: {tensor: self.assets[file] for tensor, file in v.assets.items()}
            for v in variants
        }
        self._make_tables(variants)
        infos = _merge_variables(spec, variants)
        values = self._read(infos, variants, missing)
        self._elsewhere = _variables_elsewhere(spec, infos)
        is_read = spec.checkpoint_prefix is not None and missing == "error"
        self.lacking = frozenset(i.name for i in infos if is_read and i.name not in values)
        infos = [info for info in infos if info.name not in self.lacking]
        self._infos = infos
        self.trainable = frozenset(v.name for v in infos if v.trainable)
        self.variables: Mapping[str, tf.Variable] = self._make_variables(infos, values, variants)
        self.variable_map = _variable_map(infos, self.variables)

    @property
    def trainable_variables(self) -> tuple[tf.Variable, ...]:
        """The variables that are `trainable`."""
        return tuple(v for name, v in self.variables.items() if name in self.trainable)

    def tensors(self, variant: GraphVariant) -> Mapping[str, StateTensor]:
        """The state by the name of the variant's tensor that it stands for.

        Raises:
            UnsafeModuleError: The module would touch the host, by an op of a package that was
                imported since the module was loaded.
        """
        new = set(filter(op_registry.is_registered_op, self._unregistered))
        if new:
            check_host_access(self._spec, self._variants, self._initial_values)
            self._unregistered -= new
        return MappingProxyType(self._tensors[variant.tags])

    def save_checkpoint(self, prefix: str) -> None:
        """Writes the variables' values, as a checkpoint of the module that `prefix` is in.

        Variables that only variants have which are not used here keep the values that the module's
        own checkpoint has. What it does not have, is not written either.

        Raises:
            SignatureError: There are such variables, and the module has no checkpoint.
        """
        folder = os.path.dirname(prefix)
        with tf.init_scope(), folder_progress(folder, byte_size(self.variables.values())):
            # Reading a variable copies nothing: its tensor is passed on.
            values = {n: variable.read_value() for n, variable in self.variables.items()}
            values.update(self._values_elsewhere())
            infos = [info for info in (*self._infos, *self._elsewhere) if info.name in values]
            tf.raw_ops.SaveV2(
                prefix=prefix,
                tensor_names=[info.key for info in infos],
                shape_and_slices=[info.slice.spec if info.slice else "" for info in infos],
                tensors=[values[info.name] for info in infos],
            )

    @property
    def has_checkpoint(self) -> bool:
        """Whether a checkpoint belongs to the module: some variable has a value."""
        return bool(self._infos or self._elsewhere)

    def _values_elsewhere(self) -> dict[str, tf.Tensor]:
        prefix = self._spec.checkpoint_prefix
        if self._elsewhere and prefix is None:
            names = ", ".join(repr(info.name) for info in self._elsewhere[:5])
            raise SignatureError(
                f"Module {self._spec.handle!r} was loaded for one variant only, and has no "
                f"checkpoint: the variables of other variants have no values ({names}). "
                "Load it without `tags` to write it."
            )
        if not self._elsewhere or prefix is None or _has_no_folder(prefix):
            return {}
        checkpoint = Checkpoint(self._spec.handle, prefix, self._spec.checkpoint_names)
        return checkpoint.read([i for i in self._elsewhere if not checkpoint.lacks(i)])

    def _read(
        self, infos: Sequence[VariableInfo], variants: Sequence[GraphVariant], missing: Missing
    ) -> dict[str, tf.Tensor]:
        """The values in the checkpoint, of the variables that it has."""
        prefix = self._spec.checkpoint_prefix
        if not infos or prefix is None:
            return {}
        if may_be_without_checkpoint(prefix, variants) or (
            missing == "initial" and _has_no_folder(prefix)
        ):
            return {}
        checkpoint = Checkpoint(self._spec.handle, prefix, self._spec.checkpoint_names)
        present = [info for info in infos if not checkpoint.lacks(info)]
        if missing == "error" and len(present) < len(infos):
            known = self._spec.variants.values()
            absent = {i.name for v in known for i in v.variables if not checkpoint.has(i)}
            check_complete(variants, known, absent)
            check_usable(variants, absent)
        return checkpoint.read(present)

    def _open_assets(self, variants: Sequence[GraphVariant]) -> dict[str, StateAsset]:
        assets = {}
        for file in sorted({file for v in variants for file in v.assets.values()}):
            assets[file] = StateAsset(self._spec.asset_path(file))
        return assets

    def _make_tables(self, variants: Sequence[GraphVariant]) -> None:
        shared: dict[tuple[str, ...], Table] = {}
        for variant in variants:
            tensors = self._tensors[variant.tags]
            fresh = set()
            made: dict[str, Table] = {}
            tables = _tables_of(variant)
            for nodes in tables:
                key = _table_key(variant, nodes)
                if key not in shared:
                    shared[key] = make_table(variant, nodes[0])
                    fresh.update(node.name for node in nodes)
                    made[nodes[0].name] = shared[key]
                tensors.update({tensor_of(node.name): shared[key] for node in nodes})
            initializers = [
                op for op in variant.table_initializers if fresh & variant.needed_nodes([op])
            ]
            self._fill_tables(variant, initializers)
            for nodes in tables:
                names = {node.name for node in nodes}
                if names & fresh:
                    wanted = [op for op in initializers if names & variant.needed_nodes([op])]
                    files = _files_of(variant, wanted)
                    made[nodes[0].name].initialize_with(
                        self._initializer(variant, wanted),
                        {file: self.assets[file].asset for file in files},
                    )
        self.tables.extend(shared.values())

    def _fill_tables(self, variant: GraphVariant, initializers: list[str]) -> None:
        """Fills tables, or has the session of a graph do so with its other initializers."""
        if tf.executing_eagerly() or not initializers:
            self._run(variant, [], initializers, "initialize_tables")
            return
        graph = tf.compat.v1.get_default_graph()
        known = len(graph.get_operations())
        self._run(variant, [], initializers, "initialize_tables")
        filling = tf.group(*graph.get_operations()[known:], name="initialize_tables")
        graph.add_to_collection(tf.compat.v1.GraphKeys.TABLE_INITIALIZERS, filling)

    def _initializer(
        self, variant: GraphVariant, initializers: list[str]
    ) -> Callable[[], None] | None:
        """The function that fills a table again after it was loaded from a SavedModel."""
        if not initializers:
            return None

        def initialize() -> None:
            self._run(variant, [], initializers, "initialize_table")

        return initialize

    def _make_variables(
        self,
        infos: Sequence[VariableInfo],
        values: dict[str, tf.Tensor],
        variants: Sequence[GraphVariant],
    ) -> dict[str, tf.Variable]:
        variables: dict[str, tf.Variable] = {}
        written = written_in_calls(variants) if tf.distribute.has_strategy() else frozenset()
        pending = list(infos)
        while pending:
            ready = [i for i in pending if i.name in values] or [
                i for i in pending if self._can_start(i, variants)
            ]
            if not ready:
                raise ModuleFormatError(
                    f"Module {self._spec.handle!r}: no checkpoint has the variable "
                    f"{pending[0].name!r}, and its initial value depends on a placeholder or on "
                    f"itself. {fresh_copy(self._spec.handle)}"
                )
            for info in ready:
                value = values.pop(info.name, None)
                if value is None:
                    value = self._initial_value(info, variants)
                variables[info.name] = self._make_variable(info, value, written)
                self._bind(info.name, variables[info.name], variants)
            pending = [i for i in pending if i.name not in variables]
        return {info.name: variables[info.name] for info in infos}

    def _bind(self, name: str, variable: tf.Variable, variants: Sequence[GraphVariant]) -> None:
        state = StateVariable(variable, self._where(name))
        for variant in variants:
            if name in variant.variables_by_node:
                self._tensors[variant.tags][tensor_of(name)] = state

    def _where(self, name: str) -> str:
        return f"module {self._spec.handle!r}, variable {name!r}"

    def _can_start(self, info: VariableInfo, variants: Sequence[GraphVariant]) -> bool:
        """Whether nothing that the initial value needs still waits for its own."""
        variant = _first_with(info.name, variants)
        fed = self._tensors[variant.tags]
        needed = variant.needed_nodes([info.initial_value], fed)
        return not needed & variant.variables_by_node.keys() and not variant.unfed_placeholders(
            [info.initial_value], fed
        )

    def _initial_value(self, info: VariableInfo, variants: Sequence[GraphVariant]) -> tf.Tensor:
        variant = _first_with(info.name, variants)
        return self._run(variant, [info.initial_value], [], "initial_value")[0]

    def _make_variable(
        self, info: VariableInfo, value: tf.Tensor, written: Container[str]
    ) -> tf.Variable:
        if value.dtype != info.dtype or not info.shape.is_compatible_with(value.shape):
            raise ModuleFormatError(
                f"Module {self._spec.handle!r}: the initial value of the variable {info.name!r} is "
                f"{value.dtype.name} {value.shape}, expected {info.dtype.name} {info.shape}. "
                f"The module is damaged. {fresh_copy(self._spec.handle)}"
            )
        if not tf.executing_eagerly():  # where the checkpoint is read later
            value.set_shape(info.shape)
        return make_variable(info, value, info.name in written, self._where(info.name))

    def _run(
        self, variant: GraphVariant, fetches: list[str], targets: list[str], name: str
    ) -> list[tf.Tensor]:
        if not fetches and not targets:
            return []
        tensors = self._tensors[variant.tags]
        self._check_queues(variant, [*fetches, *targets])
        try:
            return GraphFunction(
                lambda: Program(variant, {}, tensors, fetches, targets, name), tensors
            )([])
        except (tf.errors.OpError, UnicodeDecodeError) as error:
            files = _files_of(variant, [*fetches, *targets])
            culprits = f", or its asset files: {', '.join(files)}" if files else ""
            message = getattr(error, "message", error)
            raise ModuleFormatError(
                f"In {variant.where}: {' and '.join(fetches + targets)} failed to initialize the "
                f"module's state: {message}\nThe graph is damaged{culprits}. "
                f"{fresh_copy(self._spec.handle)}"
            ) from error

    def _check_queues(self, variant: GraphVariant, wanted: Sequence[str]) -> None:
        tensors = self._tensors[variant.tags]
        running = variant.subgraph(wanted, tensors).node
        others = variant.subgraph([*wanted, *variant.table_initializers], tensors).node
        problem = find_empty_queue(running, others)
        if problem:
            raise ModuleFormatError(
                f"In {variant.where}: {' and '.join(wanted)} would never be done: {problem}. The "
                f"module is damaged. {fresh_copy(self._spec.handle)}"
            )


def check_missing(missing: object) -> None:
    """Checks that an argument `missing` is one of the two that there are.

    Raises:
        InputTypeError: It is not.
    """
    if missing not in ("error", "initial"):
        raise InputTypeError(
            f"`missing` is 'error' or 'initial', found {missing!r}: what becomes of variables that "
            "the checkpoint does not have."
        )


def _has_no_folder(prefix: str) -> bool:
    """Whether even the folder of the checkpoint is missing."""
    return not tf.io.gfile.isdir(os.path.dirname(prefix))


def _tables_of(variant: GraphVariant) -> list[list[Any]]:
    """The nodes that make tables; together those that give one table one shared name.

    Tables that this TensorFlow cannot fill are left out: what needs them cannot be used.
    """
    tables: dict[tuple[Any, ...], list[Any]] = {}
    ops = {op for op in variant.nodes_by_op if op_registry.makes_resource(op)}
    for node in variant.nodes.values() if ops else ():
        if node.op in ops:
            attrs = [node.attr[a].s for a in ("container", "shared_name") if a in node.attr]
            name = (*attrs, node.op) if any(attrs) else (node.name,)
            tables.setdefault(name, []).append(node)
    without = tables_without_ops(variant)
    return [nodes for nodes in tables.values() if without.isdisjoint(n.name for n in nodes)]


def _table_key(variant: GraphVariant, nodes: Sequence[Any]) -> tuple[str, ...]:
    """The key by which two variants share a table: the node's name, and its initial content.

    Not the shared name, in which TensorFlow puts a random number for each graph.
    """
    names = {node.name for node in nodes}
    node = NodeDef()
    node.CopyFrom(nodes[0])
    for attr in SHARING_ATTRS & node.attr.keys():
        del node.attr[attr]
    digest = hashlib.sha256(node.SerializeToString(deterministic=True))
    for initializer in sorted(variant.table_initializers):
        needed = variant.needed_nodes([initializer])
        if names & needed:
            fed = [*variant.assets, *map(tensor_of, names)]
            graph_def = variant.subgraph([initializer], fed)
            digest.update(graph_def.SerializeToString(deterministic=True))
            assets = sorted(variant.assets.items())
            digest.update(repr([a for a in assets if node_of(a[0]) in needed]).encode())
    return nodes[0].name, digest.hexdigest()


def _files_of(variant: GraphVariant, wanted: Sequence[str]) -> list[str]:
    """The asset files that nodes or tensors of a variant are computed from."""
    needed = variant.needed_nodes(wanted)
    return sorted({f for tensor, f in variant.assets.items() if node_of(tensor) in needed})


def _first_with(name: str, variants: Sequence[GraphVariant]) -> GraphVariant:
    return next(v for v in variants if name in v.variables_by_node)


def _merge_variables(spec: ModuleSpec, variants: Sequence[GraphVariant]) -> list[VariableInfo]:
    """Every variable once, trainable where some variant says so."""
    merged: dict[str, VariableInfo] = {}
    for variant in variants:
        for info in variant.variables:
            known = merged.setdefault(info.name, info)
            if (known.dtype, known.slice) != (info.dtype, info.slice) or not (
                known.shape.is_compatible_with(info.shape)
            ):
                raise ModuleFormatError(
                    f"Module {spec.handle!r}: the variable {info.name!r} is {info.dtype.name} "
                    f"{info.shape} in {variant.where} and {known.dtype.name} {known.shape} in "
                    "another variant. They cannot share one value: load one variant with `tags`."
                )
            if info.trainable and not known.trainable:
                merged[info.name] = dataclasses.replace(known, trainable=True)
    return list(merged.values())


def _variables_elsewhere(spec: ModuleSpec, infos: Sequence[VariableInfo]) -> list[VariableInfo]:
    """The module's other variables, each once: those of variants that are not used."""
    known = {info.name for info in infos}
    elsewhere = {v.name: v for variant in spec.variants.values() for v in variant.variables}
    return [info for name, info in elsewhere.items() if name not in known]


def _variable_map(
    infos: Sequence[VariableInfo], variables: Mapping[str, tf.Variable]
) -> dict[str, tf.Variable | list[tf.Variable]]:
    """By the name in the checkpoint: a variable, or the parts of a partitioned one in order."""
    parts: dict[str, list[VariableInfo]] = {}
    result: dict[str, tf.Variable | list[tf.Variable]] = {}
    for info in infos:
        if info.slice:
            parts.setdefault(info.key, []).append(info)
        result[info.key] = variables[info.name]
    for key, infos_of_key in parts.items():
        ordered = sorted(infos_of_key, key=lambda i: i.slice.offset if i.slice else ())
        result[key] = [variables[i.name] for i in ordered]
    return result
