"""The interface of what `HubModule.save` writes; tests/conformance has its numbers."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from compat_hub.hub_module.saved_model import _choices, _free, _identifier
from compat_hub.programs.gradients.custom import LostGradientWarning
from tests.authoring import write_module
from tests.records import FIXTURES, Record

v1 = tf.compat.v1


def _load(fixture: str, tags: Any = None) -> compat_hub.HubModule:
    return compat_hub.load(FIXTURES / fixture / "module", tags)


def _saved(module: compat_hub.HubModule, path: Path, **kwargs: Any) -> Any:
    return tf.saved_model.load(module.save(path / "saved", **kwargs))


def _normal(*shape: int) -> tf.Tensor:
    return tf.constant(np.random.default_rng(0).normal(size=shape), tf.float32)


def test_the_interface(tmp_path: Path) -> None:
    module = _load("image_bn")
    loaded = _saved(module, tmp_path)
    own = [v.name for v in module.variables]
    assert [v.name for v in loaded.variables] == own
    assert [v.trainable for v in loaded.variables] == [v.trainable for v in module.variables]
    trainable = [v.name for v in module.trainable_variables]
    assert [v.name for v in loaded.trainable_variables] == trainable
    losses = [loss() for loss in loaded.regularization_losses]
    np.testing.assert_allclose(losses, [loss() for loss in module.regularization_losses])
    assert sorted(loaded.signatures) == sorted([*module.signatures, "serving_default"])
    (info,) = module.get_input_info_dict().values()
    (spec,) = loaded.signatures["default"].structured_input_signature[1].values()
    assert (spec.dtype, spec.shape.as_list()) == (info.dtype, info.get_shape().as_list())


def test_a_loss_has_gradients(tmp_path: Path) -> None:
    loaded = _saved(_load("image_bn"), tmp_path)
    with tf.GradientTape() as tape:
        loss = tf.add_n([loss() for loss in loaded.regularization_losses])
    gradients = tape.gradient(loss, loaded.trainable_variables)
    assert any(g is not None for g in gradients)


def test_training_switches_the_variant_and_runs_update_ops(tmp_path: Path) -> None:
    module = _load("image_bn")
    loaded = _saved(module, tmp_path)
    (x,) = (tf.constant(v) for v in Record(FIXTURES / "image_bn").inputs("default").values())
    np.testing.assert_allclose(loaded(x), module(x), rtol=1e-5, atol=1e-6)
    before = [v.numpy() for v in loaded.variables]
    np.testing.assert_allclose(
        loaded(x, training=True), module(x, training=True), rtol=1e-5, atol=1e-6
    )
    moved = [not np.array_equal(v, b) for v, b in zip(loaded.variables, before, strict=True)]
    names = [v.name for v, m in zip(loaded.variables, moved, strict=True) if m]
    assert names
    assert all("moving" in name for name in names)
    for own, other in zip(module.variables, loaded.variables, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-5, atol=1e-6)


def test_in_a_function_and_for_other_batches(tmp_path: Path) -> None:
    loaded = _saved(_load("image_bn"), tmp_path)

    @tf.function
    def step(x: tf.Tensor, training: bool) -> tf.Tensor:
        return loaded(x, training=training)

    for batch in 1, 3:
        x = _normal(batch, 8, 8, 3)
        for training in False, True:
            assert step(x, training).shape[0] == batch


def test_hyperparameters_are_keyword_arguments(tmp_path: Path) -> None:
    module = _load("optional_inputs")
    loaded = _saved(module, tmp_path, signatures=["all"])
    x = _normal(8, 3)
    values = {
        "bias": tf.constant([1.0, 2.0, 3.0]),
        "power": tf.constant(3),
        "scale": tf.constant(0.5),
        "shift": tf.constant([1.0, -1.0, 0.5]),
    }
    for names in [], list(values), *([name] for name in values):
        given = {name: values[name] for name in names}
        expected = module({"x": x, **given}, "all")
        np.testing.assert_allclose(loaded(x, **given), expected, rtol=1e-5)
        np.testing.assert_allclose(loaded({"x": x}, training=True, **given), expected, rtol=1e-5)
    with pytest.raises((TypeError, ValueError)):
        loaded(x, nonsense=1.0)


def test_all_inputs_have_defaults(tmp_path: Path) -> None:
    def build() -> Any:
        x = v1.placeholder_with_default([1.0, 2.0], [2], "x")
        return {"default": ({"x": x}, {"default": 2.0 * x})}

    loaded = _saved(compat_hub.load(write_module(tmp_path / "module", none=build)), tmp_path)
    np.testing.assert_array_equal(loaded(), [2.0, 4.0])
    np.testing.assert_array_equal(loaded(x=tf.constant([3.0, 4.0])), [6.0, 8.0])
    np.testing.assert_array_equal(loaded.signatures["default"]()["default"], [2.0, 4.0])


@pytest.mark.parametrize(
    ("names", "served"), [(None, "default"), (["fruit_to_pet"], "fruit_to_pet")]
)
def test_the_signature_that_servers_ask_for(names: Any, served: str, tmp_path: Path) -> None:
    loaded = _saved(_load("fruit"), tmp_path, signatures=names)
    own, found = (loaded.signatures[name] for name in (served, "serving_default"))
    assert found.structured_input_signature == own.structured_input_signature
    specs = own.structured_input_signature[1]
    given = {name: _normal(2, *spec.shape[1:]) for name, spec in specs.items()}
    for name, value in own(**given).items():
        np.testing.assert_array_equal(found(**given)[name], value)


def test_a_signature_of_the_name_that_servers_ask_for_stays(tmp_path: Path) -> None:
    def build() -> Any:
        x = v1.placeholder(tf.float32, [], "x")
        return {
            "default": ({"x": x}, {"default": 2.0 * x}),
            "serving_default": ({"x": x}, {"default": 3.0 * x}),
        }

    loaded = _saved(compat_hub.load(write_module(tmp_path / "module", none=build)), tmp_path)
    found = [
        float(loaded.signatures[n](x=tf.ones([]))["default"]) for n in sorted(loaded.signatures)
    ]
    assert found == [2.0, 3.0]


def test_a_signature_with_the_inputs_that_have_a_default(tmp_path: Path) -> None:
    def build() -> Any:
        x = v1.placeholder(tf.float32, [], "x")
        rate = v1.placeholder_with_default(2.0, [], "rate")
        plain = v1.placeholder(tf.float32, [], "plain")
        return {
            "default": ({"x": x, "rate": rate}, {"default": rate * x}),
            "default_with_options": ({"x": plain}, {"default": plain}),
        }

    loaded = _saved(compat_hub.load(write_module(tmp_path / "module", none=build)), tmp_path)
    names = ["default", "default_with_options", "default_with_options_", "serving_default"]
    assert sorted(loaded.signatures) == names
    x = tf.constant(5.0)
    assert float(loaded.signatures["default"](x=x)["default"]) == 10.0
    with_options = loaded.signatures["default_with_options_"]
    assert float(with_options(x=x, rate=tf.constant(3.0))["default"]) == 15.0
    assert float(loaded.signatures["default_with_options"](x=x)["default"]) == 5.0


def test_several_outputs_without_a_default_are_a_dict(tmp_path: Path) -> None:
    loaded = _saved(_load("fruit"), tmp_path, signatures=["fruit_to_pet"])
    pets = loaded({"apples": _normal(1, 4), "oranges": _normal(1, 3)})
    assert sorted(pets) == sorted(_load("fruit").get_output_info_dict("fruit_to_pet"))


def test_names_that_are_no_identifiers(tmp_path: Path) -> None:
    def build() -> Any:
        names = ["class", "self", "a-b", "a b", "_x", "1st", "training", "inputs"]
        inputs = {n: v1.placeholder(tf.float32, []) for n in names}
        weighted = [float(k + 1) * inputs[n] for k, n in enumerate(names)]
        return {"default": (inputs, {"default": tf.add_n(weighted)})}

    module = compat_hub.load(write_module(tmp_path / "module", none=build))
    loaded = _saved(module, tmp_path)
    (_, specs) = loaded.signatures["default"].structured_input_signature
    assert len(specs) == 8
    assert all(name.isidentifier() for name in specs)
    values = dict.fromkeys(module.get_input_info_dict(), tf.constant(1.0))
    assert float(loaded(values)) == sum(range(9))
    given = dict.fromkeys(specs, tf.constant(1.0))
    assert float(loaded.signatures["default"](**given)["default"]) == sum(range(9))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x", "x"),
        ("class", "arg_class"),
        ("self", "arg_self"),
        ("_x", "arg__x"),
        ("1st", "arg_1st"),
        ("a/b:0", "a_b_0"),
        ("größe", "größe"),
    ],
)
def test_identifiers(name: str, expected: str) -> None:
    assert _identifier(name) == expected
    assert expected.isidentifier()


def test_free_names() -> None:
    assert _free("x", {}) == "x"
    assert _free("x", {"x": 1, "x_": 2}) == "x__"


def test_choices_of_hyperparameters() -> None:
    assert _choices({}) == [()]
    assert _choices({"a": 1}) == [(), ("a",)]
    assert _choices({"a": 1, "b": 1, "c": 1}) == [(), ("a",), ("b",), ("c",), ("a", "b", "c")]


def test_sparse_and_ragged_values(tmp_path: Path) -> None:
    for fixture in "sparse_io", "ragged_io":
        module = _load(fixture)
        loaded = _saved(module, tmp_path / fixture)
        record = Record(FIXTURES / fixture)
        inputs = record.inputs("default")
        infos = module.get_input_info_dict()
        values = {
            n: v if infos[n].is_composite else tf.constant(v, infos[n].dtype)
            for n, v in inputs.items()
        }
        found, expected = loaded(values), module(values)
        dense = [v if isinstance(v, tf.Tensor) else _dense(v) for v in (found, expected)]
        np.testing.assert_allclose(*dense, rtol=1e-5, atol=1e-6)


def _dense(value: Any) -> tf.Tensor:
    return tf.sparse.to_dense(value) if isinstance(value, tf.SparseTensor) else value.to_tensor()


def test_values_of_now_and_no_more(tmp_path: Path) -> None:
    module = _load("fruit")
    module.variables[0].assign_add(tf.ones_like(module.variables[0]))
    loaded = _saved(module, tmp_path)
    np.testing.assert_array_equal(loaded.variables[0], module.variables[0])
    loaded.variables[0].assign(tf.zeros_like(loaded.variables[0]))
    assert np.any(module.variables[0].numpy())


def test_a_module_pinned_to_its_training_variant(tmp_path: Path) -> None:
    module = _load("image_bn", "train")
    loaded = _saved(module, tmp_path)
    x = _normal(4, 8, 8, 3)
    np.testing.assert_allclose(loaded(x), module(x), rtol=1e-5, atol=1e-6)


def test_a_saved_model_is_no_module_and_saves_again(tmp_path: Path) -> None:
    loaded = _saved(_load("fruit"), tmp_path)
    assert not isinstance(compat_hub.load(tmp_path / "saved"), compat_hub.HubModule)
    tf.saved_model.save(loaded, str(tmp_path / "again"), signatures=dict(loaded.signatures))
    again = tf.saved_model.load(str(tmp_path / "again"))
    assert sorted(again.signatures) == ["default", "fruit_to_pet", "serving_default"]


def test_the_folder_that_is_renamed_is_not_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "tensorflow"):  # as in a notebook
        loaded = _saved(_load("fruit"), tmp_path)
        assert ".tmp-" not in caplog.text
        tf.saved_model.save(loaded, str(tmp_path / "again"))
        assert "again" in caplog.text


def test_a_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def save(obj: Any, folder: str, **_: Any) -> None:
        Path(folder, "saved_model.pb").write_bytes(b"half")
        raise tf.errors.ResourceExhaustedError(None, None, "the disk is full")

    monkeypatch.setattr(tf.saved_model, "save", save)
    with pytest.raises(compat_hub.ResolveError, match="the disk is full"):
        _load("fruit").save(tmp_path / "saved")
    assert not list(tmp_path.iterdir())


# Gradients of one's own ---------------------------------------------------------------------------


def test_a_lost_gradient_is_told_when_it_is_written(tmp_path: Path) -> None:
    with pytest.warns(LostGradientWarning, match=r"tf\.custom_gradient"):
        loaded = _saved(_load("custom_gradient"), tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(loaded(_normal(4, 4)))
        assert None not in tape.gradient(loss, loaded.trainable_variables)


@pytest.mark.parametrize("fixture", ["functions", "functions_clash"])
def test_gradient_functions_go_with_it(fixture: str, tmp_path: Path) -> None:
    module = _load(fixture)
    loaded = _saved(module, tmp_path)
    x = _normal(4, 4)
    gradients = []
    for call, variables in (
        (module, module.trainable_variables),
        (loaded, loaded.trainable_variables),
        (tf.function(loaded), loaded.trainable_variables),
    ):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(call(x)))
        gradients.append(tape.gradient(loss, variables))
    for own, found, in_function in zip(*gradients, strict=True):
        np.testing.assert_allclose(found, own, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(in_function, own, rtol=1e-4, atol=1e-5)


def test_gradients_of_what_a_branch_of_a_branch_of_a_loop_reads(tmp_path: Path) -> None:
    module = _load("cond_in_cond_in_while_reads")
    loaded = _saved(module, tmp_path)
    recorded = Record(FIXTURES / "cond_in_cond_in_while_reads").inputs("default")
    values = {name: tf.constant(value) for name, value in recorded.items()}
    gradients = []
    for owner in module, loaded:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(owner(values)))
        found = tape.gradient(loss, owner.trainable_variables)
        gradients.append([tf.convert_to_tensor(g).numpy() for g in found])
    table = module.variables[0]
    steps = []
    for shift in 1e-3, -2e-3:
        table.scatter_nd_add([[2, 1]], [shift])
        steps.append(float(tf.reduce_sum(tf.square(module(values)))))
    assert gradients[0][0][2, 1] == pytest.approx((steps[0] - steps[1]) / 2e-3, rel=1e-2)
    for own, other in zip(*gradients, strict=True):
        assert np.any(own)
        np.testing.assert_allclose(other, own, rtol=1e-5, atol=1e-6)
