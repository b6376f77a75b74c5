"""A ModuleSpec from a function, or from a SavedModel of TensorFlow 1."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

import compat_hub
from tests.records import FIXTURES

v1 = tf.compat.v1
create = compat_hub.create_module_spec


def _linear(size: int = 2, **kwargs: Any) -> None:
    x = v1.placeholder(tf.float32, [None, size], name="x")
    w = v1.get_variable("w", [size], initializer=v1.ones_initializer(), **kwargs)
    compat_hub.add_signature(inputs=x, outputs=tf.reduce_sum(x * w, 1))


def _constant() -> None:
    compat_hub.add_signature(outputs=tf.constant(1.0))


@contextlib.contextmanager
def _module(spec: Any, **kwargs: Any) -> Iterator[tuple[Any, Callable[[Any], Any]]]:
    """An instance, and what evaluates tensors with state initialized."""
    with tf.Graph().as_default():
        module = compat_hub.Module(spec, **kwargs)

        def run(tensors: Any) -> Any:
            with v1.Session() as session:
                session.run([v1.global_variables_initializer(), v1.tables_initializer()])
                return session.run(tensors)

        yield module, run


def _ops(spec: compat_hub.ModuleSpec) -> set[str]:
    return {node.op for node in spec.variant().nodes.values()}


def test_variables_are_resources_unless_asked_otherwise() -> None:
    assert "VarHandleOp" in _ops(create(_linear))
    assert "VariableV2" in _ops(create(lambda: _linear(use_resource=False)))
    assert "VarHandleOp" not in _ops(create(lambda: _linear(use_resource=False)))

    def scoped() -> None:
        with v1.variable_scope("", use_resource=False):
            _linear()

    assert "VariableV2" in _ops(create(scoped))


def test_what_is_around_the_call_does_not_matter() -> None:
    expected = create(_linear).variant().meta_graph

    def check() -> None:
        assert create(_linear).variant().meta_graph == expected

    with (
        tf.Graph().as_default() as graph,
        tf.device("/job:worker/task:1"),
        tf.name_scope("a"),
        v1.variable_scope("b", reuse=True, use_resource=False),
        tf.control_dependencies([tf.constant(1.0)]),
    ):
        check()
        assert len(graph.get_operations()) == 1
    v1.wrap_function(check, [])
    tf.function(check)()
    thread = threading.Thread(target=check)
    thread.start()
    thread.join()
    assert v1.get_default_graph().get_collection(v1.GraphKeys.GLOBAL_VARIABLES) == []


def test_a_spec_without_a_checkpoint() -> None:
    spec = create(_linear)
    assert spec.path is None
    assert spec.checkpoint_prefix is None
    assert repr(spec) == "<compat_hub.ModuleSpec 'made from _linear' (set(): default)>"
    assert not spec.asset_files
    with _module(spec) as (module, run):
        assert run(module([[1.0, 2.0]])).tolist() == [3.0]


def test_in_tensorflow_2() -> None:
    module = compat_hub.load(create(_linear))
    assert module([[1.0, 2.0]]).numpy().tolist() == [3.0]


def test_variants() -> None:
    pairs = [
        (["b", "a"], {"size": 3}),
        ("train", {"size": 4}),
        (None, {}),
        ({"c"}, {"size": 5}),
    ]
    spec = create(_linear, pairs)  # type: ignore
    sizes = {
        tags: spec.get_input_info_dict(tags=tags)["default"].get_shape()[1]
        for tags in spec.get_tags()
    }
    assert sizes == {
        frozenset(): 2,
        frozenset("ab"): 3,
        frozenset("c"): 5,
        frozenset({"train"}): 4,
    }
    for pairs in (None, [], ()):
        assert create(_linear, pairs).get_tags() == [frozenset()]


@pytest.mark.parametrize("tags", [({"a"}, ["a"]), (set(), None), (["a", "b"], ("b", "a", "b"))])
def test_tags_used_twice(tags: Any) -> None:
    built = []
    with pytest.raises(compat_hub.ModuleFormatError, match="are used twice in `tags_and_args`"):
        create(lambda: built.append(1), [(t, {}) for t in tags])
    assert not built


@pytest.mark.parametrize(
    "pairs", [[({"a"},)], ["ab"], [({"a"}, None)], [({"a"}, {}, {})], [3], {"train": {}}]
)
def test_what_is_no_list_of_pairs(pairs: Any) -> None:
    with pytest.raises(compat_hub.InputTypeError, match=r"list of pairs.*found"):
        create(_linear, pairs)
    with pytest.raises(compat_hub.InputTypeError, match="`tags` are a set of strings"):
        create(_linear, [(3, {})])  # type: ignore


def test_errors_of_the_function_pass_through() -> None:
    def fail() -> None:
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        create(fail)
    with pytest.raises(TypeError, match="unexpected keyword"):
        create(_linear, [(set(), {"unknown": 1})])


def test_no_signature() -> None:
    with pytest.raises(compat_hub.SignatureError, match=r"set\(\) has no signature.*add_signature"):
        create(lambda: None)
    with pytest.raises(compat_hub.SignatureError, match=r'the tags {"train"} has no signature'):
        create(
            lambda last: _constant() if not last else None,
            [([], {"last": 0}), ("train", {"last": 1})],
        )


def _in_collection(*keys: str) -> Callable[[], None]:
    def module_fn() -> None:
        for key in keys:
            v1.add_to_collection(key, tf.constant(2.0))
        _linear()

    return module_fn


def test_collections_that_a_module_cannot_have() -> None:
    module_fn = _in_collection("z_own", v1.GraphKeys.LOSSES, v1.GraphKeys.UPDATE_OPS)
    with pytest.raises(
        compat_hub.ModuleFormatError,
        match=r"cannot have: losses, z_own\..*drop_collections=\['losses', 'z_own'\]",
    ):
        create(module_fn)
    with pytest.raises(compat_hub.ModuleFormatError, match=r"cannot have: z_own\."):
        create(module_fn, drop_collections=["losses"])
    spec = create(module_fn, drop_collections=("losses", "z_own", "never_there"))
    assert set(spec.variant().meta_graph.collection_def) == {
        "variables",
        "trainable_variables",
        "update_ops",
    }


def test_one_collection_to_drop() -> None:
    assert create(_in_collection("losses"), drop_collections="losses").get_tags()


def test_supported_collections_are_dropped_if_asked() -> None:
    dropped = [v1.GraphKeys.TRAINABLE_VARIABLES, v1.GraphKeys.UPDATE_OPS]
    spec = create(_in_collection(v1.GraphKeys.UPDATE_OPS), drop_collections=dropped)
    assert set(spec.variant().meta_graph.collection_def) == {"variables"}


@pytest.mark.parametrize("key", [v1.GraphKeys.LOCAL_VARIABLES, v1.GraphKeys.METRIC_VARIABLES])
def test_variables_that_no_checkpoint_holds(key: str) -> None:
    with pytest.raises(compat_hub.ModuleFormatError, match=f"cannot have: {key}"):
        create(lambda: _linear(collections=[key]))


def test_empty_collections_do_not_count() -> None:
    def module_fn() -> None:
        _constant()
        v1.get_collection_ref("own")
        v1.get_collection_ref(v1.GraphKeys.SUMMARIES)

    assert not create(module_fn).variant().meta_graph.collection_def


def test_state_that_is_colocated() -> None:
    def with_state() -> None:
        v = v1.get_variable("v", [])
        with v1.colocate_with(v.handle):
            v1.get_variable("w", [])
        _constant()

    def with_others() -> None:
        with v1.colocate_with(tf.constant(1.0, name="u")):
            v1.get_variable("v", [])
        _constant()

    def table() -> None:
        with v1.colocate_with(tf.constant(1.0, name="u")):
            tf.raw_ops.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64)
        _constant()

    assert create(with_state).variant().nodes["w"].attr["_class"].list.s == [b"loc:@v"]
    for module_fn, node in (with_others, "'v' of type 'VarHandleOp'"), (table, "'HashTableV2'"):
        with pytest.raises(
            compat_hub.ModuleFormatError,
            match=f"tags {{\"x\"}}: the node .*{node} holds state and is colocated with 'u', which",
        ):
            create(module_fn, [("x", {})])


def _vocabulary(path: Path | str) -> None:
    x = v1.placeholder(tf.string, [None], name="x")
    initializer = tf.lookup.TextFileInitializer(
        str(path),
        tf.string,
        tf.lookup.TextFileIndex.WHOLE_LINE,
        tf.int64,
        tf.lookup.TextFileIndex.LINE_NUMBER,
    )
    table = tf.lookup.StaticVocabularyTable(initializer, 1)
    compat_hub.add_signature(inputs=x, outputs=table.lookup(x))


def _saved_model(folder: Path | str) -> Any:
    return saved_model_pb2.SavedModel.FromString(Path(folder, "saved_model.pb").read_bytes())


def _export(spec: Any, path: Path, **kwargs: Any) -> None:
    with _module(spec, **kwargs) as (module, _), v1.Session() as session:
        session.run(v1.global_variables_initializer())
        module.export(path, session)


def test_assets(tmp_path: Path) -> None:
    words = tmp_path / "source" / "words.txt"
    words.parent.mkdir()
    words.write_text("red\ngreen\n")
    spec = create(lambda: _vocabulary(words))
    assert dict(spec.asset_files) == {"words.txt": str(words)}
    with _module(spec) as (module, run):
        assert run(module(["green", "none"])).tolist() == [1, 2]
    _export(spec, tmp_path / "module")
    assert (tmp_path / "module/assets/words.txt").read_text() == "red\ngreen\n"
    written = (tmp_path / "module/saved_model.pb").read_bytes()
    assert b"words.txt" in written
    assert str(tmp_path).encode() not in written
    words.unlink()
    (tmp_path / "module").rename(tmp_path / "moved")
    module = compat_hub.load(tmp_path / "moved")
    assert module(["green", "none"]).numpy().tolist() == [1, 2]


def test_nothing_tells_of_the_machine(tmp_path: Path) -> None:
    def module_fn() -> None:
        x = v1.placeholder(tf.float32, [], name="x")

        @tf.function
        def inner(x: Any) -> Any:
            with tf.device("/device:CPU:1"):
                return x + 1.0

        with tf.device("/job:worker/task:3/device:GPU:7"):
            y = inner(x)
            w = v1.get_variable("w", [])
        z = tf.cond(x > 0, lambda: y * w, lambda: tf.sin(x))
        compat_hub.add_signature(inputs=x, outputs=z)

    (meta_graph,) = [create(module_fn).variant().meta_graph]
    written = meta_graph.SerializeToString()
    for trace in (b"GPU", b"CPU", b"worker"):
        assert trace not in written


def test_a_module_within(tmp_path: Path) -> None:
    inner_path = tmp_path / "inner_folder"

    def inner() -> None:
        v1.get_variable("unused", initializer=[7.0])
        _linear()

    def outer() -> None:
        module = compat_hub.Module(str(inner_path), name="inner")
        x = v1.placeholder(tf.float32, [None, 2])
        compat_hub.add_signature(inputs=x, outputs=10.0 * module(x))

    with _module(create(inner)) as (module, _), v1.Session() as session:
        session.run(v1.global_variables_initializer())
        session.run(module.variable_map["w"].assign([1.0, 2.0]))
        module.export(inner_path, session)
    spec = create(outer)
    # Without a checkpoint its initial values are those of the module within.
    with _module(spec) as (module, run):
        assert sorted(module.variable_map) == ["inner/unused", "inner/w"]
        assert run(module([[1.0, 1.0]])).tolist() == [30.0]
    _export(spec, tmp_path / "outer")
    assert b"inner_folder" not in (tmp_path / "outer/saved_model.pb").read_bytes()
    inner_path.rename(tmp_path / "gone")
    with _module(tmp_path / "outer") as (module, run):
        assert run(module([[1.0, 1.0]])).tolist() == [30.0]
        assert run(module.variable_map["inner/unused"]).tolist() == [7.0]
    _export(tmp_path / "outer", tmp_path / "again")
    assert _saved_model(tmp_path / "again") == _saved_model(tmp_path / "outer")


def test_a_checkpoint_that_a_signature_reads_is_left(tmp_path: Path) -> None:
    prefix = str(tmp_path / "c")
    tf.raw_ops.SaveV2(
        prefix=prefix, tensor_names=["v"], shape_and_slices=[""], tensors=[np.float32(5.0)]
    )

    def module_fn() -> None:
        v1.get_variable("w", [])
        (value,) = tf.raw_ops.RestoreV2(
            prefix=prefix, tensor_names=["v"], shape_and_slices=[""], dtypes=[tf.float32]
        )
        compat_hub.add_signature(outputs=value)

    _export(create(module_fn), tmp_path / "module")
    spec = compat_hub.load_module_spec(tmp_path / "module", allow_host_access=True)
    with _module(spec) as (module, run):
        assert run(module()) == 5.0


@pytest.mark.parametrize("fixture", ["tensor_arrays", "lstm_block_cell"])
def test_gradients_within_have_no_names_of_this_library(fixture: str) -> None:
    path = str(FIXTURES / fixture / "module")

    def module_fn() -> None:
        module = compat_hub.Module(path, name="inner", trainable=True)
        inputs = {
            name: v1.placeholder(info.dtype, info.get_shape())
            for name, info in module.get_input_info_dict().items()
        }
        compat_hub.add_signature(inputs=inputs, outputs=module(inputs, as_dict=True))

    spec = create(module_fn)
    assert b"CompatHub" not in spec.variant().meta_graph.SerializeToString()
    with _module(spec, trainable=True) as (module, run):
        inputs = {
            name: tf.ones([d or 3 for d in info.get_shape().as_list()], info.dtype)
            for name, info in module.get_input_info_dict().items()
        }
        outputs = module(inputs, as_dict=True).values()
        loss = sum(tf.reduce_sum(y) for y in outputs if y.dtype == tf.float32)
        gradients = [g for g in tf.gradients(loss, module.variables) if g is not None]
        assert gradients
        assert all(np.isfinite(g).all() for g in run(gradients))


def test_partitioned_variables(tmp_path: Path) -> None:
    def module_fn() -> None:
        partitioner = v1.fixed_size_partitioner(3)
        w = v1.get_variable("a/w", initializer=tf.range(7.0), partitioner=partitioner)
        compat_hub.add_signature(outputs=tf.convert_to_tensor(w))

    with _module(create(module_fn)) as (module, run):
        assert list(module.variable_map) == ["a/w"]
        assert [v.name for v in module.variable_map["a/w"]] == [
            f"module/a/w/part_{k}:0" for k in range(3)
        ]
        assert run(module()).tolist() == [*range(7)]
    _export(create(module_fn), tmp_path / "module")
    assert compat_hub.load(tmp_path / "module")().numpy().tolist() == [*range(7)]


def test_what_is_unused_stays_and_defaults_go() -> None:
    # tensorflow_hub strips attributes at their default, for older readers, and no nodes.
    def module_fn() -> None:
        tf.constant(1.0, name="unused")
        _linear()

    nodes = create(module_fn).variant().nodes
    assert "unused" in nodes
    assert "transpose_a" not in nodes["mul"].attr
    assert "container" not in nodes["w"].attr
    assert nodes["w"].attr["shared_name"].s == b"w"


def _write_saved_model(path: Path, words: Path | None = None, **collections: Any) -> None:
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.string, [None], name="x")
        with tf.device("/device:CPU:0"):
            w = v1.get_variable("w", initializer=[3.0], use_resource=False)
        y = tf.cast(tf.strings.length(x), tf.float32) * w
        if words:
            initializer = tf.lookup.TextFileInitializer(
                str(words), tf.string, 0, tf.int64, -1, delimiter=" "
            )
            table = tf.lookup.StaticHashTable(initializer, -1)
            y = tf.cast(table.lookup(x), tf.float32) * w
        v1.train.get_or_create_global_step()
        for key, value in collections.items():
            v1.add_to_collection(key, value)
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        session.run(w.assign([2.0]))
        v1.saved_model.simple_save(
            session, str(path), {"x": x}, {"y": y}, legacy_init_op=v1.tables_initializer()
        )


def test_from_a_saved_model(tmp_path: Path) -> None:
    words = tmp_path / "source" / "words.txt"
    words.parent.mkdir()
    words.write_text("red 1\ngreen 2\n")
    _write_saved_model(tmp_path / "saved_model", words)
    words.unlink()
    spec = compat_hub.create_module_spec_from_saved_model(tmp_path / "saved_model")
    assert spec.get_tags() == [frozenset({"serve"})]
    assert spec.get_signature_names("serve") == ["serving_default"]
    with _module(spec, tags=["serve"]) as (module, run):
        y = module(["green", "none"], signature="serving_default", as_dict=True)["y"]
        assert run(y).tolist() == [2.0, -2.0]
    _export(spec, tmp_path / "module", tags={"serve"})
    written = (tmp_path / "module/saved_model.pb").read_bytes()
    assert str(tmp_path).encode() not in written
    assert b"CPU" not in written
    (tmp_path / "saved_model").rename(tmp_path / "gone")
    module = compat_hub.load(tmp_path / "module", tags="serve")
    y = module(["green", "none"], signature="serving_default", as_dict=True)["y"]
    assert y.numpy().tolist() == [2.0, -2.0]
    _export(tmp_path / "module", tmp_path / "again", tags={"serve"})
    assert _saved_model(tmp_path / "again") == _saved_model(tmp_path / "module")


def test_collections_of_a_saved_model(tmp_path: Path) -> None:
    path = tmp_path / "saved_model"
    _write_saved_model(path, mine="text", losses="other")
    from_saved_model = compat_hub.create_module_spec_from_saved_model
    with pytest.raises(compat_hub.ModuleFormatError, match=r'{"serve"}.*cannot have: mine\.'):
        from_saved_model(path)
    spec = from_saved_model(path, drop_collections=["mine"])  # losses are of its training
    assert set(spec.variant("serve").meta_graph.collection_def) == {
        "trainable_variables",
        "variables",
    }
    assert [v.key for v in spec.variant("serve").variables] == ["w", "global_step"]


def test_a_saved_model_that_initializes_itself_with_a_signature(tmp_path: Path) -> None:
    path = tmp_path / "saved_model"
    _write_saved_model(path)
    saved_model = _saved_model(path)
    (meta_graph,) = saved_model.meta_graphs
    meta_graph.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"].name = "init"
    (path / "saved_model.pb").write_bytes(saved_model.SerializeToString())
    spec = compat_hub.create_module_spec_from_saved_model(path)
    assert spec.get_signature_names("serve") == ["serving_default"]


def test_what_is_no_saved_model_of_tensorflow_1(tmp_path: Path) -> None:
    from_saved_model = compat_hub.create_module_spec_from_saved_model
    with pytest.raises(compat_hub.ResolveError, match="does not exist"):
        from_saved_model(tmp_path / "nowhere")
    with pytest.raises(compat_hub.ModuleFormatError, match=r"neither saved_model\.pb nor"):
        from_saved_model(tmp_path)
    tf.saved_model.save(tf.Module(), str(tmp_path))
    with pytest.raises(compat_hub.ModuleFormatError, match=r"SavedModel of TF2.*compat_hub\.load"):
        from_saved_model(tmp_path)


def test_a_message_on_a_variant_names_the_function() -> None:
    spec = create(_linear)
    with pytest.raises(compat_hub.UnknownNameError, match=r"made from _linear"):
        spec.signature("other")
