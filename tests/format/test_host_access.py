"""Modules whose graphs would touch the host are refused before anything of them runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from tensorflow.core.framework import attr_value_pb2, types_pb2

import compat_hub
from compat_hub.format.host_access import find_host_access
from compat_hub.graphdef.analysis import host_ops
from tests.authoring import write_module
from tests.copies import edited_saved_model
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


def test_a_spec_that_allows_it(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("42")
    path = write_module(tmp_path / "module", none=_reading(str(tmp_path / "secret")))
    spec = compat_hub.load_module_spec(path)
    assert not spec.allow_host_access
    trusted = compat_hub.load_module_spec(path, allow_host_access=True)
    assert trusted.allow_host_access
    for handle, allowed in ((spec, False), (trusted, True)):
        for use in (compat_hub.load, compat_hub.verify, compat_hub.KerasLayer, _run_in_a_graph):
            if allowed:
                use(handle)
            else:
                with pytest.raises(compat_hub.UnsafeModuleError, match="'ReadFile'"):
                    use(handle)
    with pytest.raises(compat_hub.UnsafeModuleError, match="'ReadFile'"):
        compat_hub.convert(path, tmp_path / "saved_model")
    compat_hub.convert(trusted, tmp_path / "saved_model")
    assert compat_hub.load(spec, allow_host_access=True).spec.allow_host_access
    assert not spec.allow_host_access
    assert compat_hub.verify(trusted).passed


def _run_in_a_graph(spec: compat_hub.ModuleSpec) -> None:
    with compat_hub.eval_function_for_module(spec) as f:
        assert f([1.0], signature="leak", as_dict=True)["secret"] == b"42"


def test_graph_mode(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("42")
    path = write_module(tmp_path / "module", none=_reading(str(tmp_path / "secret")))
    with tf.Graph().as_default() as graph:
        with pytest.raises(
            compat_hub.UnsafeModuleError, match=r"load_module_spec\(.*, allow_host_access=True\)"
        ):
            compat_hub.Module(path)
        assert not graph.get_operations()


def test_what_the_program_made_itself_is_trusted(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("42")

    def module_fn() -> None:
        compat_hub.add_signature(outputs=tf.io.read_file(str(tmp_path / "secret")))

    spec = compat_hub.create_module_spec(module_fn)
    assert compat_hub.load(spec)().numpy() == b"42"
    spec.export(str(tmp_path / "module"), checkpoint_path=_checkpoint(tmp_path))
    with pytest.raises(compat_hub.UnsafeModuleError):  # now it is a module like any other
        compat_hub.load(str(tmp_path / "module"))


def _checkpoint(folder: Path) -> str:
    with tf.Graph().as_default(), v1.Session() as session:
        v1.get_variable("w", initializer=1.0)
        session.run(v1.global_variables_initializer())
        return v1.train.Saver().save(session, str(folder / "model.ckpt"))


def test_a_saved_model_of_tf1(tmp_path: Path) -> None:
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.string, [])
        v1.saved_model.simple_save(
            session, str(tmp_path / "saved_model"), {"x": x}, {"y": tf.io.read_file(x)}
        )
    make = compat_hub.create_module_spec_from_saved_model
    path = str(tmp_path / "saved_model")
    with tf.Graph().as_default(), pytest.raises(compat_hub.UnsafeModuleError, match="'ReadFile'"):
        compat_hub.Module(make(path), tags={"serve"})
    with tf.Graph().as_default():
        compat_hub.Module(make(path, allow_host_access=True), tags={"serve"})


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


def _calling(node: Callable[[tf.Tensor], Any]) -> Any:
    def build() -> Any:
        x = v1.placeholder(tf.float32, [None], "x")
        with tf.control_dependencies([node(x)]):
            return {"default": ({"x": x}, {"default": tf.identity(x)})}

    return build


def _sleep(x: tf.Tensor) -> Any:
    dataset = tf.raw_ops.TensorDataset(components=[x], output_shapes=[[None]])
    slow = tf.raw_ops.SleepDataset(
        input_dataset=dataset,
        sleep_microseconds=tf.constant(10**15, tf.int64),
        output_types=[tf.float32],
        output_shapes=[[None]],
    )
    return tf.raw_ops.DatasetToSingleElement(
        dataset=slow, output_types=[tf.float32], output_shapes=[[None]]
    )[0]


def _stable_hlo(x: tf.Tensor) -> Any:
    attrs = {
        "version": attr_value_pb2.AttrValue(i=5),
        "module": attr_value_pb2.AttrValue(s=b"ML"),
        "Tin": attr_value_pb2.AttrValue(list={"type": [types_pb2.DT_FLOAT]}),
        "Tout": attr_value_pb2.AttrValue(list={"type": [types_pb2.DT_FLOAT]}),
        "Sout": attr_value_pb2.AttrValue(list={"shape": [x.shape.as_proto()]}),
    }
    graph = v1.get_default_graph()
    return graph.create_op("XlaCallModule", [x], [tf.float32], attrs=attrs).outputs[0]


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (lambda x: tf.raw_ops.Abort(error_msg="gone"), "'Abort'.*ends the process"),
        (
            lambda x: tf.raw_ops.Abort(error_msg="", exit_without_error=True),
            "'Abort'.*ends the process",
        ),
        (_sleep, "'SleepDataset'.*makes the program wait"),
        (
            _stable_hlo,
            "'XlaCallModule'.*runs programs that are not in the graph",
        ),
    ],
)
def test_ops_that_end_stop_or_leave_the_program(
    node: Callable[[tf.Tensor], Any], message: str, tmp_path: Path
) -> None:
    path = write_module(tmp_path / "module", none=_calling(node))
    with pytest.raises(compat_hub.UnsafeModuleError, match=message):
        compat_hub.load(path)
    with tf.Graph().as_default(), pytest.raises(compat_hub.UnsafeModuleError, match=message):
        compat_hub.Module(path)


def test_an_op_that_nobody_has_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @tf.function(autograph=False)
    def twice(x: tf.Tensor) -> tf.Tensor:
        return x + x

    path = write_module(
        tmp_path / "module", none=_calling(lambda x: tf.raw_ops.Betainc(a=x, b=twice(x), x=x))
    )
    assert compat_hub.load(path)([1.0]).numpy() == [1.0]
    # As if a package had brought it.
    monkeypatch.setattr(host_ops, "CONTAINED_OPS", host_ops.CONTAINED_OPS - {"Betainc"})
    with pytest.raises(compat_hub.UnsafeModuleError, match=r"'Betainc'.*does not know"):
        compat_hub.load(path)
    assert compat_hub.load(path, allow_host_access=True)([1.0]).numpy() == [1.0]


def test_datasets_of_what_the_graph_has(tmp_path: Path) -> None:
    def sum_of(x: tf.Tensor) -> Any:
        dataset = tf.raw_ops.TensorSliceDataset(components=[x], output_shapes=[[]])
        return tf.raw_ops.DatasetToSingleElement(
            dataset=dataset, output_types=[tf.float32], output_shapes=[[]]
        )[0]

    path = write_module(tmp_path / "module", none=_calling(sum_of))
    assert compat_hub.load(path)([3.0]).numpy() == [3.0]


def test_only_what_runs_counts(tmp_path: Path) -> None:
    def build() -> Any:
        x = v1.placeholder(tf.float32, [None], "x")
        w = v1.get_variable("w", initializer=2.0, use_resource=True)
        v1.train.Saver()  # saves and restores files, and no signature needs it
        tf.io.read_file("of/no/use")
        return {"default": ({"x": x}, {"default": w * x})}

    path = write_module(tmp_path / "module", none=build)
    assert compat_hub.load(path)([3.0]).numpy() == [6.0]


def test_initial_values_count_where_they_are_asked_for(tmp_path: Path) -> None:
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
            compat_hub.load(path, missing="initial")
        trusted = compat_hub.load(path, allow_host_access=True, missing="initial")
        assert trusted([1.0]).numpy() == [3.0]


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


def _module_with_asset(folder: Path, read: Callable[[tf.Tensor], Any]) -> str:
    (folder / "words").write_text("own\n")

    def module_fn() -> None:
        asset = tf.constant(str(folder / "words"), name="asset")
        v1.add_to_collection(v1.GraphKeys.ASSET_FILEPATHS, asset)
        compat_hub.add_signature(outputs=read(asset))

    compat_hub.create_module_spec(module_fn).write(folder / "module", None)
    (folder / "words").write_text("other")
    return str(folder / "module")


def test_own_assets_may_be_read(tmp_path: Path) -> None:
    path = _module_with_asset(tmp_path, lambda asset: tf.io.read_file(tf.identity(asset)))
    assert compat_hub.load(path)().numpy() == b"own\n"
    with compat_hub.eval_function_for_module(path) as f:
        assert f() == b"own\n"


def test_what_is_computed_of_an_asset_is_none(tmp_path: Path) -> None:
    path = _module_with_asset(tmp_path, lambda asset: tf.io.read_file(asset + "/../../../words"))
    with pytest.raises(compat_hub.UnsafeModuleError, match="'ReadFile'"):
        compat_hub.load(path)


def test_a_functions_argument_is_no_asset_of_the_same_name(tmp_path: Path) -> None:
    def read(asset: tf.Tensor) -> Any:
        @tf.function(autograph=False)
        def function(asset: tf.Tensor) -> Any:
            return tf.io.read_file(asset)

        return function(asset + "/../../../words")

    path = _module_with_asset(tmp_path, read)
    with pytest.raises(compat_hub.UnsafeModuleError, match="'ReadFile'"):
        compat_hub.load(path)


def test_an_input_is_no_asset(tmp_path: Path) -> None:
    def build() -> Any:
        x = v1.placeholder(tf.string, [], "x")
        return {"default": ({"x": x}, {"default": tf.io.read_file(x)})}

    path = write_module(tmp_path / "module", none=build)
    _set_assets(path, {"x:0": "words"})
    with pytest.raises(compat_hub.UnsafeModuleError, match="'ReadFile'"):
        compat_hub.load(path)


def _set_assets(path: str, files: dict[str, str]) -> None:
    Path(path, "assets").mkdir(exist_ok=True)
    with edited_saved_model(path) as saved_model:
        for tensor, name in files.items():
            asset = saved_model.meta_graphs[0].asset_file_def.add(filename=name)
            asset.tensor_info.name = tensor
            Path(path, "assets", name).write_text("own")


def test_no_fixture_is_refused(record: Record) -> None:
    for variant in compat_hub.load_module_spec(record.path).variants.values():
        assert find_host_access(variant) == []
