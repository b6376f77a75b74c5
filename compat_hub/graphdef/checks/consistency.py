"""Whether the nodes and functions of a graph fit together: what each pass has to leave behind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tensorflow.core.framework.types_pb2 import DataType

from compat_hub.graphdef.function_library import called_functions
from compat_hub.graphdef.names import is_control, node_of, tensor_of
from compat_hub.graphdef.op_outputs import flat_index, input_dtypes, output_dtypes

GraphDef = Any
OpDef = Any
OpDefs = Callable[[str], OpDef]

# By op of TensorFlow 2's control flow: the attributes with its functions, those with the dtypes of
# their arguments and results (None for one bool), and how many inputs come before the arguments.
_LOOP = (("body", "T", "T", 0), ("cond", "T", None, 0))
_CONDITIONAL = (("then_branch", "Tin", "Tout", 1), ("else_branch", "Tin", "Tout", 1))
_CALLERS = {
    "While": _LOOP,
    "StatelessWhile": _LOOP,
    "If": _CONDITIONAL,
    "StatelessIf": _CONDITIONAL,
}
_ANY = 0  # DT_INVALID: a dtype that nothing is known of
_BOOL = 10


def find_inconsistency(
    graph_def: GraphDef, given: Mapping[str, int], wanted: Iterable[str], op_def: OpDefs
) -> str | None:
    """The end of a sentence about a graph that cannot be, or None for one that can.

    Every input exists and has the dtype that its op takes, no name comes twice, loops and branches
    fit their functions, and what is wanted is there.

    Args:
        graph_def: The graph.
        given: The dtypes of tensors that the graph need not have, by name.
        wanted: Names of tensors, and of nodes as control inputs name them.
        op_def: Gives the OpDef of a registered op, or None.
    """
    signatures: dict[str, OpDef] = {
        f.signature.name: f.signature for f in graph_def.library.function
    }
    if len(signatures) < len(graph_def.library.function):
        return "two functions have one name"
    known: dict[str, OpDef] = dict(signatures)

    def definition_of(op: str) -> OpDef:
        if op not in known:
            known[op] = op_def(op)
        return known[op]

    problem = _problem_in_graph(graph_def.node, given, wanted, definition_of)
    if problem:
        return problem
    nodes = list(graph_def.node)
    for function in graph_def.library.function:
        problem = _problem_in_function(function, definition_of)
        if problem:
            return f"{problem}, in the function {function.signature.name!r}"
        nodes.extend(function.node_def)
    for node in nodes:
        problem = _problem_of_caller(node, signatures, op_def)
        if problem:
            return problem
    return None


def _problem_in_graph(
    nodes: Sequence[Any], given: Mapping[str, int], wanted: Iterable[str], op_def: OpDefs
) -> str | None:
    by_name = {node.name: node for node in nodes}
    if len(by_name) < len(nodes):
        return "two nodes have one name"
    outputs = {name: _dtypes(output_dtypes, node, op_def) for name, node in by_name.items()}
    given_nodes = {node_of(tensor) for tensor in given}

    def dtype_of(source: str) -> int | None:
        tensor = tensor_of(source)
        if tensor in given:
            return given[tensor]
        name, _, index = tensor.rpartition(":")
        if name not in outputs:
            return None
        found = outputs[name]
        if found is None:
            return _ANY
        return found[int(index)] if int(index) < len(found) else None

    def exists(control: str) -> bool:
        return control[1:] in by_name or control[1:] in given_nodes

    for node in nodes:
        problem = _problem_of_inputs(node, dtype_of, exists, op_def)
        if problem:
            return problem
    for name in wanted:
        if not exists(name) if is_control(name) else dtype_of(name) is None:
            return f"there is no {name!r}, which is wanted"
    return None


def _problem_in_function(function: Any, op_def: OpDefs) -> str | None:
    nodes = {node.name: node for node in function.node_def}
    arguments = {arg.name: arg for arg in function.signature.input_arg}
    if len(nodes) < len(function.node_def):
        return "two nodes have one name"
    outputs = {name: _dtypes(output_dtypes, node, op_def) for name, node in nodes.items()}

    def dtype_of(source: str) -> int | None:
        name, _, output = source.partition(":")
        if name in arguments:
            return arguments[name].type or _ANY
        if name not in nodes:
            return None
        found = outputs[name]
        if found is None:
            return _ANY
        try:
            index = flat_index(nodes[name], op_def(nodes[name].op), output) if output else 0
        except KeyError:
            return None
        return found[index] if index < len(found) else None

    def exists(control: str) -> bool:
        return control[1:] in nodes or control[1:] in arguments

    for node in function.node_def:
        problem = _problem_of_inputs(node, dtype_of, exists, op_def)
        if problem:
            return problem
    return _problem_of_results(function, dtype_of) or next(
        (
            f"there is no node {name!r}, which runs besides"
            for name in function.control_ret.values()
            if name not in nodes
        ),
        None,
    )


def _problem_of_results(function: Any, dtype_of: Callable[[str], int | None]) -> str | None:
    for result in function.signature.output_arg:
        if result.name not in function.ret:
            return f"nothing gives the result {result.name!r}"
        found = dtype_of(function.ret[result.name])
        if found is None:
            return f"there is no {function.ret[result.name]!r}, which is a result"
        if _differ(found, result.type):
            return f"the result {result.name!r} has {_name(found)} in place of {_name(result.type)}"
    return None


def _problem_of_inputs(
    node: Any,
    dtype_of: Callable[[str], int | None],
    exists: Callable[[str], bool],
    op_def: OpDefs,
) -> str | None:
    data = []
    for source in node.input:
        if is_control(source):
            if not exists(source):
                return f"the node {node.name!r} waits for {source[1:]!r}, which is not there"
        elif (found := dtype_of(source)) is None:
            return f"the node {node.name!r} takes {source!r}, which is not there"
        else:
            data.append(found)
    expected = _dtypes(input_dtypes, node, op_def)
    if expected is None:
        return None
    if len(data) != len(expected):
        count = len(expected)
        return f"the node {node.name!r} of type {node.op!r} has {len(data)} inputs, not {count}"
    for source, has, takes in zip(node.input, data, expected, strict=False):
        if _differ(has, takes):
            return (
                f"the node {node.name!r} of type {node.op!r} takes {source!r}, which is "
                f"{_name(has)}, as {_name(takes)}"
            )
    return None


def _problem_of_caller(node: Any, signatures: Mapping[str, OpDef], op_def: OpDefs) -> str | None:
    for name in called_functions(node, signatures):
        if name not in signatures and op_def(name) is None:
            return f"the node {node.name!r} calls {name!r}, which is not there"
    for attr, arguments, results, before in _CALLERS.get(node.op, ()):
        signature = signatures.get(node.attr[attr].func.name) if attr in node.attr else None
        if signature is None:
            return f"the node {node.name!r} has no function {attr!r}"
        takes = list(node.attr[arguments].list.type)
        gives = list(node.attr[results].list.type) if results else [_BOOL]
        if [a.type for a in signature.input_arg] != takes:
            return f"the function {signature.name!r} does not take what {node.name!r} gives it"
        found = [a.type for a in signature.output_arg]
        # A condition may be a number, too.
        if len(found) != len(gives) or (results and found != gives):
            return f"the function {signature.name!r} does not give what {node.name!r} returns"
        if sum(not is_control(source) for source in node.input) != before + len(takes):
            return f"the node {node.name!r} has another number of inputs than its functions"
    return None


def _dtypes(
    find: Callable[[Any, OpDefs], list[int]], node: Any, op_def: OpDefs
) -> list[int] | None:
    """What `find` says, or None where nothing is known of the op or of an attribute."""
    if op_def(node.op) is None:
        return None
    try:
        return find(node, op_def)
    except KeyError:
        return None


def _differ(first: int, second: int) -> bool:
    return (
        _ANY not in (first, second) and first % 100 != second % 100
    )  # 100 is added for references


def _name(dtype: int) -> str:
    names: dict[int, str] = {number: name for name, number in DataType.items()}
    return names.get(dtype, str(dtype))
