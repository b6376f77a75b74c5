"""What a session of TensorFlow 1 computes with a module: the judge of the bridge.

The session runs the MetaGraph as the module's author wrote it: TensorFlow imports the graph,
restores the checkpoint and builds the gradients. No pass over the graph is shared with what is
judged, but for those that serve safety and this machine: nodes that touch the host are left out,
names of gradients that this program gave to others are dropped, and assets have their paths.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from compat_hub.format.checkpoints.first_format import pattern_of_first_format
from compat_hub.format.host_access import leave_out_host_access
from compat_hub.format.spec import ModuleSpec
from compat_hub.format.variant import GraphVariant, Signature
from compat_hub.graphdef.analysis.op_counts import is_of_another_module, is_of_custom_gradient
from compat_hub.graphdef.function_library import all_nodes
from compat_hub.graphdef.names import node_of
from compat_hub.graphdef.passes.own_resources import fill_memory
from compat_hub.graphdef.private_attrs import GRADIENT
from compat_hub.programs.gradients.tensor_arrays import control_flow_of_tf1
from compat_hub.programs.meta_graph_passes import set_asset_paths
from compat_hub.v1.module import Module

v1 = tf.compat.v1


@dataclasses.dataclass(frozen=True)
class SessionResults:
    """What was computed.

    Attributes:
        outputs: By name, the values of the components: one array for a dense tensor.
        gradients: Of `weighted_sum` of the outputs, by the variable's name in the graph; None where
            the outputs do not depend on the variable.
        losses: The regularization losses that depend on no input, by tensor name.
        variables: Of all variables, after the outputs and the update ops ran once.
        is_random: Whether a second run gave other outputs.
        note: What was not computed with the graph as it was written, and why; or nothing.
    """

    outputs: dict[str, list[np.ndarray]]
    gradients: dict[str, np.ndarray | None]
    losses: dict[str, np.ndarray]
    variables: dict[str, np.ndarray]
    is_random: bool
    note: str = ""


@dataclasses.dataclass(frozen=True)
class _Applied:
    """A signature in a graph, ready to run.

    Attributes:
        outputs: By name, the component tensors.
        variables: By their nodes' names in the module.
        trainable: The names of those that train.
        losses: By tensor name, the regularization losses that depend on no input.
        updates: The update ops.
        initialize: Gives the variables their values, and fills the tables.
        feeds: What each run is fed with.
    """

    outputs: Mapping[str, list[tf.Tensor]]
    variables: Mapping[str, Any]
    trainable: list[str]
    losses: Mapping[str, tf.Tensor]
    updates: list[Any]
    initialize: Callable[[Any], None]
    feeds: Mapping[Any, Any]


_Apply = Callable[[ModuleSpec, GraphVariant, Signature, Mapping[str, Any]], _Applied]


def run_in_session(
    spec: ModuleSpec, variant: GraphVariant, signature: Signature, inputs: Mapping[str, Any]
) -> SessionResults:
    """Computes a signature, its gradients, and what its update ops leave in the variables.

    Where today's TensorFlow cannot run or differentiate the graph as it was written, since an op is
    gone or has no gradient, compat_hub.Module does, after the passes of graph mode; `note` says so.
    """
    given = (spec, variant, signature, inputs)
    try:
        return _run(_as_written, *given)
    except Exception as error:  # whatever TensorFlow raises
        first = error
    why = f"the graph as its author wrote it: {_in_short(first)}"
    forward = _or_none(_as_written, *given, differentiate=False)
    module = _or_none(_by_module, *given)
    if forward is None and module is None:
        raise first
    if forward is None:
        note = f"It was compared with compat_hub.Module, as today's TensorFlow cannot run {why}."
        return dataclasses.replace(module, note=note)
    gradients = {} if module is None else module.gradients
    verb = "were not compared" if module is None else "were compared with those of Module"
    note = f"Its gradients {verb}, as today's TensorFlow cannot differentiate {why}."
    return dataclasses.replace(forward, gradients=gradients, note=note)


def _in_short(error: Exception) -> str:
    return " ".join([type(error).__name__, *str(error).split()][:30])


def _or_none(*args: Any, **options: Any) -> Any:
    try:
        return _run(*args, **options)
    except Exception:  # the first error is the one that is told
        return None


def _run(
    apply: _Apply,
    spec: ModuleSpec,
    variant: GraphVariant,
    signature: Signature,
    inputs: Mapping[str, Any],
    differentiate: bool = True,
) -> SessionResults:
    # TensorFlow's optimizer drops assignments that only a control dependency asks for.
    config = v1.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    config.graph_options.optimizer_options.opt_level = -1
    with control_flow_of_tf1(), tf.Graph().as_default(), v1.Session(config=config) as session:
        applied = apply(spec, variant, signature, inputs)
        gradients = _gradients(applied) if differentiate else {}
        existing = {n: g for n, g in gradients.items() if g is not None}
        outputs = {n: list(tensors) for n, tensors in applied.outputs.items()}
        applied.initialize(session)
        first = session.run([outputs, existing], applied.feeds)
        second = session.run([outputs, existing], applied.feeds)
        applied.initialize(session)
        losses = session.run(dict(applied.losses), applied.feeds) if applied.losses else {}
        session.run([outputs, applied.updates], applied.feeds)
        after = session.run(dict(applied.variables)) if applied.variables else {}
        return SessionResults(
            outputs=first[0],
            gradients={n: first[1].get(n) for n in gradients},
            losses=losses,
            variables=after,
            is_random=not _same(first, second),
        )


def _as_written(
    spec: ModuleSpec, variant: GraphVariant, signature: Signature, inputs: Mapping[str, Any]
) -> _Applied:
    """Imports the MetaGraph as hub.Module of TensorFlow 1 did, but feeds the inputs."""
    graph = v1.get_default_graph()
    meta_graph = type(variant.meta_graph)()
    meta_graph.CopyFrom(variant.meta_graph)
    meta_graph.ClearField("saver_def")
    leave_out_host_access(spec, variant, meta_graph)
    fill_memory(meta_graph.graph_def)
    for node in all_nodes(meta_graph.graph_def):
        # Some function of this program, or of another module, may bear the name by now.
        if is_of_custom_gradient(node) or is_of_another_module(node):
            del node.attr[GRADIENT]
    ops = {node.name: node.op for node in meta_graph.graph_def.node}
    paths = {
        tensor: spec.asset_files[file]
        for tensor, file in variant.assets.items()
        if node_of(tensor) in ops
    }
    constants = {t: path for t, path in paths.items() if ops[node_of(t)] == "Const"}
    set_asset_paths(meta_graph, constants)
    feeds: dict[Any, Any] = {t: path for t, path in paths.items() if t not in constants}
    v1.train.import_meta_graph(meta_graph, clear_devices=True)
    variables = {v.op.name: v for v in v1.global_variables()}
    names = _names_in_checkpoint(spec, variant, variables)
    saver = v1.train.Saver(names or list(variables.values())) if variables else None
    for name, value in inputs.items():
        info = signature.inputs[name]
        for tensor, part in zip(info.components, info.unpack(value), strict=True):
            feeds[tensor] = np.asarray(part)

    def initialize(session: Any) -> None:
        if saver is None or spec.checkpoint_prefix is None:
            session.run(v1.global_variables_initializer(), feeds)
        else:
            restore = saver.saver_def  # not restore(), which logs
            prefix = pattern_of_first_format(spec.checkpoint_prefix)
            session.run(restore.restore_op_name, {restore.filename_tensor_name: prefix})
        session.run(v1.tables_initializer(), feeds)

    losses = {t.name: t for t in v1.get_collection(v1.GraphKeys.REGULARIZATION_LOSSES)}
    return _Applied(
        outputs={
            name: [graph.get_tensor_by_name(tensor) for tensor in info.components]
            for name, info in signature.outputs.items()
        },
        variables=variables,
        trainable=[v.op.name for v in v1.trainable_variables()],
        losses={name: t for name, t in losses.items() if not _lacks(t.op, ())},
        updates=[
            op
            for op in map(_op_of, v1.get_collection(v1.GraphKeys.UPDATE_OPS))
            if not _lacks(op, feeds)
        ],
        initialize=initialize,
        feeds=feeds,
    )


def _names_in_checkpoint(
    spec: ModuleSpec, variant: GraphVariant, variables: Mapping[str, Any]
) -> dict[str, Any]:
    """The variables by their names in the checkpoint, where these are not their own."""
    if not spec.checkpoint_names:
        return {}
    found: dict[str, Any] = {}
    for info in variant.variables:
        key = spec.checkpoint_names.get(info.key, info.key)
        if info.slice is None:
            found[key] = variables[info.name]
        else:
            found.setdefault(key, []).append(variables[info.name])
    return found


def _by_module(
    spec: ModuleSpec, variant: GraphVariant, signature: Signature, inputs: Mapping[str, Any]
) -> _Applied:
    """Applies compat_hub.Module."""
    graph = v1.get_default_graph()
    module = Module(spec, trainable=True, tags=variant.tags)
    outputs = module(dict(inputs), signature=signature.name, as_dict=True)
    variables = {v.op.name.removeprefix("module/"): v for v in module.variables}
    infos = variant.variables_by_node

    def initialize(session: Any) -> None:
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])

    return _Applied(
        outputs={n: signature.outputs[n].unpack(value) for n, value in outputs.items()},
        variables=variables,
        trainable=[name for name in variables if name in infos and infos[name].trainable],
        losses={name: graph.get_tensor_by_name(f"module/{name}") for name in variant.free_losses()},
        updates=v1.get_collection(v1.GraphKeys.UPDATE_OPS),
        initialize=initialize,
        feeds={},
    )


def _op_of(value: Any) -> tf.Operation:
    return value if isinstance(value, tf.Operation) else value.op


def _lacks(op: tf.Operation, fed: Collection[str]) -> bool:
    """Whether an op needs an input of a signature that nothing is fed to."""
    seen, stack = {op}, [op]
    while stack:
        node = stack.pop()
        if node.type == "Placeholder":
            return True
        sources = [t.op for t in node.inputs if t.name not in fed]
        new = {*sources, *node.control_inputs} - seen
        seen |= new
        stack += new
    return False


def _gradients(applied: _Applied) -> dict[str, tf.Tensor | None]:
    total = weighted_sum(applied.outputs)
    names = applied.trainable
    if total is None or not names:
        return dict.fromkeys(names)
    found = tf.gradients(total, [applied.variables[name] for name in names])
    return {
        name: None if g is None else tf.convert_to_tensor(g)
        for name, g in zip(names, found, strict=True)
    }


def weighted_sum(outputs: Mapping[str, Any]) -> tf.Tensor | None:
    """A scalar to differentiate: every number of the floating point outputs, each weighted."""
    terms = []
    for _, value in sorted(outputs.items()):
        for tensor in tf.nest.flatten(value, expand_composites=True):
            if tensor.dtype.is_floating:
                flat = tf.reshape(tf.cast(tensor, tf.float64), [-1])
                weights = tf.cos(tf.cast(tf.range(tf.size(flat)), tf.float64))
                terms.append(tf.reduce_sum(flat * weights))
    return tf.add_n(terms) if terms else None


def _same(first: Any, second: Any) -> bool:
    one, other = (tf.nest.flatten(value) for value in (first, second))
    return all(
        np.array_equal(a, b, equal_nan=np.asarray(a).dtype.kind in "fc")
        for a, b in zip(one, other, strict=True)
    )
