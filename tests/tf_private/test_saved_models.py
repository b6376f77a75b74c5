from __future__ import annotations

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from compat_hub.tf_private import (
    saved_models,
)
from tests.records import FIXTURES


def test_type_specs() -> None:
    data = (FIXTURES / "ragged_io/module/saved_model.pb").read_bytes()
    (meta_graph,) = saved_model_pb2.SavedModel.FromString(data).meta_graphs
    proto = meta_graph.signature_def["default"].inputs["ragged"].composite_tensor.type_spec
    found = saved_models.decode_type_spec(proto)
    assert found == tf.RaggedTensorSpec([None, None], tf.float32, 1, tf.int64)
