"""What becomes part of a model that TensorFlow 1 wrote, and what is refused."""

from __future__ import annotations

import contextlib
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from tests.other_models_records import FOLDER, model

v1 = tf.compat.v1
_PERCEPTRON: dict[str, Any] = {"inputs": {"x": "x:0"}, "outputs": {"y": "logits:0"}}
_CHECKPOINT = FOLDER / "checkpoint"
_FIXED: dict[str, Any] = {**_PERCEPTRON, "feed_dict": {"keep_prob:0": 1.0}}
X = np.ones([2, 5], np.float32)


def _save(folder: Path, build: Any) -> str:
    with tf.Graph().as_default(), v1.Session() as session:
        build()
        session.run(v1.global_variables_initializer())
        return v1.train.Saver().save(session, str(folder / "model"))


def test_nothing_else_of_the_graph_is_a_part_of_it() -> None:
    module = compat_hub.load_tf1(_CHECKPOINT, **_FIXED)
    variant = module.spec.variant()
    assert {"py_func", "ApplyAdam"}.isdisjoint({n.lower() for n in variant.nodes_by_op})
    assert len(module.variables) == 4
    assert len(module.regularization_losses) == 1
    assert not variant.unfed_placeholders(["logits:0"], ["x:0"])


@pytest.mark.parametrize("path", ["model.ckpt-12", "model.ckpt-12.meta", "model.ckpt-12.index", ""])
def test_a_checkpoint_is_named_in_many_ways(path: str) -> None:
    expected = model("checkpoint").part("out")["logits"]
    module = compat_hub.load_tf1(str(_CHECKPOINT / path), **_FIXED)
    found = module(model("checkpoint").inputs["x"])  # the only output
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_tensor_within_the_graph_is_fed() -> None:
    arguments = {**_FIXED, "inputs": {"hidden": "Relu:0"}}
    module = compat_hub.load_tf1(_CHECKPOINT, **arguments)
    assert sorted(module.variable_map) == ["out/b", "out/w"]
    whole = compat_hub.load_tf1(_CHECKPOINT, **_FIXED)
    hidden = whole.prune("x:0", "Relu:0")(X)
    np.testing.assert_allclose(module(hidden), whole(X), rtol=1e-6)


def test_signatures_of_their_own_inputs() -> None:
    first = ({"x": "x:0"}, {"hidden": "Relu:0"})
    second = ({"hidden": "Relu:0"}, {"y": "logits:0"})
    module = compat_hub.load_tf1(
        _CHECKPOINT,
        signatures={"first": first, "second": second},
        feed_dict={"keep_prob": 1.0},
    )
    hidden = module.signatures["first"](x=tf.constant(X))["hidden"]
    found = module.signatures["second"](hidden=hidden)["y"]
    np.testing.assert_allclose(found, compat_hub.load_tf1(_CHECKPOINT, **_FIXED)(X), rtol=1e-6)


def test_values_in_training_make_a_variant() -> None:
    module = compat_hub.load_tf1(_CHECKPOINT, **_FIXED, training_feed_dict={"keep_prob:0": 0.25})
    assert module.spec.get_tags() == [frozenset(), frozenset({"train"})]
    tf.random.set_seed(3)
    x = np.ones([64, 5], np.float32)
    assert np.ptp(module(x).numpy(), axis=0).max() < 1e-6
    assert np.ptp(module(x, training=True).numpy(), axis=0).max() > 0.01


def test_a_folder_of_a_saved_model_is_loaded_by_load(tmp_path: Path) -> None:
    record = model("two_graphs")
    module = compat_hub.load(record.path)
    assert isinstance(module, compat_hub.HubModule)
    assert module.spec.get_tags() == [frozenset(), frozenset({"train"})]
    np.testing.assert_allclose(module(record.inputs["x"]), record.part("out")["y"], rtol=1e-5)
    pinned = compat_hub.load(record.path, tags=["train"])
    assert pinned.variant(training=False).update_ops
    layer = compat_hub.keras3.KerasLayer(record.path, trainable=True)
    assert len(layer.trainable_weights) == len(record.meta["trainable"])
    compat_hub.convert(record.path, tmp_path / "converted")
    again = tf.saved_model.load(str(tmp_path / "converted")).signatures["serving_default"]
    np.testing.assert_allclose(again(x=record.inputs["x"])["y"], record.part("out")["y"], rtol=1e-5)


def test_it_is_pickled_without_its_files(tmp_path: Path) -> None:
    shutil.copytree(FOLDER / "frozen", tmp_path / "frozen")
    module = compat_hub.load_tf1(tmp_path / "frozen/frozen.pb", {"x": "x"}, {"y": "scores"})
    data = pickle.dumps(module.spec)
    shutil.rmtree(tmp_path / "frozen")
    x = model("frozen").inputs["x"]
    np.testing.assert_array_equal(compat_hub.load(pickle.loads(data))(x), module(x))


def test_constants_are_chosen_by_name() -> None:
    path = FOLDER / "frozen/frozen.pb"
    chosen = compat_hub.load_tf1(path, {"x": "x"}, {"y": "scores"}, unfreeze=["^top/", "bn/mov"])
    assert sorted(v.name for v in chosen.trainable_variables) == ["top/bias:0", "top/kernel:0"]
    assert len(chosen.variables) == 4
    with pytest.raises(compat_hub.SignatureError, match=r"no float constant.*'conv/kernel'"):
        compat_hub.load_tf1(path, {"x": "x"}, {"y": "scores"}, unfreeze="nothing")
    with pytest.raises(compat_hub.SignatureError, match="leave `unfreeze` out"):
        compat_hub.load_tf1(_CHECKPOINT, **_FIXED, unfreeze=True)


def test_variables_that_are_missing(tmp_path: Path) -> None:
    arguments = model("checkpoint_partial").meta["arguments"]
    path = model("checkpoint_partial").path
    with pytest.raises(compat_hub.CheckpointError, match="'head'"):
        compat_hub.load_tf1(path, **{**arguments, "missing": "error"})
    # What does not need them is whole.
    module = compat_hub.load_tf1(path, arguments["inputs"], {"logits": "logits"})
    assert len(module.variables) == 4
    shutil.copy(FOLDER / "checkpoint_partial/model.meta", tmp_path / "model.meta")
    with pytest.raises(compat_hub.CheckpointError, match=r"values are missing.*model\.index"):
        compat_hub.load_tf1(tmp_path / "model", **{**arguments, "missing": "error"})
    assert len(compat_hub.load_tf1(tmp_path / "model", **arguments).variables) == 5


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"outputs": {"y": "logit:0"}}, compat_hub.UnknownNameError, "Near it are: 'logits'"),
        ({"outputs": {"y": "logits:3"}}, compat_hub.UnknownNameError, r"outputs \[0\]"),
        ({"inputs": {}}, compat_hub.SignatureError, r"depends on 'x' \(Placeholder\)"),
        ({"feed_dict": {}}, compat_hub.SignatureError, r"feed_dict=\{'keep_prob:0'"),
        ({"feed_dict": {"keep_prob:0": "a"}}, compat_hub.InputTypeError, "convert to float32"),
        ({"feed_dict": {"keep_prob:0": [1.0]}}, compat_hub.InputTypeError, r"shape \(1,\)"),
        ({"feed_dict": {"keep_probs:0": 1.0}}, compat_hub.UnknownNameError, "'keep_prob'"),
        ({"outputs": None}, compat_hub.InputTypeError, "no `outputs`"),
        ({"inputs": None, "outputs": None}, compat_hub.InputTypeError, "compat-hub inspect"),
        ({"outputs": {"y": "out/w:0"}, "inputs": {"x": "Relu:7"}}, compat_hub.HubError, "Relu:7"),
        ({"signatures": {"s": {"x": "x:0"}}}, compat_hub.InputTypeError, "two dicts"),
        ({"missing": "zero"}, compat_hub.InputTypeError, "'error' or 'initial'"),
    ],
)
def test_what_does_not_fit_the_graph(arguments: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        compat_hub.load_tf1(_CHECKPOINT, **{**_FIXED, **arguments})


def test_other_files_say_what_takes_them(tmp_path: Path) -> None:
    def refused(path: Any) -> str:
        with pytest.raises(compat_hub.HubError) as caught:
            compat_hub.load_tf1(path, **_PERCEPTRON)
        return str(caught.value)

    tf.saved_model.save(tf.Module(), str(tmp_path / "tf2"))
    assert "SavedModel of TensorFlow 2" in refused(tmp_path / "tf2")
    assert "of TensorFlow 2: pass its folder" in refused(tmp_path / "tf2/saved_model.pb")
    file = FOLDER / "simple_save/model/saved_model.pb"
    assert f"pass the folder that it is in, {str(file.parent)!r}" in refused(file)
    tf.train.Checkpoint(v=tf.Variable(tf.ones([]))).write(str(tmp_path / "objects"))
    assert "a checkpoint of objects" in refused(tmp_path / "objects")
    for name in ("model.index", "model.data-00000-of-00001"):
        shutil.copy(FOLDER / "checkpoint_partial" / name, tmp_path / name)
    assert "has values and no graph" in refused(tmp_path / "model")
    (tmp_path / "old.h5").write_bytes(b"\x89HDF\r\n\x1a\nrest")
    assert "an HDF5 file" in refused(tmp_path / "old.h5")
    (tmp_path / "m.tflite").write_bytes(b"\x1c\0\0\0TFL3rest")
    assert "TensorFlow Lite" in refused(tmp_path / "m.tflite")
    (tmp_path / "m.pb").write_bytes(b"\x0a\xff\xffno graph")
    assert "no graph of TensorFlow" in refused(tmp_path / "m.pb")
    shutil.copy(FOLDER / "checkpoint_partial/model.meta", tmp_path / "meta.pb")
    assert "the meta graph of a checkpoint" in refused(tmp_path / "meta.pb")
    (tmp_path / "pointer.pb").write_text("version https://git-lfs.github.com/spec/v1\noid 1\n")
    assert "git lfs pull" in refused(tmp_path / "pointer.pb")
    (tmp_path / "folder").mkdir()
    assert "neither a SavedModel" in refused(tmp_path / "folder")
    assert "There is nothing at" in refused(tmp_path / "nothing")
    fruit = Path(__file__).parents[2] / "fixtures/fruit/module"
    assert "compat_hub.load() takes" in refused(fruit)


def test_only_what_runs_counts_for_the_host(tmp_path: Path) -> None:
    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 2], "x")
        text = v1.read_file(v1.placeholder(tf.string, [], "file"))
        length = v1.string_to_number(text, name="length")
        y = tf.matmul(x, v1.get_variable("w", [2, 2]), name="y")
        tf.multiply(y, length, name="both")

    prefix = _save(tmp_path, build)
    assert compat_hub.load_tf1(prefix, {"x": "x"}, {"y": "y"})(np.ones([1, 2], np.float32)).shape
    names: Any = ({"x": "x", "file": "file"}, {"y": "both"})
    with pytest.raises(compat_hub.UnsafeModuleError, match="ReadFile"):
        compat_hub.load_tf1(prefix, *names)
    assert compat_hub.load_tf1(prefix, *names, allow_host_access=True)
    cut = compat_hub.load_tf1(prefix, {"x": "x", "length": "length"}, {"y": "both"})
    assert cut({"x": np.ones([1, 2], np.float32), "length": 2.0}).shape == (1, 2)


def test_a_damaged_checkpoint_of_the_first_format(tmp_path: Path) -> None:
    record = model("checkpoint_v1")
    names = record.meta["arguments"]
    shutil.copytree(FOLDER / "checkpoint_v1", tmp_path / "v1")
    path = tmp_path / "v1/old.ckpt"
    data = path.read_bytes()
    for damaged in (data[:-60], data[:200] + b"\xff" * 40 + data[240:], b""):
        path.write_bytes(damaged)
        with pytest.raises(compat_hub.CheckpointError, match="cannot be opened"):
            compat_hub.load_tf1(path, **names)
    shutil.copytree(FOLDER / "checkpoint_v1_sharded", tmp_path / "parts")
    (tmp_path / "parts/old.ckpt-00001-of-00002").unlink()
    with pytest.raises(compat_hub.CheckpointError, match="there are 1 of its 2 files"):
        compat_hub.load_tf1(tmp_path / "parts", **_PERCEPTRON)


def test_stale_shapes_are_not_trusted(tmp_path: Path) -> None:
    prefix = _save(
        tmp_path,
        lambda: tf.matmul(
            v1.placeholder(tf.float32, [None, 2], "x"), v1.get_variable("w", [2, 2]), name="y"
        ),
    )
    meta = v1.MetaGraphDef.FromString(Path(f"{prefix}.meta").read_bytes())
    for node in meta.graph_def.node:
        if node.name in ("y", "w/read"):
            del node.attr["_output_shapes"].list.shape[:]
            node.attr["_output_shapes"].list.shape.add()
    Path(f"{prefix}.meta").write_bytes(meta.SerializeToString())
    module = compat_hub.load_tf1(prefix, {"x": "x"}, {"y": "y"})
    assert module(np.ones([3, 2], np.float32)).shape == (3, 2)


def test_it_has_what_a_loaded_saved_model_has() -> None:
    record = model("simple_save")
    module = compat_hub.load(record.path)
    output = module.spec.get_output_info_dict("serving_default")["y"].components[0]
    assert module.graph.get_tensor_by_name(output).shape.rank == 2
    found = module.prune(feeds="x:0", fetches=output)(record.inputs["x"])
    np.testing.assert_allclose(found, record.part("out")["y"], rtol=1e-5)
    tables = compat_hub.load(model("tables").path)
    assert [Path(str(a.asset_path.numpy().decode())).name for a in tables.asset_paths] == [
        "words.txt"
    ]


def test_a_module_is_made_of_a_saved_model_that_was_trained() -> None:
    spec = compat_hub.create_module_spec_from_saved_model(model("simple_save").path)
    assert spec.get_tags() == [frozenset({"serve"})]


@pytest.mark.parametrize("name", ["checkpoint", "frozen_embedding", "tables"])
def test_damaged_graphs_raise_errors_of_the_library(name: str, tmp_path: Path) -> None:
    record = model(name)
    shutil.copytree(FOLDER / name, tmp_path / "model")
    ends = (".meta", "frozen.pb", "saved_model.pb")
    (file,) = [p for p in (tmp_path / "model").rglob("*") if p.name.endswith(ends)]
    data = file.read_bytes()
    random = np.random.default_rng(3)
    path = str(tmp_path / "model" / record.meta["path"])
    for _ in range(12):
        damaged = bytearray(data)
        for place in random.integers(0, len(data), 3):
            damaged[place] = random.integers(256)
        file.write_bytes(damaged)
        with contextlib.suppress(compat_hub.HubError):
            compat_hub.load_tf1(path, **record.meta["arguments"])
    for node in ("hidden/w/read", "rnn/while/Switch_2", "embedding/read"):
        file.write_bytes(data.replace(node.encode(), b"gone".ljust(len(node), b"_"), 1))
        with contextlib.suppress(compat_hub.HubError):
            compat_hub.load_tf1(path, **record.meta["arguments"])
