"""The list of all passes, in the order in which they run: `PASSES`, at the end.

Each entry says for which modes it runs, and when it has something to do. Above the list are the
functions that the entries run, all with one signature: each takes from the `Rewrite` what a pass
needs, calls the pass, which knows nothing of modules, and puts its result back.
"""

from __future__ import annotations

import itertools
import uuid
from typing import Any

import tensorflow as tf

from compat_hub.errors import GraphError, ModuleFormatError
from compat_hub.format.host_access import leave_out_host_access
from compat_hub.format.variant import GraphVariant
from compat_hub.graphdef import function_library, subgraph
from compat_hub.graphdef.checks.every_check import find_problem
from compat_hub.graphdef.checks.loops import find_bad_context
from compat_hub.graphdef.passes import (
    embedding_lookups,
    ensured_ranks,
    hoist_reads,
    inline_functions,
    random_seeds,
    strip_machine,
    unfed_defaults,
)
from compat_hub.graphdef.passes import own_resources as own
from compat_hub.graphdef.passes.control_flow import back_prop
from compat_hub.graphdef.passes.references_to_resources import (
    VARIABLE_OPS,
    UnknownReferenceOpError,
    to_resource_variables,
)
from compat_hub.graphdef.passes.references_to_values import ReferenceNeededError, to_values
from compat_hub.graphdef.run_passes import Mode, Pass
from compat_hub.programs import meta_graph_passes, raising
from compat_hub.programs.gradients import block_cells, custom, table
from compat_hub.programs.missing_ops.table import can_replace, replace_missing_ops
from compat_hub.programs.rewriting import MetaGraphRewrite, Rewrite
from compat_hub.sources import settings
from compat_hub.sources.fresh_copy import fresh_copy
from compat_hub.tf_private import eager_runtime, op_registry

_numbers = itertools.count()
_DT_RESOURCE = tf.resource.as_datatype_enum


def ops_to_calls(rewrite: Rewrite) -> None:
    """Nodes of ops that this TensorFlow lacks become calls of functions of other ops."""
    _ops_to_calls(rewrite.variant, rewrite.graph_def)


def _ops_to_calls(variant: GraphVariant, graph_def: Any) -> None:
    try:
        replace_missing_ops(graph_def)
    except (KeyError, TypeError, ValueError, tf.errors.OpError) as error:
        raise ModuleFormatError(
            f"In {variant.where}: an op that TensorFlow {tf.__version__} does not have cannot be "
            f"expressed by others: {error}. The module is damaged, or needs TensorFlow 1."
        ) from error


def _lacks_ops(rewrite: Rewrite) -> bool:
    return any(map(can_replace, rewrite.variant.ops))


def calls_of_ops_to_nodes(rewrite: MetaGraphRewrite) -> None:
    """These calls become nodes, which join the loop or branch that the op was in."""
    meta_graph_passes.inline_missing_ops(rewrite.meta_graph)


def check(rewrite: Rewrite) -> None:
    """No pass: refuses what TensorFlow would end the process over."""
    check_graph(rewrite.variant, rewrite.graph_def)


def check_graph(variant: GraphVariant, graph_def: Any) -> None:
    """Checks what TensorFlow does not: over some graphs it ends the process.

    Raises:
        ModuleFormatError: A constant, a shape, a loop or a call in a part of the variant's graph
            cannot be.
    """
    problem = find_problem(graph_def, settings.most_constant_bytes(), op_registry.op_def)
    if problem:
        raise ModuleFormatError(
            f"In {variant.where}: {problem}. The module is damaged. {fresh_copy(variant.handle)}"
        )


def check_contexts(rewrite: MetaGraphRewrite) -> None:
    """No pass: refuses contexts of loops that say what no loop does."""
    variant = rewrite.variant
    contexts = variant.meta_graph.collection_def.get("while_context")
    problem = contexts and find_bad_context(contexts.bytes_list.value)
    if problem:
        raise ModuleFormatError(f"In {variant.where}: {problem}. {fresh_copy(variant.handle)}")


def keep_collections(rewrite: MetaGraphRewrite) -> None:
    """Collections go that the program is not to see."""
    meta_graph_passes.keep_collections(rewrite.meta_graph, rewrite.collections)


def drop_foreign_assets(rewrite: MetaGraphRewrite) -> None:
    """Files that are not the module's own are no assets."""
    meta_graph_passes.drop_foreign_assets(rewrite.meta_graph, rewrite.variant)


def initialize_from_checkpoint(rewrite: MetaGraphRewrite) -> None:
    """Initializers of variables read the checkpoint."""
    rewrite.restoring = meta_graph_passes.initialize_from_checkpoint(
        rewrite.meta_graph,
        rewrite.variant,
        rewrite.spec.checkpoint_prefix or "",
        rewrite.spec.checkpoint_names,
    )


def drop_met_controls(rewrite: MetaGraphRewrite) -> None:
    """Nothing waits for nodes whose tensors others take the place of."""
    subgraph.drop_met_controls(rewrite.graph_def, rewrite.fed)


def leave_out_host(rewrite: MetaGraphRewrite) -> None:
    """What touches the host goes, unless the spec allows it."""
    leave_out_host_access(
        rewrite.spec, rewrite.variant, rewrite.meta_graph, rewrite.fed, rewrite.restoring
    )


def set_asset_paths(rewrite: MetaGraphRewrite) -> None:
    """Assets get their paths on this machine."""
    files = rewrite.spec.asset_files
    paths = {tensor: files[file] for tensor, file in rewrite.variant.assets.items()}
    meta_graph_passes.set_asset_paths(rewrite.meta_graph, paths)


def replace_lost_gradients(rewrite: Rewrite) -> None:
    """Nodes made by tf.custom_gradient get a gradient that exists."""
    custom.replace_lost_gradients(rewrite.graph_def, rewrite.where, rewrite.is_portable)


def stop_gradients(rewrite: Rewrite) -> None:
    """No gradient enters loops with `back_prop=False`."""
    back_prop.stop_gradients(rewrite.graph_def, rewrite.variant.undifferentiated_exits)


def expand_block_cells(rewrite: Rewrite) -> None:
    """Fused recurrent cells become calls of functions of the ops that they are made of."""
    block_cells.expand_block_cells(rewrite.graph_def)


def inline_calls(rewrite: Rewrite) -> None:
    """Calls of functions become the functions' bodies: TensorFlow finds no gradients through calls.

    Raises:
        ModuleFormatError: A function does not fit a call of it.
    """
    variant = rewrite.variant
    whole = variant.meta_graph.graph_def
    if whole.library.gradient and _lacks_ops(rewrite):
        # Gradient functions may need the same ops.
        functions = type(whole)(versions=whole.versions, library=whole.library)
        _ops_to_calls(variant, functions)
        whole = functions
    gradients = custom.function_gradients(whole, variant.library_digest)
    try:
        inlined = inline_functions.inline_calls(rewrite.graph_def, rewrite.op_def, gradients)
    except (KeyError, IndexError, ValueError) as error:
        raise ModuleFormatError(
            f"In {rewrite.where}: the functions of the graph do not fit together ({error}). "
            f"The module is damaged. {fresh_copy(variant.handle)}"
        ) from error
    rewrite.put(inlined)


def _can_inline(rewrite: Rewrite) -> bool:
    in_graph = isinstance(rewrite, MetaGraphRewrite)
    return not in_graph or meta_graph_passes.can_inline(rewrite.meta_graph)


def clear_devices(rewrite: Rewrite) -> None:
    """Devices of the machine that made the module go."""
    strip_machine.clear_devices(rewrite.graph_def)


def name_gradients(rewrite: Rewrite) -> None:
    """Nodes of ops whose gradients are compat_hub's say so."""
    in_graph = rewrite.mode is Mode.GRAPH
    table.name_gradients(rewrite.graph_def, table.IN_GRAPHS if in_graph else table.IN_FUNCTIONS)


def references_to_values(rewrite: Rewrite) -> None:
    """Reference variables whose values are given are read, and not assigned to.

    Raises:
        GraphError: A node assigns to one.
    """
    try:
        rewrite.graph_def = to_values(
            rewrite.graph_def, rewrite.variables_as_values, rewrite.op_def
        )
    except ReferenceNeededError as error:
        raise GraphError(
            f"In {rewrite.where}: {error}, and a function, which a tf.cond or a tf.while_loop "
            "makes of its body too, takes such a variable by its value. Apply the module outside "
            "of the function, or with trainable=False if that is an update op, or call "
            "tf.compat.v1.disable_control_flow_v2() first."
        ) from error


def references_to_resources(rewrite: Rewrite) -> None:
    """Other reference variables become resource variables.

    Raises:
        ModuleFormatError: An op has no twin for resources.
    """
    references = rewrite.variant.reference_variables
    resources = {n: d for n, d in references.items() if n not in rewrite.variables_as_values}
    try:
        rewrite.graph_def, rewrite.fetches = to_resource_variables(
            rewrite.graph_def, resources, rewrite.fetches
        )
    except UnknownReferenceOpError as error:
        raise ModuleFormatError(f"In {rewrite.where}: {error}.") from error
    rewrite.dtypes.update({n: _DT_RESOURCE for n in resources if n in rewrite.dtypes})


def check_variables(rewrite: Rewrite) -> None:
    """No pass: refuses variables that no checkpoint has."""
    for node in rewrite.graph_def.node:
        if node.op in VARIABLE_OPS:
            raise ModuleFormatError(
                f"In {rewrite.where}: the variable {node.name!r} is not in the collection of the "
                "module's variables, so no checkpoint holds its value. The module's author has to "
                "export it again with that variable in tf.GraphKeys.GLOBAL_VARIABLES."
            )


def keep_lookups_of_rows(rewrite: Rewrite) -> None:
    """Lookups of rows stay lookups of rows in TensorFlow's graph optimizer."""
    embedding_lookups.keep_lookups_of_rows(rewrite.graph_def)


def ensure_ranks(rewrite: Rewrite) -> None:
    """Ops that end the process over a wrong rank check it first."""
    ensured_ranks.ensure_ranks(rewrite.graph_def)


def _has_unknown_ranks(rewrite: Rewrite) -> bool:
    return any(spec.shape.rank is None for spec in rewrite.given.values())


def unfed_to_defaults(rewrite: Rewrite) -> None:
    """Inputs that the signature does not have are their defaults."""
    unfed_defaults.unfed_to_defaults(rewrite.graph_def)


def read_variables_outside(rewrite: Rewrite) -> None:
    """Variables that loops and conditionals only read are read before them."""
    rewrite.graph_def = hoist_reads.hoist_reads(rewrite.graph_def, rewrite.variant.variable_dtypes)


def raise_control_flow(rewrite: Rewrite) -> None:
    """Loops and conditionals become While and If, by the passes of `raising.RAISING`."""
    if raising.is_to_be_raised(rewrite):
        raising.raise_what_can_be(rewrite)
    else:
        rewrite.effects = raising.effects_besides(rewrite)


def drop_gradients_in_functions(rewrite: Rewrite) -> None:
    """Calls in loops and branches have no gradient of their own, which no SavedModel holds."""
    custom.drop_gradients_in_functions(rewrite.graph_def, rewrite.where)


def own_resources(rewrite: Rewrite) -> None:
    """Resources are those of the module, whatever other modules and the program call theirs."""
    # Two modules of one description have variables of their own.
    own.own_resources(
        rewrite.graph_def, rewrite.variant.resource_prefix, rewrite.op_def, uuid.uuid4().hex
    )


def fill_memory(rewrite: Rewrite) -> None:
    """No op gives memory as others have left it."""
    own.fill_memory(rewrite.graph_def)


def seed_random_ops(rewrite: Rewrite) -> None:
    """Random ops without a seed follow `tf.random.set_seed`."""
    nodes = random_seeds.unseeded_nodes(rewrite.graph_def, rewrite.op_def)
    if nodes and eager_runtime.seed_epoch() is not None:
        random_seeds.seed_nodes(nodes, eager_runtime.operation_seed())
    rewrite.draws = bool(nodes)


def rename_functions(rewrite: Rewrite) -> None:
    """Functions get names that those of no other module have."""
    if rewrite.mode is Mode.GRAPH:
        # The gradient of a While defines functions after the names of its own: see importing.py.
        suffix = f"{rewrite.variant.library_digest}_{next(_numbers)}"
    else:
        suffix = function_library.library_digest(rewrite.graph_def.library)
    function_library.rename_functions(rewrite.graph_def, f"__{suffix}")


_TF2 = frozenset({Mode.FUNCTION, Mode.PORTABLE})
_FUNCTION = frozenset({Mode.FUNCTION})
_PORTABLE = frozenset({Mode.PORTABLE})
_GRAPH = frozenset({Mode.GRAPH})

PASSES = (
    # What TensorFlow 2 lacks, and what it must not see.
    Pass(ops_to_calls, applies=_lacks_ops),
    Pass(calls_of_ops_to_nodes, _GRAPH, applies=_lacks_ops),
    Pass(check),
    Pass(check_contexts, _GRAPH),
    # Where the module is: collections, checkpoint, assets, host.
    Pass(keep_collections, _GRAPH),
    Pass(drop_foreign_assets, _GRAPH),
    Pass(initialize_from_checkpoint, _GRAPH, applies=lambda rewrite: rewrite.from_checkpoint),
    Pass(drop_met_controls, _GRAPH),
    Pass(leave_out_host, _GRAPH),
    Pass(set_asset_paths, _GRAPH),
    # Gradients that were lost, and those that nobody wants.
    Pass(replace_lost_gradients),
    Pass(stop_gradients, _TF2),
    Pass(expand_block_cells, _PORTABLE),
    Pass(inline_calls, applies=_can_inline),
    Pass(clear_devices, _GRAPH),
    Pass(name_gradients),
    # Variables of TensorFlow 1 become those of TensorFlow 2.
    Pass(references_to_values, _TF2),
    Pass(references_to_resources, _TF2),
    Pass(check_variables, _TF2),
    # What TensorFlow's optimizer and kernels would do wrong.
    Pass(keep_lookups_of_rows, _FUNCTION),
    Pass(ensure_ranks, _FUNCTION, applies=_has_unknown_ranks),
    Pass(unfed_to_defaults, _PORTABLE),
    # Control flow of TensorFlow 1 becomes that of TensorFlow 2.
    Pass(read_variables_outside, _PORTABLE, applies=raising.is_to_be_raised),
    Pass(raise_control_flow, _TF2),
    Pass(drop_gradients_in_functions, _PORTABLE),
    # Nothing of the module meets what else is in the process.
    Pass(own_resources, _TF2),
    Pass(fill_memory),
    Pass(seed_random_ops, _TF2),
    Pass(rename_functions),
)
