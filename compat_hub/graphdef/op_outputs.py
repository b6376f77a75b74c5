"""A node's outputs by number, as a GraphDef counts them, and by name, as a FunctionDef does.

And the dtypes of its inputs and outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tensorflow.core.framework.node_def_pb2 import NodeDef

OpDef = Any


def flat_index(node: NodeDef, signature: OpDef, output: str) -> int:
    """The number of `"name:k"`, the k-th tensor of a named output.

    Raises:
        KeyError: The op has no such output.
    """
    name, _, offset = output.partition(":")
    start = 0
    for arg_name, size in _sizes(node, signature):
        if arg_name == name:
            return start + int(offset or 0)
        start += size
    raise KeyError(f"{node.name}:{output}")


def named_output(node: NodeDef, signature: OpDef, index: int) -> str:
    """The inverse of `flat_index`: the name of the output with a number.

    Raises:
        KeyError: The op has no such output.
    """
    start = 0
    for name, size in _sizes(node, signature):
        if index < start + size:
            return f"{name}:{index - start}"
        start += size
    raise KeyError(f"{node.name}:{index}")


def _sizes(node: NodeDef, signature: OpDef) -> Iterator[tuple[str, int]]:
    """Each named output of an op with how many tensors it is."""
    for arg in signature.output_arg:
        if arg.number_attr:  # to look for an attribute that is not there would make it
            yield arg.name, node.attr[arg.number_attr].i if arg.number_attr in node.attr else 0
        elif arg.type_list_attr:
            listed = arg.type_list_attr in node.attr
            yield arg.name, len(node.attr[arg.type_list_attr].list.type) if listed else 0
        else:
            yield arg.name, 1


def output_dtypes(node: NodeDef, op_def: Callable[[str], OpDef]) -> list[int]:
    """The dtype of each output of a node, a number of `types.proto`; none of an unknown op."""
    definition = op_def(node.op)
    return [] if definition is None else _dtypes(node, definition, definition.output_arg)


def input_dtypes(node: NodeDef, op_def: Callable[[str], OpDef]) -> list[int]:
    """The dtype of each input of a node that is no control input; none of an unknown op."""
    definition = op_def(node.op)
    return [] if definition is None else _dtypes(node, definition, definition.input_arg)


def _dtypes(node: NodeDef, definition: OpDef, args: Iterable[Any]) -> list[int]:
    defaults = {attr.name: attr.default_value for attr in definition.attr}

    def attr(name: str) -> Any:
        return node.attr[name] if name in node.attr else defaults[name]

    dtypes: list[int] = []
    for arg in args:
        if arg.type_list_attr:
            dtypes += attr(arg.type_list_attr).list.type
        else:
            dtype = attr(arg.type_attr).type if arg.type_attr else arg.type
            dtypes += [dtype] * (attr(arg.number_attr).i if arg.number_attr else 1)
    return dtypes
