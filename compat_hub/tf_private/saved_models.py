"""TensorFlow's reading and writing of SavedModels (`tensorflow.python.saved_model`).

All of it was seen in TensorFlow 2.16.2 and 2.21.0.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow.python.saved_model import nested_structure_coder, save_context, utils_impl


def decode_type_spec(proto: Any) -> tf.TypeSpec:
    """A TypeSpec from its TypeSpecProto: there is no public decoder."""
    from tensorflow.core.protobuf import struct_pb2  # noqa: PLC0415

    return nested_structure_coder.decode_proto(struct_pb2.StructuredValue(type_spec_value=proto))


def tensor_info(value: Any) -> Any:
    """The TensorInfo of a tensor, dense or composite: the public function logs a deprecation."""
    return utils_impl.build_tensor_info_internal(value)


def is_saving() -> bool:
    """Whether functions are being traced for a SavedModel."""
    return save_context.in_save_context()
