"""Whether the constants of a graph can be: TensorFlow ends the process over some that cannot."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from tensorflow.core.framework import types_pb2

from compat_hub.graphdef.checks.shapes import is_shape
from compat_hub.graphdef.function_library import all_nodes

GraphDef = Any

# Ops that hold a tensor as an attribute, and its name.
_CONSTANTS = {"Const": "value", "HostConst": "value", "ImageSummary": "bad_color"}
# Bytes of one element in memory; those that are not here take 4.
_WIDTHS = {
    **dict.fromkeys(["DT_BOOL", "DT_INT8", "DT_UINT8", "DT_QINT8", "DT_QUINT8"], 1),
    **dict.fromkeys(["DT_INT16", "DT_UINT16", "DT_HALF", "DT_BFLOAT16"], 2),
    **dict.fromkeys(["DT_QINT16", "DT_QUINT16"], 2),
    **dict.fromkeys(["DT_INT64", "DT_UINT64", "DT_DOUBLE", "DT_COMPLEX64"], 8),
    **dict.fromkeys(["DT_COMPLEX128"], 16),
    **dict.fromkeys(["DT_STRING"], 24),
    **dict.fromkeys(["DT_RESOURCE", "DT_VARIANT"], 64),
}
_FIELDS = (
    *("half_val", "float_val", "double_val", "int_val", "int64_val", "bool_val", "uint32_val"),
    *("uint64_val", "string_val", "resource_handle_val", "variant_val"),
)
_SMALL = 2**16  # bytes: constants that are not looked at closer


def find_bad_constant(graph_def: GraphDef, most_bytes: float = 2**28) -> str | None:
    """A message on a constant that cannot be, or None where all can.

    A constant that says one number for all of its elements takes next to nothing in the file.

    Args:
        graph_def: The graph; its functions are looked at, too.
        most_bytes: What the constants may take in memory beyond what they have in the file.
    """
    more = 0
    for node in all_nodes(graph_def):
        # An ImageSummary may leave its color out; to look at what is not there would add it.
        if node.op in _CONSTANTS and (node.op != "ImageSummary" or "bad_color" in node.attr):
            problem = _problem(node)
            if problem:
                return f"the constant {node.name!r} {problem}"
            tensor = node.attr[_CONSTANTS[node.op]].tensor
            more += _bytes_beyond(tensor)
            if more > most_bytes:
                sizes = [dim.size for dim in tensor.tensor_shape.dim]
                return (
                    f"the constant {node.name!r} has the shape {sizes}: with it the constants take "
                    f"{more:,} bytes beyond what is in the file, and COMPAT_HUB_MAX_CONSTANT_BYTES "
                    f"allows {most_bytes:,.0f}"
                )
    return None


def _problem(node: Any) -> str | None:
    tensor = node.attr[_CONSTANTS[node.op]].tensor
    dtype = node.attr["dtype"].type if "dtype" in node.attr else tensor.dtype
    if tensor.dtype != dtype:
        return f"has the dtype {dtype}, and its value {tensor.dtype}"
    sizes = [dim.size for dim in tensor.tensor_shape.dim]
    if tensor.tensor_shape.unknown_rank or not is_shape(sizes):
        return f"has the shape {sizes}"
    if tensor.variant_val or tensor.resource_handle_val:
        # TensorFlow takes what these say of shapes and lengths as it is.
        return f"holds objects of a process (dtype {dtype}), which no file has"
    return None


def _bytes_beyond(tensor: Any) -> int:
    """The bytes that a constant takes in memory and does not have in the file."""
    elements = math.prod(dim.size for dim in tensor.tensor_shape.dim)
    name = types_pb2.DataType.Name(tensor.dtype) if tensor.dtype in _KNOWN else ""
    width = _WIDTHS.get(name, 4)
    last = len(tensor.string_val[-1]) if tensor.string_val else 0
    if elements * (width + last) <= _SMALL:
        return 0
    # The last value is that of all elements which have none.
    count = max(_lengths(tensor), default=0)
    if tensor.tensor_content:
        count = len(tensor.tensor_content) // width
    return max(0, elements - count) * (width + last)


def _lengths(tensor: Any) -> Iterable[int]:
    """How many values are written, in each field that has values."""
    yield from (len(getattr(tensor, field)) for field in _FIELDS)
    yield from (len(tensor.scomplex_val) // 2, len(tensor.dcomplex_val) // 2)


_KNOWN = frozenset(types_pb2.DataType.values())
