from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf
from tensorflow.core.framework import variable_pb2
from tensorflow.core.protobuf import meta_graph_pb2

import compat_hub
from compat_hub.format.variant import GraphVariant, Slice, format_tags
from tests.records import FIXTURES


def _variant(fixture: str, tags: Any = None) -> GraphVariant:
    return compat_hub.load_module_spec(FIXTURES / fixture / "module").variant(tags)


def test_format_tags() -> None:
    assert format_tags([]) == "set()"
    assert format_tags(["train"]) == '{"train"}'
    assert format_tags({"train", "gpu"}) == '{"gpu", "train"}'


def test_the_name_in_messages() -> None:
    path = str(FIXTURES / "image_bn/module")
    assert _variant("image_bn", "train").where == f'module {path!r}, variant {{"train"}}'


def test_variables() -> None:
    variables = {v.name: v for v in _variant("image_bn").variables}
    kernel = variables["conv2d/kernel"]
    assert (kernel.key, kernel.slice, kernel.trainable) == ("conv2d/kernel", None, True)
    assert (kernel.dtype, kernel.shape) == (tf.float32, tf.TensorShape([3, 3, 3, 6]))
    assert kernel.initial_value == "conv2d/kernel/Initializer/random_uniform:0"
    assert [n for n, v in variables.items() if not v.trainable] == [
        "batch_normalization/moving_mean",
        "batch_normalization/moving_variance",
        "batch_normalization_1/moving_mean",
        "batch_normalization_1/moving_variance",
    ]


def test_reference_variables() -> None:
    variant = _variant("reference")
    kernel = variant.variables_by_node["legacy/dense/kernel"]
    assert (kernel.dtype, kernel.shape) == (tf.float32, tf.TensorShape([4, 5]))
    assert variant.reference_variables.keys() == variant.variable_tensors
    assert variant.reference_variables["steps:0"] == tf.int32.as_datatype_enum
    assert not _variant("fruit").reference_variables


def test_a_variable_without_a_static_shape() -> None:
    (weights,) = _variant("unknown_shape_variable").variables
    assert weights.shape.rank is None


def test_parts_of_a_variable() -> None:
    parts = {v.name: v for v in _variant("partitioned").variables if v.slice}
    names = [f"outer/inner/weights/part_{k}" for k in range(3)]
    assert [parts[n].key for n in names] == ["outer/inner/weights"] * 3
    assert [parts[n].slice for n in names] == [
        Slice((7, 4), (0, 0), (3, 4)),
        Slice((7, 4), (3, 0), (2, 4)),
        Slice((7, 4), (5, 0), (2, 4)),
    ]
    assert parts[names[1]].slice.spec == "7 4 3,2:0,4"


def test_collections() -> None:
    variant = _variant("image_bn", "train")
    assert variant.regularization_losses == (
        "conv2d/kernel/Regularizer/mul:0",
        "conv2d_1/kernel/Regularizer/mul:0",
    )
    assert len(variant.update_ops) == 4
    assert all(name in variant.nodes for name in variant.update_ops)
    assert not _variant("image_bn").update_ops
    assert _variant("text_kv").table_initializers == (
        "key_value_init/LookupTableImportV2",
        "key_value_init_1/LookupTableImportV2",
        "text_file_init/InitializeTableFromTextFileV2",
        "text_file_init_1/InitializeTableFromTextFileV2",
    )


def test_an_update_op_that_is_named_twice_runs_once(copy_of) -> None:
    copy = copy_of("reference")
    with copy.meta_graph() as meta_graph:
        # A tensor and the op that makes it are one update op.
        meta_graph.collection_def["update_ops"].node_list.value.extend(["AssignAdd", "AssignAdd:0"])
    variant = compat_hub.load_module_spec(copy.path).variant()
    assert variant.update_ops == _variant("reference").update_ops


def test_assets() -> None:
    assert _variant("text_table").assets == {"string_to_index/hash_table/asset_path:0": "vocab.txt"}
    assert set(_variant("text_two_assets").assets.values()) == {"vocab.txt", "vocab.txt0"}
    assert not _variant("fruit").assets


def test_assets_in_the_field_of_newer_meta_graphs(copy_of) -> None:
    copy = copy_of("text_table")
    with copy.meta_graph() as meta_graph:
        (packed,) = meta_graph.collection_def["saved_model_assets"].any_list.value
        asset = meta_graph_pb2.AssetFileDef.FromString(packed.value)
        meta_graph.asset_file_def.append(asset)
        del meta_graph.collection_def["saved_model_assets"]
    found = compat_hub.load_module_spec(copy.path).variant()
    assert found.assets == _variant("text_table").assets
    assert len(compat_hub.load(copy.path).asset_paths) == 1


def test_variables_of_before_tensorflow_1_4(copy_of) -> None:
    # Their messages do not name the initial value, only the op that assigns it.
    copy = copy_of("fruit")
    with copy.meta_graph() as meta_graph:
        for collection in ("variables", "trainable_variables"):
            values = meta_graph.collection_def[collection].bytes_list.value
            for k, value in enumerate(values):
                variable = variable_pb2.VariableDef.FromString(value)
                variable.ClearField("initial_value_name")
                variable.ClearField("trainable")
                values[k] = variable.SerializeToString()
    assert compat_hub.load_module_spec(copy.path).variant().variables == _variant("fruit").variables


def test_the_library_digest_tells_libraries_apart() -> None:
    assert _variant("functions").library_digest == _variant("functions").library_digest
    assert _variant("functions").library_digest != _variant("functions_clash").library_digest
    assert _variant("functions").function_names >= {"bent", "halved", "swish"}


def test_needed_nodes() -> None:
    variant = _variant("fruit")
    needed = variant.needed_nodes(["MatMul_2:0"])
    assert needed == {"MatMul_2", "Placeholder", "from_apples", "MatMul_2/ReadVariableOp"}
    assert variant.needed_nodes(["MatMul_2:0"], ["Placeholder:0", "from_apples:0"]) == {
        "MatMul_2",
        "MatMul_2/ReadVariableOp",
    }
    assert [n.name for n in variant.subgraph(["MatMul_2:0"], ["Placeholder:0"]).node] == [
        n for n in variant.nodes if n in needed - {"Placeholder"}
    ]


def test_placeholders_that_are_not_fed() -> None:
    variant = _variant("fruit")
    assert sorted(variant.unfed_placeholders(["Tanh:0"])) == ["apples", "oranges"]
    assert variant.unfed_placeholders(["Tanh:0"], ["apples:0"]) == ["oranges"]
    assert variant.unfed_placeholders(["Tanh:0"], ["apples:0", "oranges:0"]) == []
    assert variant.unfed_placeholders(["apples:0"], ["apples:0"]) == []
    assert _variant("hparams").unfed_placeholders(["batch_norm_momentum:0"]) == []


def test_what_is_runnable() -> None:
    variant = _variant("unfed_update", "train")
    assert len(variant.update_ops) == 3
    mean, total, steps = variant.update_ops
    assert variant.runnable(variant.update_ops) == [steps]
    assert variant.runnable(variant.update_ops, ["x:0"]) == [mean, steps]
    assert variant.runnable(variant.update_ops, ["z:0"]) == [total, steps]
    assert variant.runnable(["x:0", "z:0"], ["x:0"]) == ["x:0"]


def test_what_is_needed_without_initializers() -> None:
    variant = _variant("image_bn", "train")
    needed = variant.needed_without_initializers()
    initializers = {n for n in variant.nodes if "/Initializer/" in n}
    assert initializers
    assert not initializers & needed
    assert set(variant.update_ops) <= needed
    assert {i.name for i in variant.variables} <= needed


def test_defaults() -> None:
    variant = _variant("hparams")
    inputs = variant.signatures["with_all"].inputs
    assert {name: variant.has_default(info) for name, info in inputs.items()} == {
        "batch_norm_epsilon": True,
        "batch_norm_momentum": True,
        "x": False,
    }


def test_a_needed_node_that_is_missing(copy_of) -> None:
    copy = copy_of("fruit")
    with copy.meta_graph() as meta_graph:
        nodes = meta_graph.graph_def.node
        del nodes[[n.name for n in nodes].index("MatMul_2/ReadVariableOp")]
    variant = compat_hub.load_module_spec(copy.path).variant()
    assert variant.needed_nodes(["Tanh:0"])
    for call in (variant.needed_nodes, lambda wanted: variant.subgraph(wanted, [])):
        with pytest.raises(compat_hub.ModuleFormatError, match="'MatMul_2/ReadVariableOp'"):
            call(["MatMul_2:0"])


def test_update_ops_that_can_run() -> None:
    variant = _variant("unfed_update", "train")
    mean, total, steps = variant.update_ops
    assert variant.runnable_update_ops(["x:0"]) == [mean, steps]
    assert variant.runnable_update_ops(["z:0"]) == [total, steps]
    # A hyperparameter has a default, fed or not.
    variant = _variant("hparams", "train")
    assert variant.runnable_update_ops(["x:0"]) == list(variant.update_ops)
    assert variant.runnable_update_ops(["x:0", "batch_norm_momentum:0"]) == list(variant.update_ops)
    assert variant.runnable_update_ops([]) == []


def test_losses() -> None:
    variant = _variant("activity")
    free, of_input = variant.regularization_losses
    assert variant.free_losses() == [free]
    assert variant.input_losses(["x:0"]) == [of_input]
    assert variant.input_losses([]) == []
    variant = _variant("fruit")
    assert variant.free_losses() == list(variant.regularization_losses)
    assert variant.input_losses(["apples:0", "oranges:0"]) == []


def test_selecting_outputs() -> None:
    signature = _variant("fruit").signatures["fruit_to_pet"]
    assert signature.select_outputs(None, "W") == ("cats", "dogs", "hidden")
    assert signature.select_outputs(["hidden", "cats"], "W") == ("hidden", "cats")
    assert signature.select_outputs([], "W") == ()
    with pytest.raises(compat_hub.UnknownNameError, match=r"'birds' in W.*'cats', 'dogs'"):
        signature.select_outputs(["cats", "birds"], "W")
    with pytest.raises(compat_hub.UnknownNameError, match="as_dict=True"):
        signature.select_outputs(["default"], "W")
