"""Whether a module would touch the host when it is used."""

from __future__ import annotations

from collections.abc import Iterable

from compat_hub import _tensorflow
from compat_hub.errors import UnsafeModuleError
from compat_hub.graph.host_access import host_access, is_judged, may_touch_host, passed_on
from compat_hub.graph.names import node_of
from compat_hub.spec import ModuleSpec
from compat_hub.users import users
from compat_hub.variant import GraphVariant


def find_host_access(
    variant: GraphVariant, has_checkpoint: bool = True
) -> list[tuple[str, str, str, str]]:
    """The nodes that touch the host, among those that run when the module is used.

    Reading the module's own assets is not counted.

    Args:
        variant: The variant.
        has_checkpoint: Whether the variables get their values from one, and not from the graph.

    Returns:
        For each the op, the node, what it does, and what of the module needs it.
    """
    ops = _suspect_ops(variant)
    if not ops:
        return []
    suspects = {name for op in ops for name in variant.nodes_by_op.get(op, ())}
    suspect_functions = {
        function.signature.name: [node for node in function.node_def if node.op in ops]
        for function in variant.meta_graph.graph_def.library.function
    }
    has_functions = any(suspect_functions.values())
    # A session only gives those their paths that are constants.
    constants = {t for t in variant.assets if variant.nodes[node_of(t)].op == "Const"}
    assets = passed_on(constants, variant.nodes)
    found: dict[tuple[str, str], tuple[str, str, str, str]] = {}
    for user, wanted, fed in users(variant, initial_values=not has_checkpoint):
        # What a caller passes is no asset, though it take the place of one.
        own = assets - passed_on(fed, variant.nodes) if assets else assets
        needed = suspects & variant.needed_nodes(wanted, fed)
        places = [(name, variant.nodes[name], own) for name in needed]
        if has_functions:
            # A function's names are its own: one of an asset is something else there.
            places += [
                (f"{function.signature.name}/{node.name}", node, frozenset())
                for function in variant.subgraph(wanted, fed).library.function
                for node in suspect_functions[function.signature.name]
            ]
        for name, node, files in places:
            what = host_access(node, files)
            if what is not None:
                found.setdefault((node.op, name), (node.op, name, what, user))
    return sorted(found.values())


def _suspect_ops(variant: GraphVariant) -> set[str]:
    """The ops of a graph that touch the host, or may.

    Of those that nobody has judged, what is the name of a function is none, and what this
    TensorFlow does not have cannot run.
    """
    return {
        op
        for op in filter(may_touch_host, variant.ops)
        if is_judged(op) or (op not in variant.function_names and _tensorflow.is_registered_op(op))
    }


def check_host_access(
    spec: ModuleSpec, variants: Iterable[GraphVariant], initial_values: bool = False
) -> None:
    """Checks that variants stay within the graph when they are used, unless the spec allows more.

    Args:
        spec: The module.
        variants: The variants that will be used.
        initial_values: Whether the graph's initializers give values to some variables, though the
            module has a checkpoint.

    Raises:
        UnsafeModuleError: One would touch the host.
    """
    if spec.allow_host_access:
        return
    for variant in variants:
        has_checkpoint = spec.checkpoint_prefix is not None and not initial_values
        found = find_host_access(variant, has_checkpoint)
        if found:
            raise UnsafeModuleError(_message(spec.handle, variant, found))


def _message(handle: str, variant: GraphVariant, found: Iterable[tuple[str, str, str, str]]) -> str:
    listed = "; ".join(
        f"{op!r}, node {node!r}, for {user}, {what}" for op, node, what, user in found
    )
    return (
        f"In {variant.where}: the graph would touch the host when it runs: {listed}. "
        "If you trust the module's source, allow it with "
        f"compat_hub.load({handle!r}, allow_host_access=True), or pass "
        f"compat_hub.load_module_spec({handle!r}, allow_host_access=True) in the handle's place."
    )
