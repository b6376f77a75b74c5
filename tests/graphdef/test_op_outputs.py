from __future__ import annotations

import pytest
import tensorflow as tf
from tensorflow.core.framework import op_def_pb2

from compat_hub.graphdef.op_outputs import flat_index, named_output
from compat_hub.tf_private import op_registry
from tests.graphdef.graphs import make_node

NODES = {
    "single": make_node("n", "MatMul", T=tf.float32),
    "several": make_node("n", "Unique", T=tf.int32, out_idx=tf.int32),
    "number_attr": make_node("n", "Split", num_split=3, T=tf.float32),
    "type_list_attr": make_node("n", "IdentityN", T=[tf.float32, tf.int32]),
    "mixed": make_node("n", "FusedBatchNormV3", T=tf.float32, U=tf.float32),
    "list_before_single": make_node("n", "DynamicPartition", num_partitions=2, T=tf.float32),
}
EXPECTED = {
    "single": ["product:0"],
    "several": ["y:0", "idx:0"],
    "number_attr": ["output:0", "output:1", "output:2"],
    "type_list_attr": ["output:0", "output:1"],
    "mixed": [
        "y:0",
        "batch_mean:0",
        "batch_variance:0",
        "reserve_space_1:0",
        "reserve_space_2:0",
        "reserve_space_3:0",
    ],
    "list_before_single": ["outputs:0", "outputs:1"],
}


@pytest.mark.parametrize("kind", NODES)
def test_numbers_and_names(kind: str) -> None:
    node = NODES[kind]
    signature = op_registry.op_def(node.op)
    for number, name in enumerate(EXPECTED[kind]):
        assert flat_index(node, signature, name) == number
        assert named_output(node, signature, number) == name
    with pytest.raises(KeyError, match="n:"):
        named_output(node, signature, len(EXPECTED[kind]))
    with pytest.raises(KeyError, match="n:nope"):
        flat_index(node, signature, "nope:0")


def test_a_name_without_a_number_is_the_first() -> None:
    signature = op_registry.op_def("Split")
    assert flat_index(NODES["number_attr"], signature, "output") == 0


def test_outputs_after_a_list() -> None:
    signature = op_def_pb2.OpDef()
    signature.output_arg.add(name="many", number_attr="N")
    signature.output_arg.add(name="types", type_list_attr="T")
    signature.output_arg.add(name="last")
    node = make_node("n", "Op", N=2, T=[tf.float32] * 3)
    names = ["many:0", "many:1", "types:0", "types:1", "types:2", "last:0"]
    assert [named_output(node, signature, k) for k in range(6)] == names
    assert [flat_index(node, signature, name) for name in names] == list(range(6))
