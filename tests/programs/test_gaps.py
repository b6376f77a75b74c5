"""Modules whose checkpoint lacks variables: what is whole works, as far as hub.Module goes, too."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import variable_pb2

import compat_hub
from compat_hub import keras2, keras3
from compat_hub.programs.gaps import IncompleteModuleWarning
from tests.copies import node
from tests.records import (
    FIXTURES,
    OUTPUT_TOLERANCE,
    STEP_TOLERANCE,
    Record,
    assert_close,
    value_of,
)

NAMES = ["aux_head", "quantized"]


def _record(name: str) -> Record:
    return Record(FIXTURES / "incomplete" / name)


def _tags(key: str) -> list[str]:
    return [] if key == "none" else key.split("+")


def _check_outputs(module: Any, record: Record, tags: list[str], signature: str) -> None:
    expected = record.outputs(tags, signature)
    found = module(record.inputs(signature), signature=signature, as_dict=True)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert_close(found[name], value, OUTPUT_TOLERANCE, "value")


@pytest.mark.parametrize("name", NAMES)
def test_what_is_whole_works(name: str) -> None:
    record = _record(name)
    module = compat_hub.load(record.path)
    for signature in record.signatures([]):
        _check_outputs(module, record, [], signature)
    assert record.meta["incomplete"].keys() >= {"train"}
    inputs = record.inputs("default")
    for training in True, tf.constant(True):
        with pytest.raises(compat_hub.CheckpointError) as caught:
            module(inputs, training=training)
        for part in (record.path, '{"train"}', "'default'", "'initial'", "tags=[]"):
            assert part in str(caught.value)


def test_a_signature_of_an_incomplete_variant_that_is_whole() -> None:
    # hub.Module refuses the variant.
    record = _record("aux_head")
    module = compat_hub.load(record.path)
    inputs = record.inputs("plain")
    found = module(inputs, signature="plain", training=True)
    assert_close(found, record.outputs(["train"], "plain")["default"], OUTPUT_TOLERANCE, "value")
    pinned = compat_hub.load(record.path, tags="train")
    _check_outputs(pinned, record, ["train"], "plain")
    with pytest.raises(compat_hub.CheckpointError, match="'aux/kernel'"):
        pinned(record.inputs("default"), as_dict=True)


def test_a_variant_of_which_nothing_is_whole_is_refused_at_once() -> None:
    with pytest.raises(compat_hub.CheckpointError, match=r'\{"disc"\}.*\'disc/kernel\''):
        compat_hub.load(_record("aux_head").path, tags={"disc"})


def test_variables_are_those_with_values() -> None:
    record = _record("aux_head")
    module = compat_hub.load(record.path)
    names = {name.removesuffix(":0") for name in (v.name for v in module.variables)}
    assert names == module.variable_map.keys()
    checkpoint = tf.train.load_checkpoint(f"{record.path}/variables/variables")
    assert names == checkpoint.get_variable_to_shape_map().keys()
    for name, value in module.variable_map.items():
        np.testing.assert_array_equal(value, checkpoint.get_tensor(name))


def test_losses_of_variables_without_a_value_are_left_out() -> None:
    module = compat_hub.load(_record("aux_head").path)
    (loss,) = module.regularization_losses
    assert loss.name.startswith("trunk/kernel")
    assert loss() > 0
    assert (
        len(compat_hub.load(_record("aux_head").path, missing="initial").regularization_losses) == 2
    )


@pytest.mark.parametrize("name", NAMES)
def test_graph_mode_takes_the_variants_that_hub_module_takes(name: str) -> None:
    record = _record(name)
    for tags in map(_tags, ["none", *record.meta["incomplete"]]):
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            if tags:
                with pytest.raises(compat_hub.CheckpointError, match="not in the checkpoint"):
                    compat_hub.Module(record.path, tags=tags)
                continue
            module = compat_hub.Module(record.path)
            found = module(record.inputs("default"), as_dict=True)
            session.run(tf.compat.v1.global_variables_initializer())
            values = session.run(found)
        for key, value in record.outputs([], "default").items():
            assert_close(values[key], value, OUTPUT_TOLERANCE, "value")


def test_graph_mode_in_a_function() -> None:
    path = _record("aux_head").path

    @tf.function
    def call(x: tf.Tensor) -> tf.Tensor:
        return compat_hub.Module(path, tags={"train"})(x)

    with pytest.raises(compat_hub.CheckpointError, match="not in the checkpoint"):
        call(tf.ones([2, 4]))


@pytest.mark.parametrize("name", NAMES)
def test_initial_values_on_request(name: str) -> None:
    record = _record(name)
    module = compat_hub.load(record.path, missing="initial")
    for key, value in record.variables(0).items():
        np.testing.assert_array_equal(value_of(module.variable_map[key]), value)
    for tags in map(_tags, record.meta["incomplete"]):
        pinned = compat_hub.load(record.path, tags, missing="initial")
        for signature in record.signatures(tags):
            _check_outputs(pinned, record, tags, signature)


def test_training_from_initial_values() -> None:
    record = _record("aux_head")
    train = record.train
    assert train is not None
    module = compat_hub.load(record.path, missing="initial")
    inputs = record.inputs("default")
    for step in range(train["steps"]):
        with tf.GradientTape() as tape:
            found = module(inputs, as_dict=True, training=True)
            terms = [tf.reduce_sum(tf.square(found[name])) for name in train["outputs"]]
            loss = tf.add_n(terms + [r() for r in module.regularization_losses])
        assert_close(loss, record.arrays[f"loss{step}"], STEP_TOLERANCE, "value")
        for v, gradient in zip(
            module.trainable_variables,
            tape.gradient(loss, module.trainable_variables),
            strict=True,
        ):
            if gradient is not None:
                v.assign_sub(train["learning_rate"] * gradient)
        for name, value in record.variables(step + 1).items():
            if not name.startswith(("disc/", "score/")):
                assert_close(value_of(module.variable_map[name]), value, STEP_TOLERANCE, "value")


def test_export_keeps_what_there_is(tmp_path: Path) -> None:
    record = _record("aux_head")
    module = compat_hub.load(record.path)
    again = compat_hub.load(module.export(tmp_path / "again"))
    assert again.variable_map.keys() == module.variable_map.keys()
    _check_outputs(again, record, [], "default")
    pinned = compat_hub.load(record.path, tags=[])
    again = compat_hub.load(pinned.export(tmp_path / "pinned"))
    assert again.variable_map.keys() == module.variable_map.keys()
    filled = compat_hub.load(record.path, missing="initial").export(tmp_path / "filled")
    compat_hub.load(filled)(record.inputs("default"), training=True)


def test_a_variable_that_nothing_needs_stops_nothing(copy_of) -> None:
    copy = copy_of("fruit")
    with copy.meta_graph() as meta_graph:
        values = meta_graph.collection_def["variables"].bytes_list.value
        for name in ("cats/kernel", "cats/kernel/Assign", "cats/kernel/Read/ReadVariableOp"):
            found = meta_graph.graph_def.node.add()
            found.CopyFrom(node(meta_graph, name))
            found.name = name.replace("cats/kernel", "unused")
            for k, source in enumerate(found.input):
                found.input[k] = "unused" if source == "cats/kernel" else source
        found = variable_pb2.VariableDef.FromString(values[0])
        for field in ("variable_name", "initializer_name", "snapshot_name"):
            setattr(found, field, getattr(found, field).replace("from_apples", "unused"))
        values.append(found.SerializeToString())
    record = Record(FIXTURES / "fruit")
    module = compat_hub.load(copy.path)
    assert "unused" not in module.variable_map
    _check_outputs(module, record, [], "default")
    _check_outputs(module, record, [], "fruit_to_pet")


@pytest.mark.parametrize("name", NAMES)
def test_convert_writes_what_is_whole(name: str, tmp_path: Path) -> None:
    record = _record(name)
    with pytest.warns(IncompleteModuleWarning) as caught:
        path = compat_hub.convert(record.path, tmp_path / "converted")
    texts = [str(w.message) for w in caught if w.category is IncompleteModuleWarning]
    assert len(texts) == 1
    assert "training calls of 'default'" in texts[0]
    assert record.path in texts[0]
    again = tf.saved_model.load(path)
    assert sorted(again.signatures) == sorted([*record.signatures([]), "serving_default"])
    (inputs,) = (tf.constant(v) for v in record.inputs("default").values())
    expected = record.outputs([], "default")["default"]
    assert_close(again(inputs), expected, OUTPUT_TOLERANCE, "default")
    with pytest.raises(ValueError, match="Could not find matching concrete function"):
        again(inputs, training=True)
    for loss in again.regularization_losses:
        assert loss() > 0


def test_convert_with_initial_values(tmp_path: Path) -> None:
    record = _record("aux_head")
    path = compat_hub.convert(record.path, tmp_path / "converted", missing="initial")
    again = tf.saved_model.load(path)
    inputs = tf.constant(record.inputs("default")["x"])
    expected = record.outputs(["train"], "default")["default"]
    assert_close(again(inputs, training=True), expected, OUTPUT_TOLERANCE, "default")
    assert len(again.regularization_losses) == 2


def test_convert_leaves_signatures_out(copy_of, tmp_path: Path) -> None:
    copy = copy_of("fruit")
    with copy.meta_graph() as meta_graph:
        dogs = meta_graph.signature_def["fruit_to_pet"].outputs["dogs"].name
        node(meta_graph, dogs.partition(":")[0]).op = "Zzz"
    with pytest.warns(IncompleteModuleWarning, match=r"the signature 'fruit_to_pet'.*'Zzz'"):
        path = compat_hub.convert(copy.path, tmp_path / "converted")
    assert sorted(tf.saved_model.load(path).signatures) == ["default", "serving_default"]
    with pytest.raises(compat_hub.ModuleFormatError, match=r"'fruit_to_pet'.*'Zzz'"):
        compat_hub.convert(copy.path, tmp_path / "other", signatures=["default", "fruit_to_pet"])
    assert not (tmp_path / "other").exists()


def test_convert_of_a_default_that_is_left_out_makes_nothing_else_the_default(
    copy_of, tmp_path: Path
) -> None:
    copy = copy_of("fruit")
    with copy.meta_graph() as meta_graph:
        output = meta_graph.signature_def["default"].outputs["default"].name
        node(meta_graph, output.partition(":")[0]).op = "Zzz"
    with pytest.warns(IncompleteModuleWarning, match="the signature 'default'"):
        path = compat_hub.convert(copy.path, tmp_path / "converted")
    again = tf.saved_model.load(path)
    assert [*again.signatures] == ["fruit_to_pet"]
    assert not callable(again)


def test_convert_refuses_what_is_damaged(copy_of, tmp_path: Path) -> None:
    copy = copy_of("fruit")
    shutil.rmtree(copy.file("variables"))
    with pytest.raises(compat_hub.CheckpointError, match="checkpoint is missing"):
        compat_hub.convert(copy.path, tmp_path / "converted")
    assert not (tmp_path / "converted").exists()


@pytest.mark.parametrize("layer_class", [keras2.KerasLayer, keras3.KerasLayer])
def test_layers(layer_class: Any) -> None:
    record = _record("aux_head")
    inputs = tf.constant(record.inputs("default")["x"])
    layer = layer_class(record.path, trainable=True)
    expected = record.outputs([], "default")["default"]
    assert_close(layer(inputs), expected, OUTPUT_TOLERANCE, "default")
    assert len(layer.losses) == 1
    with pytest.raises(compat_hub.CheckpointError):
        layer(inputs, training=True)
    filled = layer_class(record.path, trainable=True, missing="initial")
    expected = record.outputs(["train"], "default")["default"]
    assert_close(filled(inputs, training=True), expected, OUTPUT_TOLERANCE, "default")
    assert filled.get_config()["missing"] == "initial"
    assert len(layer_class.from_config(filled.get_config()).weights) == len(filled.weights)
    with pytest.raises(compat_hub.SignatureError, match="`missing`"):
        layer_class(layer.resolved_object, missing="initial")


def test_verify_compares_what_a_session_takes() -> None:
    report = compat_hub.verify(_record("aux_head").path)
    assert report.passed
    assert {check.tags for check in report.checks} == {frozenset()}
    assert len(report.notes) == 3
    assert any("'score' of the variant" in note and "disc/kernel" in note for note in report.notes)
