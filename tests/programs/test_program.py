from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from compat_hub.programs.graph_function import GraphFunction
from compat_hub.programs.program import Program
from compat_hub.tf_private import eager_runtime, op_registry
from tests.authoring import write_module
from tests.copies import ModuleCopy, node
from tests.records import FIXTURES, Record


def _function(
    fixture: str, feeds: dict[str, Any], fetches: list[str], targets: list[str] | None = None
) -> tuple[compat_hub.HubModule, GraphFunction]:
    module = compat_hub.load(FIXTURES / fixture / "module")
    variant = module.spec.variant()
    specs = {name: tf.TensorSpec(shape) for name, shape in feeds.items()}
    state = module.state.tensors(variant)
    return module, GraphFunction(
        lambda: Program(variant, specs, state, fetches, targets or []), state
    )


def test_it_returns_the_fetches_in_order() -> None:
    module, function = _function(
        "fruit", {"Placeholder:0": [None, 5]}, ["MatMul_2:0", "Placeholder:0", "MatMul_2:0"]
    )
    x = tf.ones([2, 5])
    first, second, third = function([x])
    expected = x @ tf.transpose(module.variable_map["from_apples"])
    np.testing.assert_allclose(first, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(second, x)
    np.testing.assert_array_equal(third, first)


def test_it_holds_what_the_fetches_need_and_no_more() -> None:
    _, function = _function("fruit", {"Placeholder:0": [None, 5]}, ["MatMul_2:0"])
    assert [n.name for n in function.program.graph_def.node] == [
        "MatMul_2/ReadVariableOp",
        "MatMul_2",
    ]


def test_variables_are_arguments_and_no_captures() -> None:
    with tf.GradientTape():  # only those who watch need a graph
        module, function = _function("fruit", {"Placeholder:0": [None, 5]}, ["MatMul_2:0"])
    concrete = function.program._imports["eager"].function
    assert not concrete.captured_inputs
    assert [i.dtype for i in concrete.inputs] == [tf.float32, tf.resource]
    module.variable_map["from_apples"].assign(tf.zeros([4, 5]))
    assert np.sum(function([tf.ones([2, 5])])[0]) == 0.0


def test_a_fetch_of_the_state_itself() -> None:
    module, function = _function("constant", {}, ["weights:0", "Sum:0"])
    handle, total = function([])
    assert handle.dtype == tf.resource
    np.testing.assert_allclose(total, np.sum(module.variable_map["weights"].numpy()), rtol=1e-6)


def test_targets_run_at_each_call() -> None:
    module, function = _function(
        "counter", {"x:0": [None, 2]}, ["MatMul_1:0"], ["AssignAddVariableOp"]
    )
    for k in range(1, 4):
        function([tf.ones([1, 2])])
        assert module.variable_map["calls"].numpy() == k
    traced = tf.function(lambda x: function([x])[0])
    traced(tf.ones([1, 2]))
    assert module.variable_map["calls"].numpy() == 4


def test_targets_without_fetches() -> None:
    module, function = _function("counter", {"x:0": [None, 2]}, [], ["AssignAddVariableOp_1"])
    before = module.variable_map["total"].numpy()
    assert list(function([tf.ones([3, 2])])) == []
    np.testing.assert_allclose(module.variable_map["total"], before + 3.0, rtol=1e-6)


def test_only_what_is_watched_is_seen_by_a_tape() -> None:
    module, function = _function("fruit", {"apples:0": [2, 4], "oranges:0": [2, 3]}, ["Tanh:0"])
    inputs = [tf.ones([2, 4]), tf.ones([2, 3])]
    apples = module.variable_map["from_apples"]
    for watched, count in ((lambda _: True, 2), (lambda _: False, 0)):
        with tf.GradientTape() as tape:
            function(inputs, watched)
        assert len(tape.watched_variables()) == count
    with tf.GradientTape() as tape:
        output = function(inputs, lambda state: getattr(state, "variable", None) is apples)
        loss = tf.reduce_sum(output[0])
    assert [v.name for v in tape.watched_variables()] == ["from_apples:0"]
    gradients = tape.gradient(loss, list(module.variables[:2]))
    assert gradients[0] is not None
    assert gradients[1] is None


def test_variables_train_where_activations_are_recomputed() -> None:
    module = compat_hub.load(FIXTURES / "pets" / "module")
    inputs = tf.ones([2, 7])
    gradients = []
    for call in (module, tf.recompute_grad(module.__call__)):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(call(inputs) ** 2)
        gradients.append(tape.gradient(loss, module.trainable_variables))
    expected, found = gradients
    assert sum(g is not None for g in expected) == 4
    for gradient, other in zip(expected, found, strict=True):
        assert (gradient is None) == (other is None)
        if gradient is not None:
            np.testing.assert_allclose(other, gradient, rtol=1e-5)


def test_one_graph_function_serves_eager_and_traced_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    with tf.GradientTape():
        _, function = _function("fruit", {"Placeholder:0": [None, 5]}, ["MatMul_2:0"])

    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("another graph function was built")

    monkeypatch.setattr(tf.compat.v1, "wrap_function", fail)
    monkeypatch.setattr("compat_hub.programs.program.import_bare", fail)
    x = tf.ones([2, 5])
    expected = function([x])[0]
    traced = tf.function(lambda x: function([x])[0], input_signature=[tf.TensorSpec([None, 5])])
    np.testing.assert_allclose(traced(x), expected)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("recorded", [False, True])
def test_attributes_that_are_left_out_or_empty(
    tmp_path: Path, training: bool, recorded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eager_runtime, "seed_epoch", lambda: None)  # as nobody has set a seed
    copy = ModuleCopy("dropout", tmp_path / "copy")
    with copy.saved_model() as message:
        for meta_graph in message.meta_graphs:
            for made in meta_graph.graph_def.node:
                for attr in op_registry.op_def(made.op).attr:
                    if attr.HasField("default_value"):
                        made.attr.pop(attr.name, None)
                if made.op == "RandomUniform":
                    made.attr["seed2"].Clear()  # there, and without a value
    module = compat_hub.load(copy.path)
    inputs = Record(FIXTURES / "dropout").inputs("default")
    context = tf.GradientTape() if recorded else contextlib.nullcontext()
    with context:
        outputs = module(inputs, as_dict=True, training=training)
    assert all(np.isfinite(value).all() for value in outputs.values())


def test_each_import_has_functions_of_its_own() -> None:
    # A gradient adds more under names that follow from theirs, which differ by how it is taken.
    module = compat_hub.load(FIXTURES / "while_rnn/module")
    inputs = Record(FIXTURES / "while_rnn").inputs("default")
    with tf.GradientTape():
        module(inputs, as_dict=True)
    tf.function(lambda: module(inputs, as_dict=True))()
    (function,) = {*module.dispatcher._functions.values()}
    libraries = [
        {f.signature.name for f in imported.function.graph.as_graph_def().library.function}
        for imported in function.function.program._imports.values()
    ]
    assert len(libraries) == 2
    assert not set.intersection(*libraries)
    assert all(libraries)


def test_in_a_strategy_of_two_replicas() -> None:
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        module = compat_hub.load(FIXTURES / "fruit/module")
    assert strategy.num_replicas_in_sync == 2

    @tf.function
    def step(x: tf.Tensor) -> tf.Tensor:
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        return module(x * tf.cast(replica + 1, tf.float32))

    x = tf.ones([2, 5])
    results = strategy.experimental_local_results(strategy.run(step, args=(x,)))
    assert len(results) == 2
    for k, result in enumerate(results):
        np.testing.assert_allclose(result, module(x * (k + 1.0)), rtol=1e-5, atol=1e-6)


def test_devices_of_the_machine_that_wrote_the_graph_do_not_matter(copy_of) -> None:
    copy = copy_of("fruit")
    with copy.meta_graph() as meta_graph:
        for n in meta_graph.graph_def.node:
            n.device = "/job:worker/replica:0/task:7/device:GPU:3"
        node(meta_graph, "MatMul_2").attr["_class"].list.s.append(b"loc:@gone")
    module = compat_hub.load(copy.path)
    x = np.ones([2, 5], "float32")
    expected = compat_hub.load(FIXTURES / "fruit/module")(x)
    np.testing.assert_allclose(module(x), expected, rtol=1e-6)


def test_a_graph_that_tensorflow_cannot_import(copy_of) -> None:
    copy = copy_of("fruit")
    with copy.meta_graph() as meta_graph:
        node(meta_graph, "MatMul_2").attr["T"].type = tf.string.as_datatype_enum
    module = compat_hub.load(copy.path)
    with pytest.raises(compat_hub.ModuleFormatError, match="cannot import the graph") as caught:
        module(np.ones([2, 5], "float32"))
    assert copy.path in str(caught.value)
    assert "set()" in str(caught.value)
    with pytest.raises(compat_hub.ModuleFormatError, match="cannot import the graph"):
        module(np.ones([2, 5], "float32"))  # a failure is not remembered as a success
    assert module({"apples": [[1.0] * 4], "oranges": [[1.0] * 3]}, "fruit_to_pet", as_dict=True)


@pytest.mark.parametrize("damage", ["argument", "result", "call"])
def test_a_function_library_that_contradicts_itself(damage: str, copy_of) -> None:
    copy = copy_of("functions")
    with copy.meta_graph() as meta_graph:
        library = {f.signature.name: f for f in meta_graph.graph_def.library.function}
        if damage == "argument":
            library["bent"].signature.input_arg[0].name = "other"
        elif damage == "result":
            library["bent"].ret.clear()
        else:
            del next(n for n in meta_graph.graph_def.node if n.op == "bent").input[0]
    module = compat_hub.load(copy.path)
    with pytest.raises(compat_hub.ModuleFormatError) as caught:
        module(np.ones([2, 4], "float32"))
    assert copy.path in str(caught.value)


def test_a_variable_that_no_collection_lists(copy_of) -> None:
    copy = copy_of("fruit")
    with copy.meta_graph() as meta_graph:
        for collection in ("variables", "trainable_variables"):
            del meta_graph.collection_def[collection].bytes_list.value[0]
    module = compat_hub.load(copy.path)
    with pytest.raises(compat_hub.ModuleFormatError, match=r"'from_apples'.*GLOBAL_VARIABLES"):
        module(np.ones([2, 5], "float32"))


def test_a_failing_check_in_the_graph_is_tensorflow_s_error() -> None:
    module = compat_hub.load(FIXTURES / "control_inputs/module")
    with pytest.raises(tf.errors.InvalidArgumentError, match="x is negative"):
        module({"x": [[-1.0, 1.0, 1.0]]})
    assert module({"x": [[1.0, 4.0, 9.0]]}).shape == [1, 2]


def test_a_failure_over_a_string_that_is_not_utf8(tmp_path: Path) -> None:
    def build() -> Any:
        x = tf.compat.v1.placeholder(tf.string, [None])
        return {"default": ({"x": x}, {"default": tf.strings.to_number(x)})}

    module = compat_hub.load(write_module(tmp_path / "module", none=build))
    with pytest.raises(tf.errors.InvalidArgumentError, match="abc"):
        module(["abc"])
    with pytest.raises(compat_hub.HubError, match=r"not UTF-8.*\\xdc"):
        module([b"\xdc"])


def test_a_gradient_that_tensorflow_cannot_build(copy_of) -> None:
    copy = copy_of("partitioned_control_flow")
    with copy.meta_graph() as meta_graph:
        library = meta_graph.graph_def.library.function
        body = next(f for f in library if f.signature.name.startswith("while_body"))
        next(n for n in body.node_def if n.name == "Tanh").input[0] = "gone:product:0"
    module = compat_hub.load(copy.path)
    expected = "cannot build the gradient.*KeyError.*gone:product:0.*trainable=False"
    with tf.GradientTape(), pytest.raises(compat_hub.ModuleFormatError, match=expected) as caught:
        module(np.ones([2, 3], "float32"))
    assert copy.path in str(caught.value)
