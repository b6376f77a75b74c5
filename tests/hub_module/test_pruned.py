"""Parts of a variant's graph by the names of its tensors, against a session of the same graph."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

import compat_hub
from compat_hub.programs.gradients.tensor_arrays import control_flow_of_tf1
from compat_hub.samples import sample_path
from tests.authoring import write_module
from tests.records import FIXTURES, Record

v1 = tf.compat.v1

PETS = sample_path("pets")
FRUIT = np.random.RandomState(0).uniform(-1, 1, [5, 7]).astype(np.float32)


def _in_session(
    path: str,
    feeds: Mapping[str, Any],
    fetches: Any,
    by: str = "",
    tags: frozenset[str] = frozenset(),
) -> Any:
    """What TensorFlow gives with nothing but the graph and the checkpoint, and a gradient of it."""
    saved_model = saved_model_pb2.SavedModel()
    saved_model.ParseFromString(Path(path, "saved_model.pb").read_bytes())
    (meta,) = (m for m in saved_model.meta_graphs if tags == set(m.meta_info_def.tags))
    with control_flow_of_tf1(), tf.Graph().as_default() as graph, v1.Session() as session:
        v1.train.import_meta_graph(meta)
        variables = v1.global_variables()
        if variables:
            v1.train.Saver(variables).restore(session, f"{path}/variables/variables")
        if by:
            loss = tf.reduce_sum(graph.get_tensor_by_name(fetches) ** 2)
            (variable,) = (v for v in variables if v.op.name == by)
            return session.run(tf.gradients(loss, variable)[0], dict(feeds))
        return session.run(fetches, dict(feeds))


CASES = {
    "from the input on": (PETS, {"fruit:0": FRUIT}, "features/dense/BiasAdd:0"),
    "up to an output": (
        PETS,
        {"features/dense/BiasAdd:0": FRUIT[:, :1] * np.ones(8, "f")},
        "features/Relu:0",
    ),
}


@pytest.mark.parametrize("tags", [frozenset(), frozenset({"train"})], ids=["inference", "train"])
@pytest.mark.parametrize("in_function", [False, True], ids=["eager", "tf.function"])
@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients(case: str, in_function: bool, tags: frozenset[str]) -> None:
    path, feeds, fetch = CASES[case]
    module = compat_hub.load(path)
    pruned = module.prune(list(feeds), fetch, training=bool(tags))
    by = "features/norm/gamma" if fetch == "features/Relu:0" else "features/dense/kernel"

    def run() -> Any:
        with tf.GradientTape() as tape:
            value = pruned(*feeds.values())
            loss = tf.reduce_sum(value**2)
        return value, tape.gradient(loss, module.variable_map[by])

    value, gradient = tf.function(run)() if in_function else run()
    np.testing.assert_allclose(value, _in_session(path, feeds, fetch, "", tags), 1e-5, 1e-6)
    np.testing.assert_allclose(gradient, _in_session(path, feeds, fetch, by, tags), 1e-4, 1e-5)


def test_from_before_a_loop_to_after_it() -> None:
    record = Record(FIXTURES / "while_rnn")
    module = compat_hub.load(record.path)
    before, after = "bidirectional_rnn/fw/fw/transpose:0", "bidirectional_rnn/fw/fw/transpose_1:0"
    inputs = record.inputs("default")
    feeds = {
        before: np.transpose(inputs["x"], [1, 0, 2]) + np.float32(0.5),
        "lengths:0": inputs["lengths"],
    }
    pruned = module.prune([*feeds], after)
    kernel = "bidirectional_rnn/fw/lstm_cell/kernel"
    with tf.GradientTape() as tape:
        value = pruned(*feeds.values())
        loss = tf.reduce_sum(value**2)
    np.testing.assert_allclose(value, _in_session(record.path, feeds, after), 1e-5, 1e-6)
    gradient = tape.gradient(loss, module.variable_map[kernel])
    np.testing.assert_allclose(gradient, _in_session(record.path, feeds, after, kernel), 1e-4, 1e-5)
    with pytest.raises(
        compat_hub.SignatureError, match=r"'.*while/add:0' is inside of a loop.*To fetch, take one"
    ):
        module.prune("x", "bidirectional_rnn/fw/fw/while/add")
    with pytest.raises(compat_hub.SignatureError, match="To feed, take one from before or after"):
        module.prune("bidirectional_rnn/fw/fw/while/Enter", after)


def test_in_the_branch_of_a_conditional() -> None:
    record = Record(FIXTURES / "cond")
    module = compat_hub.load(record.path)
    x = record.inputs("default")["x"]
    for feeds, fetch in (("x", "cond/MatMul"), ("cond/MatMul", "cond/Merge")):
        with pytest.raises(compat_hub.SignatureError, match="inside of a branch of a conditional"):
            module.prune([feeds, "flag"], fetch)
    # Around it all is well.
    feeds = {"x:0": x, "flag:0": False}
    fetches = ["cond/Merge:0", "cond/pred_id:0"]
    expected = _in_session(record.path, feeds, fetches)
    for found, value in zip(module.prune(["x", "flag"], fetches)(x, False), expected, strict=True):
        np.testing.assert_allclose(found, value, 1e-5, 1e-6)
    # A tensor in a branch that follows from fed ones alone is in no branch any more.
    outer = Record(FIXTURES / "cond_in_while_in_cond")
    with pytest.raises(compat_hub.SignatureError, match="inside of a loop"):
        compat_hub.load(outer.path).prune(["x", "steps"], "cond/while/cond/Tanh")


def test_a_reference_variable_by_its_value() -> None:
    record = Record(FIXTURES / "reference")
    module = compat_hub.load(record.path)
    variant = module.variant(False)
    signature = variant.signatures["default"]
    (x,) = (i.components[0] for i in signature.inputs.values())
    (value,) = record.inputs("default").values()
    (y,) = signature.outputs["default"].components
    needed = variant.needed_nodes([y])
    name = next(v.name for v in variant.variables if v.name in needed)
    other = np.full(module.variable_map[name].shape, 0.5, np.float32)
    found = module.prune([x, name], {"y": y, "v": name})(value, other)
    feeds = {x: value, f"{name}:0": other}
    np.testing.assert_allclose(found["y"], _in_session(record.path, feeds, y), 1e-5, 1e-6)
    np.testing.assert_array_equal(found["v"], other)
    np.testing.assert_array_equal(module.prune([], name)(), module.variable_map[name])


def test_tables_and_texts() -> None:
    record = Record(FIXTURES / "text_table")
    module = compat_hub.load(record.path)
    lookups = [n for n, x in module.variant(False).nodes.items() if x.op == "LookupTableFindV2"]
    (texts,) = record.inputs("default").values()
    ((tensor,),) = (
        i.components for i in module.variant(False).signatures["default"].inputs.values()
    )
    assert module.prune(tensor, lookups)(texts)[0].dtype == tf.int64
    table = module.variant(False).nodes[lookups[0]].input[0]
    with pytest.raises(compat_hub.SignatureError, match="is the handle of a variable or table"):
        module.prune([tensor, table], lookups)
    with pytest.raises(compat_hub.SignatureError, match="is a handle and no value"):
        module.prune([], table)


def test_structures_and_structured_calls() -> None:
    module = compat_hub.load(PETS)
    wanted = {"a": "features/Relu", "b": ["features/dense/BiasAdd:0", "fruit"]}
    found = module.prune(["fruit"], wanted)(FRUIT)
    assert sorted(found) == ["a", "b"]
    np.testing.assert_array_equal(found["b"][1], FRUIT)
    np.testing.assert_allclose(found["a"], module(FRUIT), 1e-6)
    apples, oranges = FRUIT[:, :4], FRUIT[:, :3]
    expected = module({"apples": apples, "oranges": oranges}, "fruit_to_pet", True)["cats"]
    by_name = module.prune({"a": "apples", "o": "oranges:0"}, "cats/BiasAdd")
    for value in (
        by_name(apples, oranges),
        by_name({"o": oranges, "a": apples}),
        by_name(o=oranges, a=apples),
        module.prune([["apples"], ["oranges"]], "cats/BiasAdd")([apples], [oranges]),
        module.prune([["apples", "oranges"]], "cats/BiasAdd")([apples, oranges]),
    ):
        np.testing.assert_allclose(value, expected, 1e-6)
    for args, kwargs in ([[], {}], [[FRUIT], {}], [[apples], {"o": oranges}], [[], {"a": apples}]):
        with pytest.raises(compat_hub.InputTypeError, match=r"values are passed|expected a value"):
            by_name(*args, **kwargs)


def test_operations_run_and_give_none() -> None:
    module = compat_hub.load(PETS)
    average = module.variable_map["features/norm/moving_mean"]
    before = average.numpy()
    update = "features/norm/AssignMovingAvg/AssignSubVariableOp"
    assert module.prune("fruit", update, training=True)(FRUIT) is None
    after = average.numpy()
    assert not np.allclose(before, after)
    module.prune("fruit", "features/Relu", tags={"train"})(FRUIT)  # and no update op with it
    np.testing.assert_array_equal(average, after)


def test_a_function_that_calls_it_is_saved(tmp_path: Path) -> None:
    module = compat_hub.load(PETS)
    pruned = module.prune("fruit", "features/dense/BiasAdd")

    class Model(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 7])])
        def call(self, x: Any) -> Any:
            return pruned(x)

    model = Model()
    model.module = module
    tf.saved_model.save(model, str(tmp_path / "saved"))
    again = tf.saved_model.load(str(tmp_path / "saved"))
    np.testing.assert_allclose(again.call(FRUIT), pruned(FRUIT), 1e-6)


def test_static_shapes_in_a_function() -> None:
    pruned = compat_hub.load(PETS).prune(
        "fruit", ["features/Relu", "features/norm/batchnorm/mul_1"]
    )

    @tf.function
    def run(x: Any) -> None:
        assert [y.shape.as_list() for y in pruned(x)] == [[5, 8], [5, 8]]

    run(tf.constant(FRUIT))


@pytest.mark.parametrize(
    ("feeds", "fetches", "message"),
    [
        ("fruit", "Relu:0", r"no tensor 'Relu:0'. Near it are: 'features/Relu'"),
        ("fruit", "features/dense/BiasAd", r"Near it are: .*'features/dense/BiasAdd'"),
        (
            "fruit",
            "features/Relu:1",
            r"the node 'features/Relu', of the type 'Relu', has the outputs \[0\]",
        ),
        ("fruit", "features/Relu:x", r"no tensor 'features/Relu:x'"),
        ("^fruit", "features/Relu", r"no tensor '\^fruit'"),
        ("orchard", "features/Relu", r"no tensor 'orchard'"),
    ],
)
def test_unknown_names(feeds: str, fetches: str, message: str) -> None:
    with pytest.raises(compat_hub.UnknownNameError, match=message) as caught:
        compat_hub.load(PETS).prune(feeds, fetches)
    assert "variant set()" in str(caught.value)


def test_bad_feeds_and_fetches() -> None:
    module = compat_hub.load(PETS)
    with pytest.raises(compat_hub.SignatureError, match=r"not fed: 'oranges:0'. Fed: 'apples:0'"):
        module.prune("apples", "cats/BiasAdd")
    with pytest.raises(compat_hub.SignatureError, match=r"'fruit:0' is fed twice"):
        module.prune(["fruit", "fruit:0"], "features/Relu")
    with pytest.raises(compat_hub.SignatureError, match="nothing is fetched"):
        module.prune("fruit", [])
    with pytest.raises(compat_hub.InputTypeError, match="found a int"):
        module.prune(3, "features/Relu")
    with pytest.raises(
        compat_hub.InputTypeError, match=r"float32 \[None, 8\], found float32 \[5, 7\]"
    ):
        module.prune("features/dense/BiasAdd", "features/Relu")(FRUIT)
    with pytest.raises(compat_hub.UnknownNameError, match=r'{"gpu"}'):
        module.prune("fruit", "features/Relu", tags="gpu")
    with pytest.raises(compat_hub.UnknownNameError, match="was loaded with tags"):
        compat_hub.load(PETS, tags=[]).prune("fruit", "features/Relu", tags="train")


def _module_beside_secrets(tmp_path: Path) -> str:
    """A harmless signature, and nodes beside it that touch the host."""

    def build() -> Any:
        x = v1.placeholder(tf.float32, [None], "x")
        content = tf.raw_ops.ReadFile(filename=str(tmp_path / "secret"), name="content")
        number = tf.raw_ops.StringToNumber(string_tensor=content, name="number")
        tf.multiply(x, number, name="product")
        marker = tf.raw_ops.WriteFile(filename=str(tmp_path / "marker"), contents="x", name="write")
        with tf.control_dependencies([marker]):
            tf.identity(x, name="after_writing")
        hyper = v1.placeholder_with_default(number, [], "hyper")
        tf.multiply(x, hyper, name="with_default")
        return {"default": ({"x": x}, {"default": x + 1.0})}

    return write_module(tmp_path / "module", none=build)


def test_what_touches_the_host_is_refused_with_what_is_fed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("7919")
    path = _module_beside_secrets(tmp_path)
    module = compat_hub.load(path)
    for fetches in (
        "content",
        "product",
        "write",
        "after_writing",
        ["x", "number"],
        "with_default",
    ):
        with pytest.raises(compat_hub.UnsafeModuleError, match=r"(?s)(Read|Write)File.*for prune"):
            module.prune("x", fetches)
    assert not (tmp_path / "marker").exists()
    assert module.prune(["x", "number"], "product")([2.0], 3.0).numpy().tolist() == [6.0]
    assert module.prune(["x", "hyper"], "with_default")([2.0], 3.0).numpy().tolist() == [6.0]
    trusting = compat_hub.load(path, allow_host_access=True)
    assert trusting.prune("x", "product")([1.0]).numpy().tolist() == [7919.0]


def test_the_file_names_of_the_module_are_no_way_to_others(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("7919")
    (tmp_path / "words").write_text("own")

    def module_fn() -> None:
        x = v1.placeholder(tf.float32, [None], "x")
        name = tf.constant(str(tmp_path / "words"), name="words")
        v1.add_to_collection(v1.GraphKeys.ASSET_FILEPATHS, name)
        tf.raw_ops.ReadFile(filename=name, name="content")
        compat_hub.add_signature(inputs={"x": x}, outputs={"default": x + 1.0})

    with tf.Graph().as_default(), v1.Session() as session:
        compat_hub.Module(compat_hub.create_module_spec(module_fn), name="m").export(
            str(tmp_path / "module"), session
        )
    module = compat_hub.load(str(tmp_path / "module"))
    assert module.prune([], "content")().numpy() == b"own"
    with pytest.raises(compat_hub.UnsafeModuleError, match="ReadFile"):
        module.prune("words", "content")


def test_gaps_are_those_of_the_part() -> None:
    module = compat_hub.load(Record(FIXTURES / "incomplete" / "aux_head").path)
    variant = module.variant(True)
    held = module.state.tensors(variant)
    lacking = next(v.name for v in variant.variables if f"{v.name}:0" not in held)
    reads = [
        n
        for n, x in variant.nodes.items()
        if lacking in x.input and "Read" in x.op and not variant.unfed_placeholders([n])
    ]
    with pytest.raises(compat_hub.CheckpointError, match=f"prune: it needs '{lacking}'"):
        module.prune([], reads, training=True)
    fed = module.prune(reads, reads, training=True)
    assert fed is not None  # what is fed needs no variable
