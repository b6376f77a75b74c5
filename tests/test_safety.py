"""Modules whose graphs would touch the host are refused before anything of them runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

import compat_hub
from compat_hub.safety import find_host_access
from tests.authoring import write_module
from tests.records import Record

v1 = tf.compat.v1


def _reading(path: str) -> Any:
    def build() -> Any:
        x = v1.placeholder(tf.float32, [None], "x")
        name = tf.constant(path, name="name")
        content = tf.raw_ops.ReadFile(filename=name, name="stolen")
        return {
            "default": ({"x": x}, {"default": 2 * x}),
            "leak": ({"x": x}, {"default": 2 * x, "secret": content}),
        }

    return build


def test_a_signature_that_reads_files(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("42")
    path = write_module(tmp_path / "module", none=_reading(str(secret)))
    with pytest.raises(compat_hub.UnsafeModuleError) as caught:
        compat_hub.load(path)
    for part in ("'ReadFile'", "'stolen'", "signature 'leak'", "files", "allow_host_access=True"):
        assert part in str(caught.value)
    module = compat_hub.load(path, allow_host_access=True)
    result = module([1.0], signature="leak", as_dict=True)
    assert result["secret"].numpy() == b"42"


def test_in_functions_and_branches(tmp_path: Path) -> None:
    def build() -> Any:
        x = v1.placeholder(tf.float32, [None], "x")

        def write() -> tf.Tensor:
            with tf.control_dependencies([tf.io.write_file("gone", "evil")]):
                return tf.identity(x)

        return {"default": ({"x": x}, {"default": tf.cond(x[0] > 1, write, lambda: x)})}

    path = write_module(tmp_path / "module", none=build)
    with pytest.raises(compat_hub.UnsafeModuleError, match=r"WriteFile.*signature 'default'"):
        compat_hub.load(path)


def test_python_functions(tmp_path: Path) -> None:
    def build() -> Any:
        x = v1.placeholder(tf.float32, [None], "x")
        y = tf.raw_ops.PyFunc(input=[x], token="evil", Tout=[tf.float32])[0]
        return {"default": ({"x": x}, {"default": y})}

    path = write_module(tmp_path / "module", none=build)
    with pytest.raises(compat_hub.UnsafeModuleError, match=r"'PyFunc'.*calls Python"):
        compat_hub.load(path)


def test_only_what_runs_counts(tmp_path: Path) -> None:
    def build() -> Any:
        x = v1.placeholder(tf.float32, [None], "x")
        w = v1.get_variable("w", initializer=2.0, use_resource=True)
        v1.train.Saver()  # saves and restores files, and no signature needs it
        tf.io.read_file("of/no/use")
        return {"default": ({"x": x}, {"default": w * x})}

    path = write_module(tmp_path / "module", none=build)
    assert compat_hub.load(path)([3.0]).numpy() == [6.0]


def test_initial_values_count_where_there_is_no_checkpoint(tmp_path: Path) -> None:
    def build() -> Any:
        x = v1.placeholder(tf.float32, [None], "x")
        start = tf.strings.length(tf.io.read_file("somewhere"))
        w = v1.Variable(tf.cast(tf.ensure_shape(start, []), tf.float32), use_resource=True)
        return {"default": ({"x": x}, {"default": w * x})}

    (tmp_path / "somewhere").write_text("abc")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        path = write_module(tmp_path / "module", none=build)
        assert compat_hub.load(path)([1.0]).numpy() == [3.0]
        for file in (tmp_path / "module/variables").iterdir():
            file.unlink()
        (tmp_path / "module/variables").rmdir()
        with pytest.raises(compat_hub.UnsafeModuleError, match="initial values"):
            compat_hub.load(path)
        assert compat_hub.load(path, allow_host_access=True)([1.0]).numpy() == [3.0]


def test_a_table_of_a_file_that_is_not_the_modules_own(tmp_path: Path) -> None:
    words = tmp_path / "words"
    words.write_text("a\nb\n")

    def build() -> Any:
        x = v1.placeholder(tf.string, [None], "x")
        table = tf.raw_ops.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64)
        init = tf.raw_ops.InitializeTableFromTextFileV2(
            table_handle=table, filename=str(words), key_index=-2, value_index=-1
        )
        v1.add_to_collection(v1.GraphKeys.TABLE_INITIALIZERS, init)
        default = tf.constant(-1, tf.int64)
        y = tf.raw_ops.LookupTableFindV2(table_handle=table, keys=x, default_value=default)
        return {"default": ({"x": x}, {"default": y})}

    path = write_module(tmp_path / "module", none=build)
    with pytest.raises(compat_hub.UnsafeModuleError, match="the tables"):
        compat_hub.load(path)
    assert compat_hub.load(path, allow_host_access=True)(["b", "c"]).numpy().tolist() == [1, -1]


def test_no_fixture_is_refused(record: Record) -> None:
    for variant in compat_hub.load_module_spec(record.path).variants.values():
        assert find_host_access(variant) == []
