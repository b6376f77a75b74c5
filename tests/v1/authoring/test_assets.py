"""Asset files of a module that is made: names in its folder, and no path in its graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from compat_hub.errors import ModuleFormatError
from compat_hub.format.spec import read_saved_model
from compat_hub.format.variant import GraphVariant
from compat_hub.v1.authoring.assets import AssetNames, forget_paths

v1 = tf.compat.v1


def _meta_graph(*assets: Any) -> Any:
    """A MetaGraph with constants of these values in ASSET_FILEPATHS, and a table named after it."""
    with tf.Graph().as_default():
        for value in assets:
            v1.add_to_collection(v1.GraphKeys.ASSET_FILEPATHS, tf.constant(value))
            name = f"table_{value}_-2" if isinstance(value, str) else "table"
            tf.raw_ops.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64, shared_name=name)
        return v1.train.export_meta_graph()


def _shared_names(meta_graph: Any) -> list[bytes]:
    return [n.attr["shared_name"].s for n in meta_graph.graph_def.node if n.op == "HashTableV2"]


def test_names_are_those_of_the_files() -> None:
    names = AssetNames()
    meta_graph = _meta_graph("/a/words.txt", "/a/b/ids.txt")
    names.make_portable(meta_graph)
    assert names.files == {"words.txt": "/a/words.txt", "ids.txt": "/a/b/ids.txt"}
    variant = GraphVariant(meta_graph, "m")
    assert dict(variant.assets) == {"Const:0": "words.txt", "Const_1:0": "ids.txt"}
    assert _shared_names(meta_graph) == [b"table_words.txt_-2", b"table_ids.txt_-2"]
    assert b"/a" not in meta_graph.SerializeToString()


def test_files_of_one_name() -> None:
    # As tensorflow_hub 0.12 names them.
    names = AssetNames()
    meta_graph = _meta_graph("/a/words", "/b/words", "/c/words0", "/d/words", "/a/words")
    names.make_portable(meta_graph)
    assert names.files == {
        "words": "/a/words",
        "words0": "/b/words",
        "words00": "/c/words0",
        "words1": "/d/words",
    }
    found = dict(GraphVariant(meta_graph, "m").assets)
    assert [found[f"Const{suffix}:0"] for suffix in ("", "_1", "_4")] == [
        "words",
        "words0",
        "words",
    ]


def test_variants_share_a_file() -> None:
    names = AssetNames()
    for assets in ("/a/words", "/b/words"), ("/b/words", "/c/words"):
        names.make_portable(_meta_graph(*assets))
    assert names.files == {"words": "/a/words", "words0": "/b/words", "words1": "/c/words"}


def test_one_tensor_listed_twice() -> None:
    meta_graph = _meta_graph("/a/words")
    meta_graph.collection_def[v1.GraphKeys.ASSET_FILEPATHS].node_list.value.append("Const:0")
    AssetNames().make_portable(meta_graph)
    assert dict(GraphVariant(meta_graph, "m").assets) == {"Const:0": "words"}


def test_without_assets() -> None:
    meta_graph = _meta_graph()
    before = meta_graph.SerializeToString(deterministic=True)
    AssetNames().make_portable(meta_graph)
    forget_paths(meta_graph, {})
    assert meta_graph.SerializeToString(deterministic=True) == before


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (1.0, "one constant string, found the output of a node of type 'Const'"),
        (["/a", "/b"], "one constant string"),
        ("", "holds '', which is not the path of a file"),
        ("/a/folder/", "holds '/a/folder/', which is not the path of a file"),
    ],
)
def test_what_is_no_asset(value: Any, message: str) -> None:
    with pytest.raises(ModuleFormatError, match=f"'Const:0' in .*'asset_filepaths' .*{message}"):
        AssetNames().make_portable(_meta_graph(value))


def test_a_computed_asset() -> None:
    with tf.Graph().as_default():
        v1.add_to_collection(v1.GraphKeys.ASSET_FILEPATHS, v1.placeholder(tf.string, name="x"))
        meta_graph = v1.train.export_meta_graph()
    with pytest.raises(ModuleFormatError, match=r"'x:0'.*of a node of type 'Placeholder'"):
        AssetNames().make_portable(meta_graph)


def test_a_path_that_is_no_tensor() -> None:
    with tf.Graph().as_default():
        v1.add_to_collection(v1.GraphKeys.ASSET_FILEPATHS, "/a/words")
        meta_graph = v1.train.export_meta_graph()
    with pytest.raises(ModuleFormatError, match=r"found a bytes_list. Add tf.constant\(path\)"):
        AssetNames().make_portable(meta_graph)


def test_paths_in_a_saved_model(tmp_path: Path) -> None:
    words = tmp_path / "words"
    words.write_text("a")
    path = str(tmp_path / "saved_model")
    with tf.Graph().as_default(), v1.Session() as session:
        v1.add_to_collection(v1.GraphKeys.ASSET_FILEPATHS, tf.constant(str(words)))
        tf.raw_ops.HashTableV2(
            key_dtype=tf.string, value_dtype=tf.int64, shared_name=f"table_{words}_-2"
        )
        builder = v1.saved_model.Builder(path)
        assets = v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS)
        builder.add_meta_graph_and_variables(session, ["serve"], assets_collection=assets)
        builder.save()
    (meta_graph,) = read_saved_model("m", path).meta_graphs
    assert str(tmp_path).encode() in meta_graph.SerializeToString()
    variant = GraphVariant(meta_graph, "m")
    forget_paths(meta_graph, variant.assets)
    assert str(tmp_path).encode() not in meta_graph.SerializeToString()
    assert _shared_names(meta_graph) == [b"table_words_-2"]
    after = meta_graph.SerializeToString(deterministic=True)
    forget_paths(meta_graph, variant.assets)
    assert meta_graph.SerializeToString(deterministic=True) == after
