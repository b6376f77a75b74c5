from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from compat_hub.state.tables import OneShotIterator
from tests.authoring import write_module
from tests.copies import node
from tests.records import FIXTURES

WORDS = [b"quartz", b"wizards", b"zebra"]


def _load(fixture: str) -> compat_hub.HubModule:
    return compat_hub.load(FIXTURES / fixture / "module")


def _ids(module: compat_hub.HubModule, words: object = WORDS) -> list[int]:
    return module({"words": words}, as_dict=True)["first"].numpy().tolist()


def test_tables_that_are_filled_from_one_file_are_shared() -> None:
    module = _load("text_two_assets")
    assert sum(n.op == "HashTableV2" for n in module.spec.variant().nodes.values()) == 5
    assert len(module.state.tables) == 4
    outputs = module({"words": WORDS}, as_dict=True)
    assert outputs["again"].numpy().tolist() == [id_ + 1 for id_ in _ids(module)]


def test_two_loads_have_tables_of_their_own(copy_of) -> None:
    copy = copy_of("text_two_assets")
    before = compat_hub.load(copy.path)
    file = copy.file("assets/vocab.txt")
    lines = file.read_text().split()
    file.write_text("\n".join(lines[::-1]) + "\n")
    after = compat_hub.load(copy.path)
    assert _ids(before) == [3, -7, -7]
    assert _ids(after) == [len(lines) - 1 - 3, -7, -7]
    assert _ids(before) == [3, -7, -7]


def test_a_file_that_changes_after_loading_does_not_matter(copy_of) -> None:
    copy = copy_of("text_two_assets")
    module = compat_hub.load(copy.path)
    copy.file("assets/vocab.txt").unlink()
    assert _ids(module) == [3, -7, -7]


def test_in_a_tf_function_that_outlives_the_module() -> None:
    module = _load("text_two_assets")

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def call(words: tf.Tensor) -> tf.Tensor:
        return module({"words": words}, as_dict=True)["first"]

    function = call.get_concrete_function()
    expected = _ids(module)
    assert function(tf.constant(WORDS)).numpy().tolist() == expected


def test_in_a_data_pipeline_that_outlives_the_module() -> None:
    module = _load("text_two_assets")
    expected = _ids(module)

    def look_up(words: tf.Tensor, module: compat_hub.HubModule = module) -> tf.Tensor:
        return module({"words": words}, as_dict=True)["first"]

    data = tf.data.Dataset.from_tensor_slices(WORDS).batch(2).map(look_up)
    del module, look_up
    gc.collect()
    for _ in range(2):
        assert [id_ for batch in data for id_ in batch.numpy().tolist()] == expected


def test_a_module_as_the_function_of_a_data_pipeline() -> None:
    module = _load("text_table")
    sentences = [b"sphinx of quartz", b"judge my vow", b"no such words"]
    expected = module(sentences).numpy()
    data = tf.data.Dataset.from_tensor_slices(sentences).batch(3).map(module).prefetch(1)
    del module
    gc.collect()
    (found,) = data.as_numpy_iterator()
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_module_that_is_gone_leaves_its_tables_behind_where_they_are_used() -> None:
    def make():
        module = _load("text_two_assets")
        return tf.data.Dataset.from_tensors(tf.constant(WORDS)).map(module.signatures["default"])

    data = make()
    gc.collect()
    (outputs,) = data
    assert outputs["first"].numpy().tolist() == [3, -7, -7]


def test_tables_of_each_kind() -> None:
    module = _load("text_kv")
    words = module({"ids": np.array([10, 20, 30, 40])}, signature="words", as_dict=True)
    assert words["words"].numpy().tolist() == [b"fig", b"lime", b"pear", b"unknown"]
    assert words["listed"].numpy().tolist() == [b"pear", b"fig", b"plum", b"unlisted"]


def test_tables_of_variants_that_differ(tmp_path: Path) -> None:
    def build(values: list[int]):
        def variant():
            words = tf.compat.v1.placeholder(tf.string, [None], "words")
            initializer = tf.lookup.KeyValueTensorInitializer(
                ["a", "b"], tf.constant(values, tf.int64)
            )
            table = tf.lookup.StaticHashTable(initializer, -1)
            return {"default": ({"words": words}, {"default": table.lookup(words)})}

        return variant

    path = write_module(tmp_path / "module", none=build([1, 2]), train=build([3, 4]))
    module = compat_hub.load(path)
    assert module(["a", "b", "c"]).numpy().tolist() == [1, 2, -1]
    assert module(["a", "b", "c"], training=True).numpy().tolist() == [3, 4, -1]
    same = compat_hub.load(write_module(tmp_path / "same", none=build([1, 2]), train=build([1, 2])))
    assert len(same.state.tables) == 1
    assert same(["b"], training=True).numpy().tolist() == [2]


def _mutable(folder: Path) -> str:
    def build():
        keys = tf.compat.v1.placeholder(tf.string, [None], "keys")
        values = tf.compat.v1.placeholder(tf.int64, [None], "values")
        table = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)
        with tf.control_dependencies([table.insert(keys, values)]):
            size = table.size()
        return {
            "insert": ({"keys": keys, "values": values}, {"default": size}),
            "default": ({"keys": keys}, {"default": table.lookup(keys)}),
        }

    return write_module(folder, none=build)


def test_a_mutable_table_keeps_what_is_put_into_it(tmp_path: Path) -> None:
    path = _mutable(tmp_path / "module")
    module, other = compat_hub.load(path), compat_hub.load(path)
    assert module(["a"]).numpy().tolist() == [-1]
    assert module({"keys": ["a", "b"], "values": [5, 6]}, "insert") == 2
    assert module(["b", "a", "c"]).numpy().tolist() == [6, 5, -1]
    assert other(["a"]).numpy().tolist() == [-1]


def test_a_mutable_table_in_a_checkpoint_and_a_saved_model(tmp_path: Path) -> None:
    path = _mutable(tmp_path / "module")
    module = compat_hub.load(path)
    module({"keys": ["a", "b"], "values": [5, 6]}, "insert")
    checkpoint = tf.train.Checkpoint(module=module).write(str(tmp_path / "checkpoint"))
    saved = module.save(tmp_path / "saved")
    module({"keys": ["a", "c"], "values": [7, 8]}, "insert")
    tf.train.Checkpoint(module=module).read(checkpoint).assert_consumed()
    for again in (module, tf.saved_model.load(saved)):
        assert again(tf.constant(["a", "b", "c"])).numpy().tolist() == [5, 6, -1]


def test_a_table_whose_first_use_is_in_a_function(tmp_path: Path) -> None:
    module = compat_hub.load(_mutable(tmp_path / "module"))
    look_up = tf.function(module)
    assert look_up(tf.constant(["a"])).numpy().tolist() == [-1]
    module({"keys": ["a"], "values": [5]}, "insert")
    assert look_up(tf.constant(["a"])).numpy().tolist() == [5]
    assert module(["a"]).numpy().tolist() == [5]


def test_the_asset_s_path() -> None:
    (asset,) = _load("text_table").asset_paths
    assert isinstance(asset, tf.saved_model.Asset)
    assert asset.asset_path.numpy().decode() == str(FIXTURES / "text_table/module/assets/vocab.txt")
    assert len(_load("text_two_assets").asset_paths) == 2
    assert _load("fruit").asset_paths == []


@pytest.mark.parametrize("word", ["sphinx", "vow"])
def test_words_of_every_type(word: str) -> None:
    module = _load("text_two_assets")
    values = [[word], np.array([word]), np.array([word.encode()], object), tf.constant([word])]
    found = [_ids(module, value) for value in values]
    assert found == [found[0]] * 4
    assert found[0] != [-7]


def test_an_iterator_is_made_when_the_program_uses_it() -> None:
    module = _load("dataset_iterators")
    (one_shot,) = [t for t in module.state.tables if isinstance(t, OneShotIterator)]
    assert module(["lime", "?"], "plain").numpy().tolist() == [3, -1]
    assert one_shot._resource_handle is None
    first, other = module([0.0, 0, 0]), _load("dataset_iterators")([0.0, 0, 0])
    assert first.numpy().tolist() == other.numpy().tolist()


def test_an_iterator_s_first_use_in_a_function() -> None:
    module = _load("dataset_iterators")
    call = tf.function(lambda: module(tf.zeros([3])))
    scale = module.variables[0].numpy()
    np.testing.assert_allclose([call() / scale, call() / scale], [[1, 3, 5], [7, 9, 11]], 1e-6)


def test_iterators_in_a_saved_model(tmp_path: Path) -> None:
    module = _load("dataset_iterators")
    expected = [module([0.0, 1, 2]).numpy().tolist() for _ in range(2)]
    saved = tf.saved_model.load(module.save(tmp_path / "saved"))
    assert [saved(tf.constant([0.0, 1, 2])).numpy().tolist() for _ in range(2)] == expected
    numbers = [saved.signatures["words"]()["numbers"].numpy().tolist() for _ in range(2)]
    assert numbers == [[0, 2], [4, 6]]


def test_a_resource_that_cannot_be_made_is_told_by_its_kind(copy_of) -> None:
    copy = copy_of("dataset_iterators")
    with copy.meta_graph() as meta_graph:
        del node(meta_graph, "IteratorV2").attr["output_types"].list.type[:]
    with pytest.raises(compat_hub.ModuleFormatError, match="the iterator 'IteratorV2'"):
        compat_hub.load(copy.path)
