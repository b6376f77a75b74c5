"""`Module`: instantiated, applied and exported; tests/conformance compares programs with TF1."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

import compat_hub
from tests.authoring import write_module
from tests.records import FIXTURES, Record
from tests.v1.modules import WEIGHTS, X, control_flow, linear_spec, run

v1 = tf.compat.v1
KEYS = v1.GraphKeys
ROOT = Path(__file__).parents[2]


@pytest.fixture
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def _fixture(name: str) -> str:
    return str(FIXTURES / name / "module")


def _saved_model(folder: Path | str) -> Any:
    return saved_model_pb2.SavedModel.FromString(Path(folder, "saved_model.pb").read_bytes())


def _tree(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


@pytest.mark.usefixtures("graph")
def test_handles() -> None:
    path = _fixture("fruit")
    for spec in (path, Path(path), f"{path}/", compat_hub.load_module_spec(path)):
        module = compat_hub.Module(spec)
        assert module.get_signature_names() == ["default", "fruit_to_pet"]
        assert module(np.zeros([2, 5], np.float32)).shape.as_list()[0] == 2


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"spec": 3}, compat_hub.InputTypeError, "a ModuleSpec or a path, found a int"),
        ({"spec": b"path"}, compat_hub.InputTypeError, "found a bytes"),
        ({"spec": "nowhere"}, compat_hub.ResolveError, "does not exist"),
        ({"tags": {"train"}}, compat_hub.UnknownNameError, r'{"train"}.*It has: set\(\)'),
        ({"tags": 3}, compat_hub.InputTypeError, "`tags`"),
        ({"name": ""}, compat_hub.InputTypeError, "`name` is the name of a scope.*found ''"),
        ({"name": "a b"}, compat_hub.InputTypeError, "found 'a b'"),
        ({"name": "a//b"}, compat_hub.InputTypeError, "found 'a//b'"),
        ({"name": "a/"}, compat_hub.InputTypeError, "found 'a/'"),
        ({"name": None}, compat_hub.InputTypeError, "found None"),
    ],
)
def test_arguments_that_do_not_fit(
    arguments: dict[str, Any], error: type[Exception], message: str, graph: tf.Graph
) -> None:
    with pytest.raises(error, match=message):
        compat_hub.Module(**{"spec": _fixture("fruit"), **arguments})
    assert not graph.get_operations()


@pytest.mark.usefixtures("graph")
def test_a_plain_saved_model(tmp_path: Path) -> None:
    with v1.Session() as session:
        x = v1.placeholder(tf.float32, [])
        v1.saved_model.simple_save(session, str(tmp_path / "m"), {"x": x}, {"y": -x})
    with pytest.raises(compat_hub.ModuleFormatError, match=r"tfhub_module\.pb"):
        compat_hub.Module(tmp_path / "m")


def test_in_an_eager_program() -> None:
    with pytest.raises(compat_hub.GraphError, match=r"compat_hub\.load\(\) instead") as error:
        compat_hub.Module(linear_spec())
    assert isinstance(error.value, RuntimeError)  # as tensorflow_hub raised it
    with tf.Graph().as_default():
        module = compat_hub.Module(linear_spec())
    with pytest.raises(compat_hub.GraphError, match="The current graph is not the one of"):
        module(X)


def test_in_another_graph(graph: tf.Graph) -> None:
    module = compat_hub.Module(linear_spec())
    with tf.Graph().as_default() as other:
        with pytest.raises(compat_hub.GraphError, match="Apply a module in the graph"):
            module(X)
        with pytest.raises(compat_hub.GraphError, match="current graph is not the one"):
            module.export("never", v1.Session(graph=graph))
        assert not other.get_operations()
    assert not os.path.exists("never")


def test_in_the_default_graph_of_a_session() -> None:
    with v1.Session(graph=tf.Graph()) as session:
        y = compat_hub.Module(linear_spec())(X)
        session.run(v1.global_variables_initializer())
        np.testing.assert_array_equal(session.run(y), X @ WEIGHTS)


@pytest.mark.usefixtures("graph")
def test_variables() -> None:
    module = compat_hub.Module(_fixture("partitioned"), name="scope/m")
    values = [v if isinstance(v, list) else [v] for _, v in sorted(module.variable_map.items())]
    names = [v.name for group in values for v in group]
    assert [v.name for v in module.variables] == names
    assert all(name.startswith("scope/m/") for name in names)
    module.variable_map.clear()  # type: ignore
    assert module.variable_map
    assert repr(module) == f"<compat_hub.Module 'm' of {_fixture('partitioned')!r}>"


@pytest.mark.usefixtures("graph")
def test_infos() -> None:
    module = compat_hub.Module(_fixture("image_bn"), tags="train")
    spec = compat_hub.load_module_spec(_fixture("image_bn"))
    assert module.get_signature_names() == spec.get_signature_names("train")
    assert module.get_input_info_dict() == spec.get_input_info_dict(tags="train")
    signature = "image_feature_vector"
    assert module.get_output_info_dict(signature) == spec.get_output_info_dict(signature, "train")
    info = module.get_attached_message("image_module_info", compat_hub.ImageModuleInfo)
    assert info.default_image_size.height == 8
    assert module.get_attached_message("other", compat_hub.ImageModuleInfo) is None
    with pytest.raises(compat_hub.UnknownNameError, match="'other'"):
        module.get_attached_message("other", compat_hub.ImageModuleInfo, required=True)


@pytest.mark.usefixtures("graph")
def test_outputs() -> None:
    module = compat_hub.Module(_fixture("fruit"))
    inputs = {"apples": tf.zeros([2, 4]), "oranges": tf.zeros([2, 3])}
    outputs = module(inputs, signature="fruit_to_pet", as_dict=True)
    assert sorted(outputs) == ["cats", "dogs", "hidden"]
    assert outputs["cats"].shape.as_list() == [2, 2]
    assert list(module(tf.zeros([2, 5]), as_dict=True)) == ["default"]
    with pytest.raises(compat_hub.InputTypeError, match=r"no output 'default'.*as_dict=True"):
        module(inputs, signature="fruit_to_pet")
    with pytest.raises(compat_hub.UnknownNameError, match=r"'nothing'.*It has: 'default'"):
        module(inputs, signature="nothing")
    with pytest.raises(compat_hub.InputTypeError, match="by keyword"):
        module(inputs, "fruit_to_pet")


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (None, "missing 'apples', 'oranges'"),
        ({"apples": np.zeros([1, 4], np.float32)}, "missing 'oranges'"),
        (np.zeros([1, 4], np.float32), "expected a dict with the keys 'apples', 'oranges'"),
        ({"apples": 1.0, "oranges": 1.0, "pears": 1.0}, "not an input: 'pears'"),
        (
            {"apples": np.zeros([1, 3], np.float32), "oranges": [[0.0] * 3]},
            r"found float32 \[1, 3\]",
        ),
        ({"apples": "text", "oranges": [[0.0] * 3]}, "input 'apples': expected float32"),
    ],
)
def test_inputs_that_do_not_fit(inputs: Any, message: str, graph: tf.Graph) -> None:
    module = compat_hub.Module(_fixture("fruit"))
    before = len(graph.get_operations())
    with pytest.raises(compat_hub.InputTypeError, match=message) as error:
        module(inputs, signature="fruit_to_pet", as_dict=True)
    assert isinstance(error.value, TypeError)  # as tensorflow_hub raised it
    assert len(graph.get_operations()) <= before + 1  # what converts an input


@pytest.mark.usefixtures("graph")
def test_kinds_of_inputs_and_outputs() -> None:
    def module_fn() -> None:
        sparse = v1.sparse_placeholder(tf.int64, [None, None], name="sparse")
        ragged = v1.ragged.placeholder(tf.int64, 1, [], name="ragged")
        factor = v1.placeholder_with_default(tf.constant(2, tf.int64), [], name="factor")
        scaled = tf.SparseTensor(sparse.indices, sparse.values * factor, sparse.dense_shape)
        inputs = {"sparse": sparse, "ragged": ragged, "factor": factor}
        outputs = {"sparse": scaled, "ragged": ragged * factor, "same": factor}
        compat_hub.add_signature(inputs=inputs, outputs=outputs)

    module = compat_hub.Module(compat_hub.create_module_spec(module_fn))
    sparse = tf.cast(tf.sparse.from_dense([[0, 3], [4, 0]]), tf.int64)
    for version in (1, 2):
        with control_flow(version):
            outputs = module({"sparse": sparse, "ragged": [[1, 2], [3]]}, as_dict=True)
            branch = tf.cond(
                v1.placeholder_with_default(True, []),
                lambda: module({"sparse": sparse, "ragged": [[1], []], "factor": 3}, as_dict=True),
                lambda outputs=outputs: outputs,
            )
            found, other = run([outputs, branch])
        assert found["sparse"].values.tolist() == [6, 8]
        assert found["ragged"].to_list() == [[2, 4], [6]]
        assert found["same"] == 2
        assert other["sparse"].values.tolist() == [9, 12]
        assert other["ragged"].to_list() == [[3], []]
        assert other["same"] == 3


def test_a_kind_that_is_not_supported(tmp_path: Path) -> None:
    def build() -> Any:
        x, y = (v1.placeholder(tf.float32, [None]) for _ in range(2))
        slices = tf.IndexedSlices(x, tf.cast(y, tf.int64))
        return {"takes": ({"x": slices}, {"y": x}), "gives": ({"x": x, "y": y}, {"z": slices})}

    path = write_module(tmp_path / "module", none=build)
    with tf.Graph().as_default():
        module = compat_hub.Module(path)
        for signature, what in ("takes", "input 'x'"), ("gives", "output 'z'"):
            with pytest.raises(compat_hub.SignatureError, match=f"the {what} is a .* supported"):
                module({"x": [1.0], "y": [1.0]}, signature=signature, as_dict=True)


def test_state_and_applications_under_control_dependencies() -> None:
    def build(around_state: bool, around_call: bool) -> Any:
        def module_fn() -> None:
            x = v1.placeholder(tf.float32, [None, 2])
            compat_hub.add_signature(inputs=x, outputs=x * tf.constant(2.0))

        spec = compat_hub.create_module_spec(module_fn)
        with tf.Graph().as_default() as graph:
            x = v1.placeholder(tf.float32, [None, 2], name="x")
            with tf.control_dependencies([x] if around_state else []):
                module = compat_hub.Module(spec)
            with tf.control_dependencies([x] if around_call else []):
                module(x)
            graph_def = graph.as_graph_def()
        for node in graph_def.node:  # tf.control_dependencies marks what is waited for
            node.attr.pop("_has_manual_control_dependencies", None)
        return graph_def

    assert build(False, False) == build(True, False)
    assert build(False, False) != build(False, True)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.usefixtures("graph")
def test_state_made_inside_control_flow(version: int) -> None:
    modules = []

    def branch() -> Any:
        modules.append(compat_hub.Module(linear_spec(), trainable=True))
        return modules[-1](X)

    with control_flow(version):
        y = tf.cond(v1.placeholder_with_default(True, []), branch, lambda: tf.zeros([2, 2]))
        gradients = tf.gradients(y, v1.trainable_variables())
        loss = v1.losses.get_regularization_loss()
        found, loss, gradients = run([y, loss, gradients])
    np.testing.assert_array_equal(found, X @ WEIGHTS)
    assert loss == 30.0
    assert len(gradients) == 1
    outside = modules[0](X)
    np.testing.assert_array_equal(run(outside), X @ WEIGHTS)


def _train_and_export(spec: Any, path: Any, **kwargs: Any) -> None:
    with tf.Graph().as_default():
        module = compat_hub.Module(spec, trainable=True, **kwargs)
        loss = tf.reduce_sum(module(X)) + v1.losses.get_regularization_loss()
        with tf.control_dependencies(v1.get_collection(KEYS.UPDATE_OPS)):
            step = v1.train.GradientDescentOptimizer(0.1).minimize(loss)
        with v1.Session() as session:
            session.run(v1.global_variables_initializer())
            session.run(step)
            module.export(path, session)


@pytest.mark.parametrize("use_resource", [True, False])
@pytest.mark.parametrize("base", ["{}", "ram://test_module/{}"])
def test_export_and_export_again(use_resource: bool, base: str, tmp_path: Path) -> None:
    folder = base.format(str(tmp_path).lstrip("/") if "ram" in base else tmp_path)
    tf.io.gfile.makedirs(folder)
    first, second = f"{folder}/module2", f"{folder}/module"
    spec = linear_spec(use_resource)
    _train_and_export(spec, first)
    _train_and_export(first, second, name="other/scope")
    expected, seen = WEIGHTS, 0.0
    for path in (first, second):
        gradient = np.tile(X.sum(0)[:, None], [1, 2]) + 2 * expected
        expected, seen = expected - 0.1 * gradient, seen + X.sum()
        module = compat_hub.load(path)
        assert sorted(module.variable_map) == ["seen", "w"]
        np.testing.assert_allclose(module.variable_map["w"], expected, rtol=1e-6)
        assert module.variable_map["seen"].numpy() == seen
        with tf.io.gfile.GFile(f"{path}/saved_model.pb", "rb") as file:
            written = saved_model_pb2.SavedModel.FromString(file.read())
        assert written.meta_graphs[0] == spec.variant().meta_graph
    assert {name.rstrip("/") for name in tf.io.gfile.listdir(folder)} == {"module", "module2"}
    with contextlib.suppress(tf.errors.NotFoundError):  # of ram://, where names begin alike
        tf.io.gfile.rmtree(folder)


def test_what_tensorflow_1_wrote_is_written_again(tmp_path: Path) -> None:
    for name in ("image_bn", "text_table", "reference", "nested_deep"):
        with tf.Graph().as_default(), v1.Session() as session:
            spec = compat_hub.load_module_spec(_fixture(name))
            module = compat_hub.Module(spec, tags=spec.get_tags()[-1])
            session.run(v1.global_variables_initializer())
            module.export(tmp_path / name, session)
        assert _saved_model(tmp_path / name) == _saved_model(_fixture(name))
        files = [_tree(tmp_path / name), _tree(Path(_fixture(name)))]
        without_shards = [[f for f in tree if "data-" not in f and f != "assets"] for tree in files]
        assert without_shards[0] == without_shards[1]
        record = Record(FIXTURES / name).variables(0)
        found = compat_hub.load(str(tmp_path / name)).variable_map
        for key in found.keys() & record.keys():
            value = found[key]
            value = tf.concat(value, 0) if isinstance(value, list) else value
            np.testing.assert_array_equal(value, record[key])


@pytest.mark.parametrize("kind", [v1.train.MonitoredSession, v1.train.SingularMonitoredSession])
def test_export_from_a_monitored_session(kind: Any, tmp_path: Path) -> None:
    with tf.Graph().as_default():
        module = compat_hub.Module(linear_spec())
        assign = module.variable_map["w"].assign(2 * WEIGHTS)
        with kind() as session:
            session.run(assign)
            module.export(tmp_path / "module", session)
        with pytest.raises(compat_hub.GraphError, match=r"session.*(closed|or none)"):
            module.export(tmp_path / "closed", session)
    found = compat_hub.load(tmp_path / "module").variable_map["w"]
    np.testing.assert_array_equal(found, 2 * WEIGHTS)
    assert _tree(tmp_path)[0] == "module"


def test_export_from_a_finalized_graph(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        module = compat_hub.Module(linear_spec())
        initializer = v1.global_variables_initializer()
        graph.finalize()
        with v1.Session() as session:
            session.run(initializer)
            module.export(tmp_path / "module", session)
    assert compat_hub.load(tmp_path / "module")


def test_export_without_variables(tmp_path: Path) -> None:
    def module_fn() -> None:
        compat_hub.add_signature(outputs=tf.constant(1.0))

    with tf.Graph().as_default(), v1.Session() as session:
        compat_hub.Module(compat_hub.create_module_spec(module_fn)).export(
            str(tmp_path / "module"), session
        )
    assert _tree(tmp_path / "module") == ["saved_model.pb", "tfhub_module.pb"]
    assert compat_hub.load(tmp_path / "module")().numpy() == 1.0


def test_exports_that_are_refused(tmp_path: Path, graph: tf.Graph) -> None:
    module = compat_hub.Module(linear_spec(), name="m")
    with tf.Graph().as_default():
        other = v1.Session()
    closed = v1.Session()
    closed.close()
    cases = [
        (v1.Session(), r"no value in the session: m/(w|seen)\. Run .*global_variables_init"),
        (closed, "cannot be exported from this session: .*closed"),
        (other, "has another graph than <compat_hub.Module 'm'"),
        (None, "or none"),
        (graph, "or none"),
    ]
    for session, message in cases:
        with pytest.raises(compat_hub.GraphError, match=message):
            module.export(tmp_path / "module", session)
        assert _tree(tmp_path) == []
    (tmp_path / "empty").mkdir()
    (tmp_path / "taken" / "x").mkdir(parents=True)
    (tmp_path / "file").write_text("mine")
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        for name in ("taken", "file"):
            with pytest.raises(compat_hub.PathExistsError, match=f"{name}', and it was left"):
                module.export(tmp_path / name, session)
        with pytest.raises(compat_hub.ResolveError, match="cannot be written"):
            module.export(tmp_path / "file" / "module", session)
        module.export(tmp_path / "empty", session)
    assert {"taken", "file", "taken/x", "empty/tfhub_module.pb"} <= set(_tree(tmp_path))
    assert not any(name.startswith(".") for name in _tree(tmp_path))
    assert compat_hub.load(tmp_path / "empty").get_signature_names()
    assert (tmp_path / "file").read_text() == "mine"


def test_a_session_in_another_thread(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        module = compat_hub.Module(linear_spec())
        session = v1.Session()
        session.run(v1.global_variables_initializer())
    outcomes = []

    def work() -> None:
        with graph.as_default():
            outcomes.append(session.run(module(X)).tolist())
            module.export(tmp_path / "module", session)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert outcomes == [(X @ WEIGHTS).tolist()]
    assert compat_hub.load(tmp_path / "module")


def test_graphs_in_many_threads() -> None:
    spec = linear_spec()
    outcomes: list[Any] = []

    def work() -> None:
        with tf.Graph().as_default():
            outcomes.append(run(compat_hub.Module(spec)(X)).sum())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [54.0] * 4


def test_init_from_checkpoint_takes_the_variable_map(tmp_path: Path) -> None:
    prefix = str(tmp_path / "c")
    tf.raw_ops.SaveV2(
        prefix=prefix,
        tensor_names=["w", "seen"],
        shape_and_slices=["", ""],
        tensors=[3 * WEIGHTS, 5.0],
    )
    with tf.Graph().as_default():
        module = compat_hub.Module(linear_spec())
        v1.train.init_from_checkpoint(prefix, module.variable_map)
        assert run(module.variable_map["seen"]) == 5.0


def _program(code: str, **environment: str) -> str:
    """What a program prints that runs in a process of its own."""
    env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT), **environment}
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)]
    found = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr[-3000:]
    return found.stdout


def test_a_program_of_tf1_with_layers(tmp_path: Path) -> None:
    code = """
        import os
        import numpy as np
        import compat_hub as hub
        import tensorflow.compat.v1 as tf

        tf.disable_v2_behavior()

        def module_fn(training):
            tf.set_random_seed(1)
            inputs = tf.placeholder(tf.float32, [None, 4])
            l2 = tf.keras.regularizers.l2(0.1)
            layer1 = tf.layers.dense(inputs, 5, tf.nn.relu, kernel_regularizer=l2, name="one")
            layer1 = tf.layers.batch_normalization(layer1, training=training, momentum=0.5)
            layer2 = tf.layers.dense(layer1, 3, name="two")
            hub.add_signature(
                inputs=inputs, outputs=dict(default=layer2, hidden_activations=layer1)
            )
            apples = tf.placeholder(tf.float32, [None, 2])
            oranges = tf.placeholder(tf.float32, [None, 2])
            with tf.variable_scope("pets"):
                pets = tf.layers.dense(tf.concat([apples, oranges], 1), 2)
            hub.add_signature(
                "fruit_to_pet",
                inputs=dict(apples=apples, oranges=oranges),
                outputs=dict(dogs=pets[:, 0], cats=pets[:, 1]),
            )

        spec = hub.create_module_spec(
            module_fn, [(set(), dict(training=False)), ({"train"}, dict(training=True))]
        )
        m = hub.Module(spec, trainable=True, tags={"train"})
        x = np.arange(8.0).reshape(2, 4)
        y = m(x)
        pets = m(dict(apples=x[:, :2], oranges=x[:, 2:]), signature="fruit_to_pet", as_dict=True)
        losses = tf.losses.get_regularization_losses()
        loss = tf.reduce_sum(y ** 2) + tf.reduce_sum(pets["dogs"]) + tf.add_n(losses)
        updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
        with tf.control_dependencies(updates):
            step = tf.train.GradientDescentOptimizer(0.01).minimize(loss)
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            before = session.run(m.variables)
            session.run(step)
            after = session.run(m.variables)
            path = os.environ["FOLDER"] + "/module"
            m.export(path, session)
        changed = [v.name for v, a, b in zip(m.variables, before, after) if (a != b).any()]
        print(len(losses), len(updates), sorted(pets), len(changed) == len(m.variables))
        with tf.Graph().as_default(), tf.Session() as session:
            again = hub.Module(path)
            session.run(tf.global_variables_initializer())
            print(all((a == b).all() for a, b in zip(session.run(again.variables), after)))
    """
    printed = _program(code, TF_USE_LEGACY_KERAS="1", FOLDER=str(tmp_path))
    assert printed.split("\n") == ["1 2 ['cats', 'dogs'] True", "True", ""]
    module = compat_hub.load(tmp_path / "module")
    assert module(np.zeros([1, 4], np.float32)).shape == [1, 3]
    assert module.get_output_info_dict().keys() == {"default", "hidden_activations"}
    assert len(module.regularization_losses) == 1


def test_a_program_without_the_behavior_of_tf2(tmp_path: Path) -> None:
    _train_and_export(linear_spec(), tmp_path / "module")
    code = """
        import os
        import numpy as np
        import compat_hub as hub
        import tensorflow as tf

        tf.compat.v1.disable_v2_behavior()
        m = hub.Module(os.environ["FOLDER"] + "/module", trainable=True)
        x = tf.compat.v1.placeholder(tf.float32, [None, 2])
        y = tf.cond(tf.reduce_sum(x) > 0, lambda: m(x), lambda: x)
        z = tf.while_loop(lambda i, v: i < 2, lambda i, v: (i + 1, m(v)), [0, x])[1]
        ops = {op.type for op in tf.compat.v1.get_default_graph().get_operations()}
        gradients = tf.gradients(y, m.variables) + tf.gradients(z, m.variables)
        with tf.compat.v1.Session() as session:
            session.run(tf.compat.v1.global_variables_initializer())
            feed = {x: np.ones([1, 2])}
            found = session.run([y, z] + [g for g in gradients if g is not None], feed)
        print("Switch" in ops, "If" in ops, [f.shape for f in found], len(hub.__all__) > 0)
        with tf.compat.v1.Graph().as_default(), hub.eval_function_for_module(m._spec) as f:
            print(f([[1.0, 1.0]]).shape)
    """
    printed = _program(code, FOLDER=str(tmp_path))
    shapes = "[(1, 2), (1, 2), (2, 2), (2, 2)]"
    assert printed == f"True False {shapes} True\n(1, 2)\n"


def test_variables_that_are_called_as_what_reads_the_others(tmp_path: Path) -> None:
    def build() -> Any:
        x = v1.placeholder(tf.float32, [None], "x")
        names = ["w", "w/prefix", "w/names", "w_/slices"]
        variables = [v1.get_variable(n, initializer=float(k + 2)) for k, n in enumerate(names)]
        return {"default": ({"x": x}, {"default": x * tf.stack(variables)})}

    path = write_module(tmp_path / "module", none=build)
    with tf.Graph().as_default(), v1.Session() as session:
        outputs = compat_hub.Module(path)(np.ones([4], np.float32))
        session.run(v1.global_variables_initializer())
        assert session.run(outputs).tolist() == [2, 3, 4, 5]
