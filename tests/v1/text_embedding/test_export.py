from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import compat_hub
from compat_hub import keras2, text_embedding

VECTORS = {"cat": [1.0, 2.0], "dog": [3.0, -4.0], "über": [0.5, 0.25], "can't": [8.0, 16.0]}
SENTENCES = ["cat", "cat dog  cat", "", " ", "dog\tüber\n", "CAT, dog!", "a cat can't", "zebra"]
ROOT = Path(__file__).parents[3]

# What TensorFlow 1.15 has of the ops in such a graph.
ATTRIBUTES_IN_TF1 = {
    "AddV2": "T",
    "AssignVariableOp": "dtype",
    "Cast": "DstT SrcT Truncate",
    "Const": "dtype value",
    "GatherV2": "Taxis Tindices Tparams batch_dims",
    "HashTableV2": "container key_dtype shared_name use_node_name_sharing value_dtype",
    "Identity": "T",
    "InitializeTableFromTextFileV2": "delimiter key_index value_index vocab_size",
    "LookupTableFindV2": "Tin Tout",
    "NotEqual": "T incompatible_shape_error",
    "Placeholder": "dtype shape",
    "ReadVariableOp": "dtype",
    "ResourceGather": "Tindices batch_dims dtype validate_indices",
    "SelectV2": "T",
    "SparseSegmentMeanWithNumSegments": "T Tidx Tnumsegments",
    "SparseSegmentSqrtNWithNumSegments": "T Tidx Tnumsegments",
    "SparseSegmentSumWithNumSegments": "T Tidx Tnumsegments",
    "StaticRegexReplace": "pattern replace_global rewrite",
    "StridedSlice": "Index T begin_mask ellipsis_mask end_mask new_axis_mask shrink_axis_mask",
    "StringLower": "encoding",
    "StringSplitV2": "maxsplit",
    "StringToHashBucketFast": "num_buckets",
    "Unique": "T out_idx",
    "VarHandleOp": "container dtype shape shared_name",
    "VarIsInitializedOp": "",
    "Where": "T",
}


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    path = tmp_path / "vectors.txt"
    lines = [" ".join([token, *map(str, vector)]) for token, vector in VECTORS.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def export(vectors: Path, tmp_path: Path):
    """Exports the vectors and returns the module's path."""

    def export(name: str = "module", **options: Any) -> str:
        return text_embedding.export(vectors, tmp_path / name, **options)

    return export


def _expected(
    sentence: str, buckets: np.ndarray, combiner: str, preprocess_text: bool, lowercase: bool
) -> np.ndarray:
    if preprocess_text:
        sentence = re.sub(r"[,!']", "", sentence)
    if lowercase:
        sentence = sentence.lower()
    rows = []
    for token in sentence.split():
        if token in VECTORS:
            rows.append(VECTORS[token])
        elif len(buckets):
            rows.append(buckets[int(tf.strings.to_hash_bucket_fast(token, len(buckets)))])
    divisor = {"sum": 1.0, "mean": len(rows), "sqrtn": np.sqrt(len(rows))}[combiner]
    return np.sum(rows, axis=0) / divisor if rows else np.zeros(2)


@pytest.mark.parametrize(
    ("combiner", "num_oov_buckets", "preprocess_text", "lowercase"),
    [
        ("sqrtn", 1, True, False),
        ("mean", 0, True, True),
        ("sum", 3, False, False),
        ("sqrtn", 0, False, True),
        ("mean", 2, False, False),
    ],
)
def test_embeddings_of_sentences(
    export, combiner: str, num_oov_buckets: int, preprocess_text: bool, lowercase: bool
) -> None:
    path = export(
        combiner=combiner,
        num_oov_buckets=num_oov_buckets,
        preprocess_text=preprocess_text,
        lowercase=lowercase,
        oov_stddev=1.0,
    )
    module = compat_hub.load(path)
    buckets = module.variable_map["embeddings"].numpy()[len(VECTORS) :]
    assert buckets.shape == (num_oov_buckets, 2)
    expected = [_expected(s, buckets, combiner, preprocess_text, lowercase) for s in SENTENCES]
    np.testing.assert_allclose(module(SENTENCES), expected, rtol=1e-6)
    np.testing.assert_array_equal(module(["", " "]), np.zeros([2, 2]))
    assert module(tf.constant([], tf.string)).shape == [0, 2]


def test_by_default_as_tensorflow_hub_does(export) -> None:
    module = compat_hub.load(export())
    np.testing.assert_allclose(
        module(["cat, dog!", "CAT", "can't", "zebra cat"]),
        [[4 / 2**0.5, -2 / 2**0.5], [0, 0], [0, 0], [1 / 2**0.5, 2 / 2**0.5]],
        rtol=1e-6,
    )
    (embeddings,) = module.trainable_variables
    assert embeddings.name == "embeddings:0"
    np.testing.assert_array_equal(embeddings, [*VECTORS.values(), [0, 0]])


def test_signature(export) -> None:
    spec = compat_hub.load_module_spec(export())
    assert spec.get_tags() == [frozenset()]
    assert {n: str(i) for n, i in spec.get_input_info_dict().items()} == {
        "sentences": "string [None]"
    }
    assert {n: str(i) for n, i in spec.get_output_info_dict().items()} == {
        "default": "float32 [None, 2]"
    }
    assert compat_hub.common_signatures.check(spec, "text_embedding") == []


def test_drawn_vectors_follow_the_seed(export) -> None:
    drawn = [
        compat_hub.load(export(name, num_oov_buckets=500, oov_stddev=0.1, seed=seed)).variables[0]
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])
    assert np.std(drawn[0][len(VECTORS) :]) == pytest.approx(0.1, rel=0.1)


def test_it_trains_in_keras(export) -> None:
    layer = keras2.KerasLayer(export(num_oov_buckets=2), trainable=True)
    model = tf_keras.Sequential([tf_keras.Input([], dtype=tf.string), layer])
    model.compile(tf_keras.optimizers.SGD(0.1), "mse")
    before = layer.trainable_weights[0].numpy()
    texts, targets = tf.constant(["cat", "cat zebra", ""]), np.zeros([3, 2])
    losses = model.fit(texts, targets, epochs=5, verbose=0).history["loss"]
    assert losses == sorted(losses, reverse=True)
    moved = np.abs(layer.trainable_weights[0].numpy() - before).sum(axis=1) > 0
    zebra = len(VECTORS) + int(tf.strings.to_hash_bucket_fast("zebra", 2))
    assert np.flatnonzero(moved).tolist() == [0, zebra]


def test_it_trains_in_a_graph_and_is_exported_again(export, tmp_path: Path) -> None:
    with tf.Graph().as_default():
        module = compat_hub.Module(export(), trainable=True)
        y = module(SENTENCES)
        loss = tf.reduce_sum(module(["cat dog"]) ** 2)
        step = tf.compat.v1.train.GradientDescentOptimizer(0.1).minimize(loss)
        with tf.compat.v1.Session() as session:
            session.run(tf.compat.v1.global_variables_initializer())
            session.run(tf.compat.v1.tables_initializer())
            session.run(step)
            outputs = session.run(y)
            module.export(str(tmp_path / "again"), session)
    assert not np.allclose(outputs, compat_hub.load(str(tmp_path / "module"))(SENTENCES))
    again = compat_hub.load(str(tmp_path / "again"))
    np.testing.assert_allclose(again(SENTENCES), outputs, rtol=1e-6)


def test_two_modules_in_one_program(export, tmp_path: Path) -> None:
    first = export("first")
    other = tmp_path / "other.txt"
    other.write_text("dog 1 1\ncat 7 7\n", encoding="utf-8")
    second = text_embedding.export(other, tmp_path / "second")
    for load in (compat_hub.load, tf.saved_model.load):
        a, b = (load(path).signatures["default"] for path in (first, second))
        for _ in range(2):
            np.testing.assert_array_equal(a(tf.constant(["cat"]))["default"], [[1, 2]])
            np.testing.assert_array_equal(b(tf.constant(["cat"]))["default"], [[7, 7]])


def test_files(export, tmp_path: Path) -> None:
    path = Path(export())
    files = {p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file()}
    assert {f for f in files if "variables.data" not in f} == {
        "assets/tokens.txt",
        "saved_model.pb",
        "tfhub_module.pb",
        "variables/variables.index",
    }
    assert (path / "assets/tokens.txt").read_text("utf-8") == "".join(f"{t}\n" for t in VECTORS)
    graph = (path / "saved_model.pb").read_bytes()
    assert len(graph) < 20_000
    assert str(tmp_path).encode() not in graph


@pytest.mark.parametrize("combiner", ["sqrtn", "mean", "sum"])
@pytest.mark.parametrize("num_oov_buckets", [0, 1])
def test_tensorflow_1_has_the_ops(export, combiner: str, num_oov_buckets: int) -> None:
    path = export(combiner=combiner, num_oov_buckets=num_oov_buckets, lowercase=True)
    for node in compat_hub.load_module_spec(path).variant().nodes.values():
        known = {*ATTRIBUTES_IN_TF1[node.op].split()}
        assert {name for name in node.attr if not name.startswith("_")} <= known, node.name


def test_large_vectors_are_written_in_blocks(
    export, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("compat_hub.v1.text_embedding.export._BLOCK_BYTES", 3 * 2 * 4)
    path = export(num_oov_buckets=7, oov_stddev=1.0)
    assert len(list((tmp_path / "module/variables").glob("*.data-*"))) == 2 + 3
    embeddings = compat_hub.load(path).variables[0].numpy()
    assert embeddings.shape == (4 + 7, 2)
    np.testing.assert_array_equal(embeddings[:4], [*VECTORS.values()])
    assert np.unique(embeddings[4:]).size == 14


def test_to_another_filesystem(vectors: Path) -> None:
    path = text_embedding.export(vectors, "ram://test_text_embedding/module")
    assert path == "ram://test_text_embedding/module"
    np.testing.assert_array_equal(compat_hub.load(path)(["dog"]), [VECTORS["dog"]])


def test_compressed_with_a_header(vectors: Path, tmp_path: Path) -> None:
    packed = tmp_path / "vectors.gz"
    packed.write_bytes(gzip.compress(b"4 2\n" + vectors.read_bytes()))
    module = compat_hub.load(text_embedding.export(packed, tmp_path / "module"))
    np.testing.assert_array_equal(module(["über"]), [VECTORS["über"]])


def test_progress(export, vectors: Path, capfd: pytest.CaptureFixture[str]) -> None:
    export("silent")
    silent = capfd.readouterr()
    export("shown", progress=True)
    shown = capfd.readouterr()
    assert silent.out == shown.out == ""
    assert "Vectors" not in silent.err
    assert f"Vectors of {vectors}: 4\n" in shown.err


@pytest.mark.parametrize("line", ["cow 1", "cow 1 x", "cow 1 inf", "cat 1 2"])
def test_nothing_is_left_of_a_failure(vectors: Path, tmp_path: Path, line: str) -> None:
    with vectors.open("a", encoding="utf-8") as file:
        file.write(line)
    with pytest.raises(text_embedding.EmbeddingFileError, match=r"vectors\.txt', line 5: "):
        text_embedding.export(vectors, tmp_path / "module")
    assert [path.name for path in tmp_path.iterdir()] == ["vectors.txt"]


def test_an_existing_folder_is_left_as_it_is(vectors: Path, tmp_path: Path) -> None:
    (tmp_path / "module").mkdir()
    (tmp_path / "module/notes.txt").write_text("mine")
    with pytest.raises(compat_hub.PathExistsError, match="module"):
        text_embedding.export(vectors, tmp_path / "module")
    # Before the file is read: it may be large.
    with pytest.raises(compat_hub.PathExistsError, match="module"):
        text_embedding.export(tmp_path / "none.txt", tmp_path / "module")
    assert (tmp_path / "module/notes.txt").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["module", "vectors.txt"]


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(compat_hub.ResolveError, match=r"none\.txt"):
        text_embedding.export(tmp_path / "none.txt", tmp_path / "module")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"num_oov_buckets": -1}, "`num_oov_buckets` .* found -1"),
        ({"num_oov_buckets": 1.5}, "`num_oov_buckets` .* found 1.5"),
        ({"seed": -1}, "`seed` .* found -1"),
        ({"oov_stddev": -0.5}, "`oov_stddev` .* found -0.5"),
        ({"oov_stddev": float("nan")}, "`oov_stddev` .* found nan"),
        ({"combiner": "max"}, "`combiner` .*'sqrtn', 'mean', 'sum', found 'max'"),
    ],
)
def test_bad_arguments(export, tmp_path: Path, options: dict[str, Any], expected: str) -> None:
    with pytest.raises(compat_hub.InputTypeError, match=expected):
        export(**options)
    assert [path.name for path in tmp_path.iterdir()] == ["vectors.txt"]


def test_without_eager_execution(export, vectors: Path, tmp_path: Path) -> None:
    expected = Path(export("eager"))
    code = "import sys, tensorflow as tf, compat_hub; tf.compat.v1.disable_v2_behavior()\n"
    code += "compat_hub.text_embedding.export(*sys.argv[1:])"
    graph = tmp_path / "graph"
    subprocess.run(
        [sys.executable, "-c", code, str(vectors), str(graph)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
    )
    for file in (p.relative_to(expected) for p in expected.rglob("*") if p.is_file()):
        assert (graph / file).read_bytes() == (expected / file).read_bytes(), file
