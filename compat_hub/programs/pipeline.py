"""From a graph variant to the graph that TensorFlow 2 runs and trains."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.core.framework.function_pb2 import FunctionDef

from compat_hub.errors import GraphError, ModuleFormatError
from compat_hub.format.variant import GraphVariant
from compat_hub.graphdef.analysis.side_effects import find_effects, find_stateful
from compat_hub.graphdef.checks.call_depth import find_deep_call
from compat_hub.graphdef.checks.constants import find_bad_constant
from compat_hub.graphdef.checks.function_calls import find_bad_call
from compat_hub.graphdef.checks.handles import find_foreign_handle
from compat_hub.graphdef.checks.loops import find_bad_iteration
from compat_hub.graphdef.checks.shapes import find_bad_shape
from compat_hub.graphdef.checks.table_files import find_bad_column
from compat_hub.graphdef.function_library import all_nodes, library_digest, rename_functions
from compat_hub.graphdef.names import node_of
from compat_hub.graphdef.passes.control_flow.back_prop import stop_gradients
from compat_hub.graphdef.passes.control_flow.beside import put_beside
from compat_hub.graphdef.passes.control_flow.make_function import IrreducibleError, TensorType
from compat_hub.graphdef.passes.control_flow.raise_control_flow import (
    has_control_flow,
    raise_control_flow,
)
from compat_hub.graphdef.passes.embedding_lookups import keep_lookups_of_rows
from compat_hub.graphdef.passes.ensured_ranks import ensure_ranks
from compat_hub.graphdef.passes.hoist_reads import hoist_reads
from compat_hub.graphdef.passes.inline_functions import inline_calls
from compat_hub.graphdef.passes.own_resources import fill_memory, own_resources
from compat_hub.graphdef.passes.random_seeds import seed_nodes, unseeded_nodes
from compat_hub.graphdef.passes.references_to_resources import (
    VARIABLE_OPS,
    UnknownReferenceOpError,
    to_resource_variables,
)
from compat_hub.graphdef.passes.references_to_values import ReferenceNeededError, to_values
from compat_hub.graphdef.passes.tensor_arrays_to_lists import (
    TensorArrayError,
    has_tensor_arrays,
    to_tensor_lists,
)
from compat_hub.graphdef.subgraph import ancestors, consumed_tensors, cut, index_nodes
from compat_hub.programs.gradients.block_cell_functions import expand_block_cells
from compat_hub.programs.gradients.block_cells import add_block_cell_gradients
from compat_hub.programs.gradients.custom import (
    drop_gradients_in_functions,
    function_gradients,
    replace_lost_gradients,
)
from compat_hub.programs.missing_ops.table import can_replace, replace_missing_ops
from compat_hub.sources import settings
from compat_hub.sources.fresh_copy import fresh_copy
from compat_hub.tf_private import bare_functions, eager_runtime, graph_internals, op_registry

_HANDLES = (tf.resource, tf.variant)
# The gradient of a While adds a variant of its functions under a name that follows from theirs, and
# what is in it depends on what is differentiated: no two imports can share these functions.
_numbers = itertools.count()
_IMPORT_SCOPE = "module"  # node names in the messages of TensorFlow's runtime begin with it


@dataclasses.dataclass(frozen=True)
class RewrittenGraph:
    """A graph that computes something of a variant.

    Attributes:
        graph_def: The graph.
        fetches: Names of the wanted tensors in it.
        targets: Names of the nodes that stand for the targets that were asked for.
        effects: Names of further nodes that do something besides computing: an assignment, say.
            What some fetch needs happens at each call, even if the caller drops that output.
        refused: By the name of a fetch whose control flow runs as it is: why no gradient can be
            computed of it.
        draws: Whether it draws random numbers that `tf.random.set_seed` decides.
    """

    graph_def: Any
    fetches: list[str]
    targets: list[str]
    effects: list[str]
    refused: dict[str, str]
    draws: bool


def rewrite(
    variant: GraphVariant,
    fetches: Sequence[str],
    targets: Sequence[str],
    given: Mapping[str, tf.TypeSpec],
    handles: Mapping[str, tf.Tensor],
    portable: bool = False,
) -> RewrittenGraph:
    """Cuts the variant's graph to what is wanted and rewrites what TensorFlow 2 cannot train.

    Args:
        variant: The variant.
        fetches: Names of the wanted tensors.
        targets: Names of nodes that run besides.
        given: Specs of the tensors whose values are given: inputs and state. A reference variable
            is given as the handle of a resource, or as its value.
        handles: For those that are variables' handles, a tensor that knows the variable's shape.
        portable: Whether the graph has to run and train where compat_hub is not.

    Raises:
        ModuleFormatError: The graph cannot be run by this TensorFlow.
        GraphError: It assigns to a variable of which only the value is given.
    """
    graph_def = variant.subgraph([*fetches, *targets], given)
    replace_ops(variant, graph_def)
    check_graph(variant, graph_def)
    replace_lost_gradients(graph_def, variant.where, portable)
    stop_gradients(graph_def, variant.undifferentiated_exits)
    if portable:
        expand_block_cells(graph_def)
    graph_def = inline_functions(variant, graph_def)
    _check_names(variant, graph_def)
    add_block_cell_gradients(graph_def)
    references = variant.reference_variables
    values = {n for n in references if n in given and given[n].dtype != tf.resource}
    resources = {n: dtype for n, dtype in references.items() if n not in values}
    try:
        graph_def = to_values(graph_def, values, op_registry.op_def)
        graph_def, tensors = to_resource_variables(graph_def, resources, fetches)
    except UnknownReferenceOpError as error:
        raise ModuleFormatError(f"In {variant.where}: {error}.") from error
    except ReferenceNeededError as error:
        raise GraphError(
            f"In {variant.where}: {error}, and a function, which a tf.cond or a tf.while_loop "
            "makes of its body too, takes such a variable by its value. Apply the module outside "
            "of the function, or with trainable=False if that is an update op, or call "
            "tf.compat.v1.disable_control_flow_v2() first."
        ) from error
    _check_names(variant, graph_def)
    _check_variables(variant, graph_def)
    if not portable:
        keep_lookups_of_rows(graph_def)
        if any(spec.shape.rank is None for spec in given.values()):
            ensure_ranks(graph_def)
            _check_names(variant, graph_def)
    effects: list[str] = []
    refused: dict[str, str] = {}
    nodes = list(targets)
    if has_control_flow(graph_def) or (portable and has_tensor_arrays(graph_def)):
        if portable:
            graph_def = hoist_reads(graph_def, variant.variable_dtypes)
            _check_names(variant, graph_def)
        graph_def, tensors, nodes, effects, refused = _raise_what_can_be(
            variant, graph_def, tensors, targets, given, handles, portable
        )
    else:
        effects = _effects_besides(graph_def, nodes, portable)
    if portable:
        drop_gradients_in_functions(graph_def, variant.where)
    # Two modules of one description have variables of their own.
    own_resources(graph_def, variant.resource_prefix, op_registry.op_def, uuid.uuid4().hex)
    fill_memory(graph_def)
    random_nodes = unseeded_nodes(graph_def, op_registry.op_def)
    if random_nodes and eager_runtime.seed_epoch() is not None:
        seed_nodes(random_nodes, eager_runtime.operation_seed())
    rename_functions(graph_def, f"__{library_digest(graph_def.library)}")
    return RewrittenGraph(graph_def, tensors, nodes, effects, refused, bool(random_nodes))


def _raise_what_can_be(
    variant: GraphVariant,
    graph_def: Any,
    fetches: Sequence[str],
    targets: Sequence[str],
    given: Mapping[str, tf.TypeSpec],
    handles: Mapping[str, tf.Tensor],
    portable: bool,
) -> tuple[Any, list[str], list[str], list[str], dict[str, str]]:
    """Raises the control flow of a graph, where it can be, and leaves the rest as it is.

    Returns:
        The graph, the names of the fetches and of the targets in it, further nodes with effects,
        and by the name of a fetch that needs control flow as it was: why that is.
    """
    wanted = list(dict.fromkeys([*fetches, *targets]))
    reasons: dict[str, str] = {}
    while len(reasons) < len(wanted):
        good = [w for w in wanted if w not in reasons]
        try:
            raised, nodes = _raise(
                variant,
                graph_def if not reasons else cut(graph_def, index_nodes(graph_def), good, given),
                [f for f in fetches if f not in reasons],
                [t for t in targets if t not in reasons],
                given,
                handles,
            )
        except (IrreducibleError, TensorArrayError) as error:
            index = index_nodes(graph_def)
            stuck = [w for w in good if error.node in ancestors(index, [w], given)]
            why = f"control flow that it needs cannot be differentiated: {error}"
            reasons.update(dict.fromkeys(stuck or good, why))
            continue
        _check_names(variant, raised, graph_def.library.function)
        effects = _effects_besides(raised, nodes, portable)
        if not reasons:
            return raised, list(fetches), nodes, effects, {}
        names = put_beside(raised, graph_def, list(reasons), good, given, op_registry.op_def)
        if names is None:
            break
        _check_names(variant, raised)
        tensors = [names.get(f, f) for f in fetches]
        nodes += [node_of(names[t]) for t in targets if t in names]
        return raised, tensors, nodes, effects, {names[w]: why for w, why in reasons.items()}
    why = next(iter(reasons.values()))
    return graph_def, list(fetches), list(targets), [], dict.fromkeys(fetches, why)


def _raise(
    variant: GraphVariant,
    graph_def: Any,
    fetches: Sequence[str],
    targets: Sequence[str],
    given: Mapping[str, tf.TypeSpec],
    handles: Mapping[str, tf.Tensor],
) -> tuple[Any, list[str]]:
    """Raises all control flow of a graph.

    Raises:
        IrreducibleError: Some node is part of neither a loop nor a conditional.
        TensorArrayError: An op uses an array in a way that has no twin for lists.
    """
    lists = to_tensor_lists(graph_def)
    _check_names(variant, lists)
    lists = cut(lists, index_nodes(lists), [*fetches, *targets], given)
    types = infer_types(variant, lists, given, handles)
    return raise_control_flow(lists, types, targets, op_registry.op_def)


def _effects_besides(graph_def: Any, nodes: Sequence[str], portable: bool) -> list[str]:
    # What freezes a SavedModel, or converts it, needs functions that can be inlined.
    find = find_stateful if portable else find_effects
    return [n for n in find(graph_def, op_registry.op_def) if n not in nodes]


def replace_ops(variant: GraphVariant, graph_def: Any) -> bool:
    """Makes ops that this TensorFlow lacks and others express calls of functions, in place.

    Returns:
        Whether there are any.

    Raises:
        ModuleFormatError: A node does not fit its op.
    """
    if not any(map(can_replace, variant.ops)):
        return False
    try:
        return replace_missing_ops(graph_def)
    except (KeyError, TypeError, ValueError, tf.errors.OpError) as error:
        raise ModuleFormatError(
            f"In {variant.where}: an op that TensorFlow {tf.__version__} does not have cannot be "
            f"expressed by others: {error}. The module is damaged, or needs TensorFlow 1."
        ) from error


def inline_functions(variant: GraphVariant, graph_def: Any) -> Any:
    """A part of a variant's graph with its calls of functions replaced by what they compute.

    Raises:
        ModuleFormatError: A function does not fit a call of it.
    """
    whole = variant.meta_graph.graph_def
    if whole.library.gradient and any(map(can_replace, variant.ops)):
        # Gradient functions may need the same ops.
        functions = type(whole)(versions=whole.versions, library=whole.library)
        replace_ops(variant, functions)
        whole = functions
    gradients = function_gradients(whole, variant.library_digest)
    try:
        return inline_calls(graph_def, op_registry.op_def, gradients)
    except (KeyError, IndexError, ValueError) as error:
        raise ModuleFormatError(
            f"In {variant.where}: the functions of the graph do not fit together ({error}). "
            f"The module is damaged. {fresh_copy(variant.handle)}"
        ) from error


def check_graph(variant: GraphVariant, graph_def: Any) -> None:
    """Checks what TensorFlow does not: over some graphs it ends the process.

    Raises:
        ModuleFormatError: A constant, a shape, a loop or a call in a part of the variant's graph
            cannot be.
    """
    problem = (
        find_bad_constant(graph_def, settings.most_constant_bytes())
        or find_bad_shape(graph_def)
        or find_bad_column(graph_def)
        or find_bad_iteration(graph_def)
        or find_bad_call(graph_def, op_registry.is_registered_op)
        or find_deep_call(graph_def)
        or find_foreign_handle(graph_def, op_registry.op_def)
    )
    if problem:
        raise ModuleFormatError(
            f"In {variant.where}: {problem}. The module is damaged. {fresh_copy(variant.handle)}"
        )


def _check_names(
    variant: GraphVariant, graph_def: Any, functions: Iterable[FunctionDef] = ()
) -> None:
    """Checks that no node or function that was added has the name of one of the module.

    One would take the other's place, and nobody has checked what that gives.

    Args:
        variant: The variant.
        graph_def: A part of its graph, rewritten.
        functions: Those that had their names before.

    Raises:
        ModuleFormatError: Two have one name.
    """
    own = {f.signature.name: f for f in functions}
    names = [node.name for node in graph_def.node]
    made = [f.signature.name for f in graph_def.library.function]
    changed = [
        f.signature.name
        for f in graph_def.library.function
        if f.signature.name in own and f != own[f.signature.name]
    ]
    for what, found in ("nodes", names), ("functions", made), ("functions", [*changed, *changed]):
        if len(set(found)) < len(found):
            name = Counter(found).most_common(1)[0][0]
            raise ModuleFormatError(
                f"In {variant.where}: two {what} would have the name {name!r}: the graph has one, "
                "and one is what a call, a loop, a branch or a read of a variable becomes. "
                "TensorFlow gives no such names. The module is damaged; get a fresh copy of it."
            )


def _check_variables(variant: GraphVariant, graph_def: Any) -> None:
    for node in graph_def.node:
        if node.op in VARIABLE_OPS:
            raise ModuleFormatError(
                f"In {variant.where}: the variable {node.name!r} is not in the collection of the "
                "module's variables, so no checkpoint holds its value. The module's author has to "
                "export it again with that variable in tf.GraphKeys.GLOBAL_VARIABLES."
            )


def import_graph(
    variant: GraphVariant, graph_def: Any, given: Mapping[str, tf.Tensor], wanted: Sequence[str]
) -> list[Any]:
    """Imports a graph into the current one.

    Args:
        variant: Where it comes from.
        graph_def: The graph.
        given: The tensors that take the place of the graph's, by name.
        wanted: Names of tensors and nodes.

    Returns:
        The tensors and operations that are wanted.

    Raises:
        ModuleFormatError: This TensorFlow cannot import the graph.
    """
    if graph_def.library.function:
        original, graph_def = graph_def, type(graph_def)()
        graph_def.CopyFrom(original)
        rename_functions(graph_def, f"_{next(_numbers)}")
    consumed = consumed_tensors(graph_def, given.keys())
    ops = {node.op for node in all_nodes(graph_def)}
    known = len(tf.compat.v1.get_default_graph().get_operations())
    # The importer asks each node for this; the answer "there is none" is a slow exception.
    unplaced = {node.name for node in graph_def.node if not node.attr["_class"].list.s}
    for node in graph_def.node:
        node.attr["_class"].list.SetInParent()
    with _importing(variant):
        elements = tf.graph_util.import_graph_def(
            graph_def,
            input_map={name: given[name] for name in consumed},
            return_elements=list(wanted),
            name=_IMPORT_SCOPE,
            producer_op_list=_producer_ops(variant) if has_newer_attrs(variant, ops) else None,
        )
    # tf.vectorized_map makes nodes with the attributes of others, and then asks for each.
    graph_internals.clear_attr(tf.compat.v1.get_default_graph(), known, "_class", unplaced)
    return list(elements or [])


def import_bare(
    variant: GraphVariant,
    graph_def: Any,
    name: str,
    graph: tf.Graph,
    given: Mapping[str, tf.Tensor],
    fetches: Sequence[str],
    targets: Sequence[str],
) -> bare_functions.BareFunction:
    """Imports a graph into one that has only the tensors in `given`, the function's arguments.

    Raises:
        ModuleFormatError: This TensorFlow cannot import the graph.
    """
    for node in graph_def.node:
        # Graphs may come without attributes that have their default, not with empty ones.
        for empty in [a for a, value in node.attr.items() if value.WhichOneof("value") is None]:
            del node.attr[empty]
    with _importing(variant):
        return bare_functions.BareFunction(
            name, graph, given.values(), graph_def, _IMPORT_SCOPE, given, fetches, targets
        )


@contextlib.contextmanager
def _importing(variant: GraphVariant) -> Iterator[None]:
    try:
        yield
    except (ValueError, tf.errors.OpError) as error:
        raise ModuleFormatError(
            f"In {variant.where}: TensorFlow {tf.__version__} cannot import the graph: {error}"
        ) from error


def has_newer_attrs(variant: GraphVariant, ops: Iterable[str]) -> bool:
    """Whether the program that wrote a variant knew attributes of these ops that are unknown here.

    Where they have their default, they are left out.
    """
    ours = {op: op_registry.op_def(op) for op in ops}
    for theirs in _producer_ops(variant).op:
        known = ours.get(theirs.name)
        if known is not None and {a.name for a in theirs.attr} - {a.name for a in known.attr}:
            return True
    return False


def _producer_ops(variant: GraphVariant) -> Any:
    return variant.meta_graph.meta_info_def.stripped_op_list


def complete_handle_data(graph: Any) -> None:
    """Tells what While ops and StopGradient pass through what is known of the things behind.

    That is the dtype and shape of variables, and of the elements of lists. The importer does not. A
    second gradient looks for the variables, and a first one has no zeros for a list unless it knows
    that the list holds no strings.
    """
    for operation in graph.get_operations():
        if operation.type in {"While", "StatelessWhile", "StopGradient"}:
            for source, result in zip(operation.inputs, operation.outputs, strict=True):
                if source.dtype in _HANDLES:
                    graph_internals.copy_handle_data(source, result)


def infer_types(
    variant: GraphVariant,
    graph_def: Any,
    given: Mapping[str, tf.TypeSpec],
    handles: Mapping[str, tf.Tensor],
) -> dict[str, TensorType]:
    """The type of each tensor of a graph, those given included."""
    with tf.Graph().as_default() as graph:
        placeholders = {
            name: tf.compat.v1.placeholder(spec.dtype, spec.shape) for name, spec in given.items()
        }
        for name, handle in handles.items():
            graph_internals.copy_handle_data(handle, placeholders[name])
        import_graph(variant, graph_def, placeholders, [])
        complete_handle_data(graph)
        prefix = f"{_IMPORT_SCOPE}/"
        tensors = {
            tensor.name.removeprefix(prefix): tensor
            for operation in graph.get_operations()
            if operation.name.startswith(prefix)
            for tensor in operation.outputs
        }
        return {name: _type_of(t) for name, t in {**tensors, **placeholders}.items()}


def _type_of(tensor: tf.Tensor) -> TensorType:
    behind = graph_internals.handle_data(tensor) if tensor.dtype in _HANDLES else None
    return TensorType(tensor.dtype.base_dtype.as_datatype_enum, tensor.shape.as_proto(), behind)
