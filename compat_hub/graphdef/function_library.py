"""The function library of a graph: what is needed of it, under names that cannot collide."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from typing import Any

NodeDef = Any
FunctionDefLibrary = Any

_NAMES_OF_OTHERS = frozenset(
    {
        *("api_implements", "api_preferred_device"),
        *("forward_function_name", "backward_function_name"),
    }
)


def all_nodes(graph_def: Any) -> Iterator[Any]:
    """The nodes of a graph, and those of the functions in its library."""
    yield from graph_def.node
    for function in graph_def.library.function:
        yield from function.node_def


def called_functions(node: NodeDef, names: Container[str]) -> Iterator[str]:
    """The functions that one node refers to: its op, or the functions among its attributes."""
    if node.op in names:
        yield node.op
    for func in _functions_in(node.attr.values()):
        yield func.name


def _functions_in(attrs: Iterable[Any]) -> Iterator[Any]:
    """The NameAttrList messages among attributes, those inside of others included."""
    for attr in attrs:
        kind = attr.WhichOneof("value")
        if kind == "func":
            found = [attr.func]
        elif kind == "list":
            found = attr.list.func
        else:
            continue
        for func in found:
            yield func
            yield from _functions_in(func.attr.values())


def find_open_attribute(library: FunctionDefLibrary) -> tuple[str, str, str] | None:
    """A function, its node, and an attribute of it whose value comes from whoever calls it.

    Nothing that is checked of the function then says what it does.
    """
    for function in library.function:
        for node in function.node_def:
            for name, attr in node.attr.items():
                inner = (a for func in _functions_in([attr]) for a in func.attr.values())
                if any(a.WhichOneof("value") == "placeholder" for a in (attr, *inner)):
                    return function.signature.name, node.name, name
    return None


def callees_first(calls: Mapping[str, Collection[str]]) -> list[str]:
    """The names of functions, each after those that it calls.

    Left out are those that call themselves, and those that call one of these.

    Args:
        calls: By function, the functions that it calls.
    """
    callers: dict[str, list[str]] = {}
    pending: dict[str, int] = {}
    for name, called in calls.items():
        known = [other for other in set(called) if other in calls]
        pending[name] = len(known)
        for other in known:
            callers.setdefault(other, []).append(name)
    found: list[str] = []
    ready = [name for name, count in pending.items() if not count]
    while ready:
        name = ready.pop()
        found.append(name)
        for caller in callers.get(name, ()):
            pending[caller] -= 1
            if not pending[caller]:
                ready.append(caller)
    return found


def needed_functions(
    nodes: Iterable[NodeDef], library: FunctionDefLibrary, into: FunctionDefLibrary
) -> None:
    """Copies to `into` the functions and gradient definitions that `nodes` need."""
    functions = {f.signature.name: f for f in library.function}
    if not functions:
        return
    gradients = {g.function_name: g for g in library.gradient}
    needed: set[str] = set()
    stack = [name for node in nodes for name in called_functions(node, functions)]
    while stack:
        name = stack.pop()
        if name in needed or name not in functions:
            continue
        needed.add(name)
        stack.extend(f for n in functions[name].node_def for f in called_functions(n, functions))
        if name in gradients:
            stack.append(gradients[name].gradient_func)
    for name, function in functions.items():
        if name in needed:
            into.function.add().CopyFrom(function)
            if name in gradients:
                into.gradient.add().CopyFrom(gradients[name])


def library_digest(library: FunctionDefLibrary) -> str:
    """A short digest of a function library's content, the same in every process."""
    return hashlib.sha256(library.SerializeToString(deterministic=True)).hexdigest()[:16]


def rename_functions(graph_def: Any, suffix: str) -> None:
    """Appends `suffix` to the name of every function of the graph's library, in place.

    TensorFlow's eager context holds all functions of a program under one namespace. Two modules may
    each have a `swish` of their own; the same module loaded twice has the same one. With a digest
    of the library as the suffix, the first stay apart and the second meet.

    The attributes _NAMES_OF_OTHERS are dropped: by them TensorFlow's optimizer puts one function of
    the program into the place of another (grappler/optimizers/implementation_selector.cc).
    """
    for function in graph_def.library.function:
        for key in _NAMES_OF_OTHERS.intersection(function.attr):
            del function.attr[key]
    names = {f.signature.name: f.signature.name + suffix for f in graph_def.library.function}
    if not names:
        return
    _rename_in_nodes(graph_def.node, names)
    for function in graph_def.library.function:
        function.signature.name = names[function.signature.name]
        _rename_in_attrs(function.attr.values(), names)
        _rename_in_nodes(function.node_def, names)
    for gradient in graph_def.library.gradient:
        gradient.function_name = names.get(gradient.function_name, gradient.function_name)
        gradient.gradient_func = names.get(gradient.gradient_func, gradient.gradient_func)


def _rename_in_nodes(nodes: Iterable[NodeDef], names: Mapping[str, str]) -> None:
    for node in nodes:
        if node.op in names:
            node.op = names[node.op]
        _rename_in_attrs(node.attr.values(), names)


def _rename_in_attrs(attrs: Iterable[Any], names: Mapping[str, str]) -> None:
    for func in _functions_in(attrs):
        func.name = names.get(func.name, func.name)
