"""Modules that would write a marker or give a secret away, used in every public way."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from tensorflow.core.framework import variable_pb2
from tensorflow.python.framework import function

import compat_hub
from compat_hub import keras3
from compat_hub.format import host_access
from compat_hub.programs import passes
from tests.authoring import write_module
from tests.copies import edited_saved_model
from tests.safety.uses import VALUES, found_in

v1 = tf.compat.v1

SECRET = "7919"  # a number: as a static shape it shows, too
Build = Callable[["Host"], Any]


class Host:
    """The files that no module may touch."""

    def __init__(self, folder: Path) -> None:
        self.marker = folder / "marker"
        self.secret = folder / "secret"
        self.secret.write_text("3")

    def arm(self) -> None:
        """Once the module is written: what it reads after that, it reads here."""
        self.secret.write_text(SECRET)
        self.marker.unlink(missing_ok=True)

    def write(self) -> tf.Operation:
        return tf.raw_ops.WriteFile(filename=str(self.marker), contents="evil")

    def after_writing(self, value: Any) -> tf.Tensor:
        with tf.control_dependencies([self.write()]):
            return tf.constant(value)

    def number(self) -> tf.Tensor:
        """The secret as a number."""
        content = tf.raw_ops.ReadFile(filename=str(self.secret))
        return tf.raw_ops.StringToNumber(string_tensor=content, out_type=tf.float32)


def _x() -> tf.Tensor:
    return v1.placeholder(tf.float32, [None], "x")


def default_of_an_input(host: Host) -> Any:
    x = _x()
    hyper = v1.placeholder_with_default(host.after_writing(1.0), [], "hyper")
    return {"default": ({"x": x, "hyper": hyper}, {"default": x * hyper})}


def default_of_a_text_input(host: Host) -> Any:
    x = v1.placeholder(tf.string, [None], "text")
    hyper = v1.placeholder_with_default(host.number(), [], "hyper")
    lengths = tf.cast(tf.strings.length(x), tf.float32)
    return {
        "default": (
            {"text": x, "hyper": hyper},
            {"default": tf.stack([lengths, lengths * 0 + hyper], axis=1)},
        )
    }


def loss_behind_an_input_of_another_signature(host: Host) -> Any:
    x, t = _x(), tf.identity(host.after_writing(1.0), "t")
    v1.add_to_collection(v1.GraphKeys.REGULARIZATION_LOSSES, t * 2.0)
    return {"default": ({"x": x}, {"default": x}), "other": ({"x": t}, {"default": t})}


def loss_behind_two_inputs(host: Host) -> Any:
    x, t = _x(), tf.identity(host.after_writing(1.0), "t")
    v1.add_to_collection(v1.GraphKeys.REGULARIZATION_LOSSES, t * tf.reduce_sum(x))
    return {"default": ({"x": x}, {"default": x}), "other": ({"x": x, "t": t}, {"default": x + t})}


def update_op_behind_an_input_of_another_signature(host: Host) -> Any:
    x, t = _x(), tf.identity(host.after_writing(1.0), "t")
    w = v1.get_variable("w", initializer=2.0, use_resource=True, trainable=False)
    v1.add_to_collection(v1.GraphKeys.UPDATE_OPS, w.assign_add(t, read_value=False))
    return {"default": ({"x": x}, {"default": w * x}), "other": ({"x": t}, {"default": t})}


def update_op_behind_a_default(host: Host) -> Any:
    x = _x()
    t = v1.placeholder_with_default(host.after_writing(1.0), [])
    w = v1.get_variable("w", initializer=2.0, use_resource=True, trainable=False)
    v1.add_to_collection(v1.GraphKeys.UPDATE_OPS, w.assign_add(t, read_value=False))
    return {"default": ({"x": x, "t": t}, {"default": w * x})}


def table_behind_an_input(host: Host) -> Any:
    x, t = _x(), tf.identity(host.after_writing(["a", "b"]), "t")
    table = tf.raw_ops.HashTableV2(key_dtype=tf.string, value_dtype=tf.float32)
    init = tf.raw_ops.InitializeTableV2(table_handle=table, keys=t, values=tf.constant([1.0, 2.0]))
    v1.add_to_collection(v1.GraphKeys.TABLE_INITIALIZERS, init)
    y = tf.raw_ops.LookupTableFindV2(table_handle=table, keys=t, default_value=-1.0)
    return {"default": ({"x": x}, {"default": x}), "other": ({"text": t}, {"default": y})}


def table_initializer_alone(host: Host) -> Any:
    x, t = _x(), tf.identity(host.after_writing(1.0), "t")
    table = tf.raw_ops.HashTableV2(key_dtype=tf.string, value_dtype=tf.float32)
    with tf.control_dependencies([t]):
        init = tf.raw_ops.InitializeTableV2(
            table_handle=table, keys=tf.constant(["a"]), values=tf.constant([1.0])
        )
    v1.add_to_collection(v1.GraphKeys.TABLE_INITIALIZERS, init)
    return {"default": ({"x": x}, {"default": x}), "other": ({"x": t}, {"default": x})}


def control_edge_on_the_node_of_an_input(host: Host) -> Any:
    x = tf.identity(host.after_writing([1.0, 2.0]), "x")
    with tf.control_dependencies([x]):
        y = tf.constant(1.0)
    return {"default": ({"x": x}, {"default": x + y})}


def reads_while_it_is_imported(host: Host) -> Any:
    x = _x()
    tf.zeros([tf.cast(host.number(), tf.int32), 1])
    return {"default": ({"x": x}, {"default": x})}


def reads_behind_an_input_while_it_is_imported(host: Host) -> Any:
    x = tf.identity(tf.zeros([tf.cast(host.number(), tf.int32)]), "x")
    return {"default": ({"x": x}, {"default": x})}


def initial_value_that_the_checkpoint_replaces(host: Host) -> Any:
    w = v1.get_variable("w", initializer=host.number(), use_resource=True)
    snapshot = w.value()
    del snapshot
    x = _x()
    return {"default": ({"x": x}, {"default": x * w})}


def in_a_function(host: Host) -> Any:
    x = _x()

    @tf.function(autograph=False)
    def inner(x: tf.Tensor) -> tf.Tensor:
        with tf.control_dependencies([host.write()]):
            return tf.identity(x)

    @tf.function(autograph=False)
    def outer(x: tf.Tensor) -> tf.Tensor:
        return inner(x)

    hyper = v1.placeholder_with_default(outer(tf.constant(1.0)), [], "hyper")
    return {"default": ({"x": x, "hyper": hyper}, {"default": x * hyper})}


def _iterator(host: Host, harmless: bool, name: str) -> tf.Tensor:
    """An iterator of one element, whose dataset is made by a function."""

    @function.Defun()
    def factory() -> tf.Tensor:
        with tf.control_dependencies([] if harmless else [host.write()]):
            start = tf.constant(0, tf.int64)
        return tf.raw_ops.RangeDataset(
            start=start,
            stop=tf.constant(9, tf.int64),
            step=tf.constant(1, tf.int64),
            output_types=[tf.int64],
            output_shapes=[[]],
        )

    factory.add_to_graph(v1.get_default_graph())
    return tf.raw_ops.OneShotIterator(
        dataset_factory=factory,
        output_types=[tf.int64],
        output_shapes=[[]],
        shared_name=name,
    )


def resource_that_takes_the_place_of_another(host: Host) -> Any:
    x = _x()
    _iterator(host, harmless=False, name="shared")
    iterator = _iterator(host, harmless=True, name="shared")
    (element,) = tf.raw_ops.IteratorGetNext(
        iterator=iterator, output_types=[tf.int64], output_shapes=[[]]
    )
    return {"default": ({"x": x}, {"default": x + tf.cast(element, tf.float32)})}


def resource_that_nobody_needs(host: Host) -> Any:
    x = _x()
    _iterator(host, harmless=False, name="unused")
    return {"default": ({"x": x}, {"default": x})}


def gradient_of_a_function(host: Host) -> Any:
    x = _x()

    @function.Defun(tf.float32, tf.float32)
    def gradient(x: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
        with tf.control_dependencies([host.write()]):
            return x * upstream

    @function.Defun(tf.float32, grad_func=gradient)
    def square(x: tf.Tensor) -> tf.Tensor:
        return x * x

    return {"default": ({"x": x}, {"default": square(x)})}


def branch_that_writes(host: Host) -> Any:
    x = _x()
    h = v1.placeholder_with_default(
        tf.cond(x[0] > 0, lambda: host.after_writing(1.0), lambda: 1.0), []
    )
    return {"default": ({"x": x, "h": h}, {"default": x * h})}


ATTACKS = [
    gradient_of_a_function,
    branch_that_writes,
    resource_that_takes_the_place_of_another,
    resource_that_nobody_needs,
    default_of_an_input,
    default_of_a_text_input,
    loss_behind_an_input_of_another_signature,
    loss_behind_two_inputs,
    update_op_behind_an_input_of_another_signature,
    update_op_behind_a_default,
    table_behind_an_input,
    table_initializer_alone,
    control_edge_on_the_node_of_an_input,
    reads_while_it_is_imported,
    reads_behind_an_input_while_it_is_imported,
    in_a_function,
]


@pytest.mark.parametrize("build", ATTACKS, ids=lambda build: build.__name__)
def test_no_use_touches_the_host(build: Build, tmp_path: Path) -> None:
    host = Host(tmp_path)
    path = write_module(tmp_path / "module", none=lambda: build(host))
    host.arm()
    assert found_in(path, tmp_path, SECRET, host.marker) == []


def _edited(path: str, edit: Callable[[Any], None]) -> None:
    """Changes the MetaGraph of a module."""
    with edited_saved_model(path) as saved_model:
        edit(saved_model.meta_graphs[0])


def _variable(host: Host, kind: bool = True) -> Any:
    """A module with a variable, and nodes that nothing needs: `secret`, `evil`, `evil_text`."""
    x = _x()
    w = v1.get_variable("w", initializer=1.0, use_resource=kind)
    tf.identity(host.number(), "secret")
    tf.identity(host.after_writing(1.0), "evil")
    host_write = host.write()
    with tf.control_dependencies([host_write]):
        tf.no_op("evil_op")
    return {"default": ({"x": x}, {"default": x * w})}


def _forge(meta_graph: Any, **fields: str) -> None:
    for key in ("variables", "trainable_variables"):
        values = meta_graph.collection_def[key].bytes_list.value
        proto: Any = variable_pb2.VariableDef.FromString(values[0])
        for name, value in fields.items():
            setattr(proto, name, value)
        values[0] = proto.SerializeToString()


def _assigner(meta_graph: Any) -> Any:
    return next(n for n in meta_graph.graph_def.node if n.name == "w/Assign")


def control_edge_on_assign(meta_graph: Any) -> None:
    _assigner(meta_graph).input.append("^evil_op")


def forged_initializer(meta_graph: Any) -> None:
    _forge(meta_graph, initializer_name="WriteFile")


def forged_initializer_behind(meta_graph: Any) -> None:
    _forge(meta_graph, initializer_name="evil_op")


def forged_snapshot(meta_graph: Any) -> None:
    _forge(meta_graph, snapshot_name="secret:0")


def forged_initial_value(meta_graph: Any) -> None:
    _forge(meta_graph, initial_value_name="evil:0")


def another_variable_in_model_variables(meta_graph: Any) -> None:
    value = meta_graph.collection_def["variables"].bytes_list.value[0]
    proto: Any = variable_pb2.VariableDef.FromString(value)
    proto.initializer_name, proto.snapshot_name = "evil_op", "secret:0"
    forged = meta_graph.collection_def["model_variables"].bytes_list.value
    forged.append(proto.SerializeToString())


def nodes_in_model_variables(meta_graph: Any) -> None:
    meta_graph.collection_def["model_variables"].node_list.value.extend(["secret:0", "evil_op"])


def an_asset_that_is_none(meta_graph: Any) -> None:
    meta_graph.collection_def["asset_filepaths"].node_list.value.append("secret:0")


def control_edge_on_the_variable(meta_graph: Any) -> None:
    node = next(n for n in meta_graph.graph_def.node if n.name == "w")
    node.input.append("^evil_op")


FORGERIES = [
    control_edge_on_assign,
    forged_initializer,
    forged_initializer_behind,
    forged_snapshot,
    forged_initial_value,
    another_variable_in_model_variables,
    nodes_in_model_variables,
    an_asset_that_is_none,
    control_edge_on_the_variable,
]


@pytest.mark.parametrize("kind", [True, False], ids=["resource", "reference"])
@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__)
def test_forged_entries(forge: Callable[[Any], None], kind: bool, tmp_path: Path) -> None:
    host = Host(tmp_path)
    path = write_module(tmp_path / "module", none=lambda: _variable(host, kind))
    _edited(path, forge)
    host.arm()
    assert found_in(path, tmp_path, SECRET, host.marker) == []


def test_the_uses_find_what_is_not_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_access, "find_host_access", lambda *_: [])
    monkeypatch.setattr(host_access, "leave_out_host_access", lambda *_: None)
    monkeypatch.setattr(passes, "leave_out_host_access", lambda *_: None)
    host = Host(tmp_path)
    path = write_module(tmp_path / "module", none=lambda: default_of_an_input(host))
    host.arm()
    expected = {
        "load",
        "function",
        "keras2",
        "keras3",
        "convert",
        "graph",
        "eval_function",
        "verify",
    }
    expected |= {"run", "from_saved_model", "beam", "everything_in_the_graph", "gradients"}
    expected |= {"gradients_in_a_graph", "module_in_a_function"}
    assert set(found_in(path, tmp_path, SECRET, host.marker)) >= expected


def _with_own_asset(folder: Path, read: Callable[[tf.Tensor], Any]) -> str:
    (folder / "words").write_text("own")

    def module_fn() -> None:
        x = _x()
        asset = tf.constant(str(folder / "words"), name="asset")
        v1.add_to_collection(v1.GraphKeys.ASSET_FILEPATHS, asset)
        compat_hub.add_signature(inputs={"x": x}, outputs={"default": x, "read": read(asset)})

    compat_hub.create_module_spec(module_fn).write(folder / "module", None)
    return str(folder / "module")


def _asset_node(meta_graph: Any) -> Any:
    return next(n for n in meta_graph.graph_def.node if n.name == "asset")


def test_an_asset_with_a_second_value(tmp_path: Path) -> None:
    host = Host(tmp_path)
    path = _with_own_asset(tmp_path, tf.io.read_file)

    def edit(meta_graph: Any) -> None:
        secret = str(host.secret).encode()
        _asset_node(meta_graph).attr["value"].tensor.tensor_content = bytes([len(secret)]) + secret

    _edited(path, edit)
    host.arm()
    assert found_in(path, tmp_path, SECRET, host.marker) == []


def test_an_asset_with_another_path(tmp_path: Path) -> None:
    host = Host(tmp_path)
    path = _with_own_asset(tmp_path, tf.io.read_file)

    def edit(meta_graph: Any) -> None:
        value = _asset_node(meta_graph).attr["value"].tensor
        value.string_val[:] = [str(host.secret).encode()]

    _edited(path, edit)
    host.arm()
    assert found_in(path, tmp_path, SECRET, host.marker) == []


def test_own_assets_are_read_in_every_way(tmp_path: Path) -> None:
    path = _with_own_asset(tmp_path, tf.io.read_file)
    found = found_in(path, tmp_path, "b'own'", tmp_path / "marker")
    expected = {"load", "function", "keras2", "keras3", "convert", "graph", "eval_function"}
    assert set(found) >= expected | {"from_saved_model"}


def test_a_programs_export_takes_no_file_that_is_not_the_modules(tmp_path: Path) -> None:
    host = Host(tmp_path)
    path = _with_own_asset(tmp_path, tf.io.read_file)

    def edit(meta_graph: Any) -> None:
        node = meta_graph.graph_def.node.add()
        node.CopyFrom(_asset_node(meta_graph))
        node.name = "forged"
        node.attr["value"].tensor.string_val[:] = [str(host.secret).encode()]
        meta_graph.collection_def["asset_filepaths"].node_list.value.append("forged:0")

    _edited(path, edit)
    with tf.Graph().as_default(), v1.Session() as session:
        compat_hub.Module(path)(VALUES["x"])
        files = session.run(v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS))
    assert {Path(file.decode()).name for file in files} == {"words"}


def test_a_function_with_the_name_of_an_op(tmp_path: Path) -> None:
    host = Host(tmp_path)

    def read(asset: tf.Tensor) -> Any:
        @tf.function(autograph=False)
        def other(_: tf.Tensor) -> Any:
            return tf.constant(str(host.secret))

        return tf.io.read_file(other(asset))

    path = _with_own_asset(tmp_path, read)

    def edit(meta_graph: Any) -> None:
        (function,) = meta_graph.graph_def.library.function
        calls = [n for n in meta_graph.graph_def.node if n.attr["f"].func.name]
        function.signature.name = "Identity"
        (constant,) = (n.name for n in function.node_def if n.op == "Const")
        del function.node_def[1:]
        for name in function.ret:
            function.ret[name] = f"{constant}:output:0"
        for node in calls:
            node.op = "Identity"
            node.attr.clear()

    _edited(path, edit)
    host.arm()
    assert found_in(path, tmp_path, SECRET, host.marker) == []
    with pytest.raises(
        compat_hub.ModuleFormatError, match="'Identity', which is the name of an op"
    ):
        compat_hub.load_module_spec(path)


def test_what_stands_before_an_input_that_is_always_fed(tmp_path: Path) -> None:
    def build() -> Any:
        file = v1.placeholder(tf.string, [], "file")
        content = tf.strings.length(tf.io.read_file(file))
        x = tf.identity(tf.fill([2], tf.cast(content, tf.float32)), "x")
        v1.add_to_collection(v1.GraphKeys.REGULARIZATION_LOSSES, tf.reduce_sum(x))
        with tf.control_dependencies([x]):
            two = tf.constant(2.0)
        return {"default": ({"x": x}, {"default": two * x})}

    path = write_module(tmp_path / "module", none=build)
    assert compat_hub.load(path)(VALUES["x"]).numpy().tolist() == [2, 2]
    assert keras3.KerasLayer(path, trainable=True)(VALUES["x"]).numpy().tolist() == [2, 2]
    with tf.Graph().as_default(), v1.Session() as session:
        outputs = compat_hub.Module(path, trainable=True)(VALUES["x"])
        assert session.run(outputs).tolist() == [2, 2]
    assert compat_hub.verify(path).passed


@pytest.mark.parametrize("called_by", ["an attribute", "its name"])
def test_an_attribute_that_the_caller_of_a_function_gives(called_by: str, tmp_path: Path) -> None:
    host = Host(tmp_path)

    def build() -> Any:
        x = _x()

        @tf.function(autograph=False)
        def harmless(x: tf.Tensor) -> tf.Tensor:
            tf.raw_ops.PrintV2(input="evil")  # to the standard error
            return tf.identity(x)

        return {"default": ({"x": x}, {"default": harmless(x)})}

    path = write_module(tmp_path / "module", none=build)

    def edit(meta_graph: Any) -> None:
        (function,) = meta_graph.graph_def.library.function
        function.signature.attr.add(name="where", type="string")
        (print_node,) = (n for n in function.node_def if n.op == "PrintV2")
        print_node.attr["output_stream"].placeholder = "where"
        (call,) = (n for n in meta_graph.graph_def.node if n.attr["f"].func.name)
        attrs = call.attr["f"].func.attr
        if called_by == "its name":
            call.op = call.attr["f"].func.name
            call.attr.clear()
            attrs = call.attr
        attrs["where"].s = f"file://{host.marker}".encode()

    _edited(path, edit)
    host.arm()
    assert found_in(path, tmp_path, SECRET, host.marker) == []
    with pytest.raises(compat_hub.ModuleFormatError, match="'output_stream' of the node"):
        compat_hub.load(path)


def _rename_asset(path: str, name: str) -> None:
    def edit(meta_graph: Any) -> None:
        (packed,) = meta_graph.collection_def["saved_model_assets"].any_list.value
        asset = type(meta_graph)().asset_file_def.add()
        packed.Unpack(asset)
        asset.filename = name
        packed.Pack(asset)

    _edited(path, edit)


@pytest.mark.parametrize("name", ["a://link", "ab://link", "none/../link", "./link", "a:/..//link"])
def test_a_link_under_another_name(name: str, tmp_path: Path) -> None:
    host = Host(tmp_path)
    path = _with_own_asset(tmp_path, tf.io.read_file)
    _rename_asset(path, name)
    for folder in (".", "a:", "ab:"):
        (Path(path, "assets") / folder).mkdir(exist_ok=True)
        (Path(path, "assets") / folder / "link").symlink_to(host.secret)
    host.arm()
    assert found_in(path, tmp_path, SECRET, host.marker) == []
    with pytest.raises(compat_hub.UnsafeModuleError, match="behind a link"):
        compat_hub.load(path)


def test_an_asset_behind_a_link_to_a_folder_and_back(tmp_path: Path) -> None:
    host = Host(tmp_path)
    path = _with_own_asset(tmp_path, tf.io.read_file)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/below").mkdir()
    os.rename(host.secret, tmp_path / "elsewhere/words")
    host.secret = tmp_path / "elsewhere/words"
    _rename_asset(path, "away/../words")
    Path(path, "assets/away").symlink_to(tmp_path / "elsewhere/below")
    host.arm()
    assert found_in(path, tmp_path, SECRET, host.marker) == []


def test_an_asset_with_a_name_that_no_file_has(tmp_path: Path) -> None:
    path = _with_own_asset(tmp_path, tf.io.read_file)
    _rename_asset(path, "wor\0ds")
    with pytest.raises(compat_hub.ModuleFormatError, match="a name that no file has"):
        compat_hub.load_module_spec(path)


def test_a_vocabulary_that_is_said_to_be_longer_than_its_file(tmp_path: Path) -> None:
    def read(size: int) -> Callable[[tf.Tensor], Any]:
        def build(asset: tf.Tensor) -> Any:
            table = tf.raw_ops.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64)
            init = tf.raw_ops.InitializeTableFromTextFileV2(
                table_handle=table, filename=asset, key_index=-2, value_index=-1, vocab_size=size
            )
            v1.add_to_collection(v1.GraphKeys.TABLE_INITIALIZERS, init)
            return tf.raw_ops.LookupTableFindV2(
                table_handle=table, keys=["own"], default_value=tf.constant(-1, tf.int64)
            )

        return build

    for name, size in {"true": 1, "long": 2**45}.items():
        (tmp_path / name).mkdir()
        path = _with_own_asset(tmp_path / name, read(size))
        if name == "true":
            assert compat_hub.load(path)([1.0], as_dict=True)["read"].numpy() == [0]
        else:  # TensorFlow would end the process
            with pytest.raises(compat_hub.ModuleFormatError, match="35,184,372,088,832 lines"):
                compat_hub.load(path)
