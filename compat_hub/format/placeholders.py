"""A signature's inputs held against the placeholders that they are fed to."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from compat_hub.errors import ModuleFormatError
from compat_hub.format.tensor_info import TensorInfo
from compat_hub.graphdef.names import node_of

PLACEHOLDERS = frozenset({"Placeholder", "PlaceholderV2"})
_FED = PLACEHOLDERS | {"PlaceholderWithDefault"}


def complete_input(name: str, info: TensorInfo, nodes: Mapping[str, Any]) -> TensorInfo:
    """What an input takes, by what the signature and the graph's placeholder say of it.

    A signature may declare wider sizes than the placeholder, to take other batches, say: nothing
    in the graph depends on those. It depends on the rank: where the signature does not tell it, the
    placeholder's shape counts. TensorFlow ends the process where a value of too few dimensions
    reaches a convolution.

    Args:
        name: The input's name.
        info: What the signature declares.
        nodes: The graph's nodes by name.

    Raises:
        ModuleFormatError: The two contradict each other.
    """
    for tensor, spec in zip(info.components, info.component_specs(), strict=True):
        node = nodes.get(node_of(tensor))
        if node is None or node.op not in _FED:
            continue
        dtype, shape = tf.as_dtype(node.attr["dtype"].type), _shape_of(node)
        if dtype != spec.dtype or not shape.is_compatible_with(spec.shape):
            found = TensorInfo(tf.TensorSpec(shape, dtype), (tensor,))
            declared = TensorInfo(spec, (tensor,))
            raise ModuleFormatError(
                f"the input {name!r} is declared as {declared}, and its placeholder "
                f"{node.name!r} takes {found}"
            )
        if not info.is_composite and spec.shape.rank is None and shape.rank is not None:
            return dataclasses.replace(info, type_spec=tf.TensorSpec(shape, dtype))
    return info


def _shape_of(node: Any) -> tf.TensorShape:
    """The shape of what a placeholder takes, as far as it says it.

    One without dimensions says nothing: before version 22 of graphs that stood for any shape, and
    tools have copied it into later ones.
    """
    proto: Any = node.attr["shape"].shape if "shape" in node.attr else None
    nothing: Any = None
    return tf.TensorShape(proto if proto is not None and proto.dim else nothing)
