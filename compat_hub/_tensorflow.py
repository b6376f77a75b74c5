"""Every use of a private name of TensorFlow or tf_keras, each with its reason.

All were seen in TensorFlow 2.16.2 and 2.21.0.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow.python.eager import context
from tensorflow.python.framework import op_def_registry
from tensorflow.python.ops import handle_data_util, resource_variable_ops
from tensorflow.python.saved_model import nested_structure_coder
from tensorflow.python.trackable import base as tracking_base
from tensorflow.python.util import tf_inspect


def decode_type_spec(proto: Any) -> tf.TypeSpec:
    """A TypeSpec from its TypeSpecProto: there is no public decoder."""
    from tensorflow.core.protobuf import struct_pb2  # noqa: PLC0415

    return nested_structure_coder.decode_proto(struct_pb2.StructuredValue(type_spec_value=proto))


def is_registered_op(name: str) -> bool:
    """Whether this process knows the op; `tf.raw_ops` leaves out ops of extension libraries."""
    return op_def_registry.get(name) is not None


def makes_resource(name: str) -> bool:
    """Whether the op makes a resource out of nothing, as a table does; variables not counted."""
    op_def = op_def_registry.get(name)
    return (
        op_def is not None
        and op_def.is_stateful
        and not op_def.input_arg
        and [o.type for o in op_def.output_arg] == [tf.resource.as_datatype_enum]
        and name != "VarHandleOp"
    )


def is_state_op(name: str) -> bool:
    """Whether the op holds state that comes out of nothing: a variable, a table, an iterator.

    As tensorflow_hub tells what belongs to the state of a module.
    """
    op_def = op_def_registry.get(name)
    return op_def is not None and op_def.is_stateful and not op_def.input_arg


def op_def(name: str) -> Any:
    """The OpDef of an op, or None: there is no public registry."""
    return op_def_registry.get(name)


def copy_handle_data(source: tf.Tensor, target: tf.Tensor) -> None:
    """Tells a resource placeholder the dtype and shape of the variable behind it.

    Without it shape inference stops at each read, and no gradient reaches the variable.
    """
    handle_data_util.copy_handle_data(source, target)


def handle_data(handle: tf.Tensor) -> tuple[Any, Any] | None:
    """The dtype and shape of the variable, or of a list's elements, behind a tensor in a graph."""
    data = handle_data_util.get_handle_data(handle)
    if not data.is_set or len(data.shape_and_type) != 1:
        return None
    return data.shape_and_type[0].dtype, data.shape_and_type[0].shape


def seed_epoch() -> Any:
    """An object that is another one after each `tf.random.set_seed`, None before the first."""
    current: Any = context.context()
    return None if context.global_seed() is None else current._rng


def operation_seed() -> int:
    """The next seed that follows from `tf.random.set_seed`, as an eager random op takes it."""
    return context.internal_operation_seed()


def variable_accessed(variable: tf.Variable) -> None:
    """Reports a variable to the tapes and the tf.function around, as reading it does."""
    resource_variable_ops.variable_accessed(variable)


def has_training_argument(function: Any) -> bool:
    """Whether a callable takes `training`; `inspect` does not see through loaded functions."""
    for found in (function, function.__call__):
        try:
            spec = tf_inspect.getfullargspec(found)
        except TypeError:  # an object, whose __call__ comes next
            continue
        if "training" in (*spec.args, *spec.kwonlyargs):
            return True
    return False


def enter_control_flow(graph: Any, tensor: tf.Tensor) -> tf.Tensor:
    """A tensor as seen from inside the loop or branch of TF1 that is being built."""
    context = graph._get_control_flow_context()
    return tensor if context is None else context.AddValue(tensor)


def set_colocation(operation: Any, groups: list[bytes], device: str) -> None:
    """Replaces the colocation groups of an op; `tf.colocate_with` only sets those of new ones."""
    others = [c for c in operation.get_attr("_class") if not c.startswith(b"loc:@")]
    value = tf.compat.v1.AttrValue()
    value.list.s.extend([*others, *groups])
    operation._set_attr("_class", value)
    operation._set_device(device)


def untracked(method: Any) -> Any:
    """Keeps what a Keras layer's method assigns to attributes out of its weights and children."""
    return tracking_base.no_automatic_dependency_tracking(method)
