"""Reading and writing modules that are whole; test_bad_input.py has the others."""

from __future__ import annotations

import copy
import threading
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from google.protobuf import text_format

import compat_hub
from compat_hub.format import protos
from compat_hub.format.spec import normalize_tags
from tests.records import FIXTURES

TRAIN = frozenset({"train"})


def _spec(name: str) -> compat_hub.ModuleSpec:
    return compat_hub.load_module_spec(FIXTURES / name / "module")


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (None, set()),
        ([], set()),
        (set(), set()),
        ("train", {"train"}),
        ("", {""}),
        (["b", "a", "b"], {"a", "b"}),
        (("a",), {"a"}),
        (frozenset("ab"), {"a", "b"}),
        ((tag for tag in "ab"), {"a", "b"}),
    ],
)
def test_normalize_tags(tags: object, expected: set[str]) -> None:
    assert normalize_tags(tags) == frozenset(expected)


def test_tags() -> None:
    assert _spec("fruit").get_tags() == [frozenset()]
    assert _spec("image_bn").get_tags() == [frozenset(), TRAIN]
    assert _spec("train_only_tags").get_tags() == [frozenset({"serve"}), TRAIN]
    assert _spec("aux_variant").get_tags() == [frozenset(), frozenset({"gpu", "small"}), TRAIN]


def test_signature_names() -> None:
    assert _spec("fruit").get_signature_names() == ["default", "fruit_to_pet"]
    for tags in (None, [], "train", {"train"}):
        names = _spec("image_bn").get_signature_names(tags)
        assert names == ["default", "image_feature_vector"]
    assert "with:colon" in _spec("names").get_signature_names()


def test_infos() -> None:
    spec = _spec("fruit")
    inputs = spec.get_input_info_dict("fruit_to_pet")
    assert {name: str(info) for name, info in inputs.items()} == {
        "apples": "float32 [None, 4]",
        "oranges": "float32 [None, 3]",
    }
    outputs = spec.get_output_info_dict("fruit_to_pet")
    assert {name: str(info) for name, info in outputs.items()} == {
        "cats": "float32 [None, 2]",
        "dogs": "float32 [None, 3]",
        "hidden": "float32 [None, 5]",
    }
    assert list(spec.get_input_info_dict()) == list(spec.get_output_info_dict()) == ["default"]


def test_infos_of_a_variant() -> None:
    spec = _spec("aux_variant")
    assert list(spec.get_output_info_dict(tags="train")) == ["aux", "default"]
    assert list(spec.get_output_info_dict()) == ["default"]
    assert str(spec.get_output_info_dict(tags=["small", "gpu"])["default"]) == "float32 [None, 3]"


def test_infos_of_every_kind() -> None:
    inputs = _spec("sparse_io").get_input_info_dict()
    assert inputs["sparse"].is_sparse
    assert not inputs["scale"].is_composite
    assert _spec("ragged_io").get_output_info_dict()["scaled"].is_composite
    assert _spec("constant").get_input_info_dict() == {}
    dtypes = {n: i.dtype.name for n, i in _spec("dtypes").get_input_info_dict().items()}
    assert all(name == dtype for name, dtype in dtypes.items())
    assert len(dtypes) == 8


def test_what_is_returned_may_be_changed() -> None:
    spec = _spec("fruit")
    spec.get_input_info_dict().clear()
    spec.get_output_info_dict().clear()
    spec.get_signature_names().clear()
    spec.get_tags().clear()
    assert spec.get_tags() == [frozenset()]
    assert spec.get_signature_names() == ["default", "fruit_to_pet"]
    assert list(spec.get_input_info_dict()) == list(spec.get_output_info_dict()) == ["default"]


def test_what_it_holds_may_not() -> None:
    spec = _spec("fruit")
    with pytest.raises(TypeError):
        spec.variants[TRAIN] = spec.variant()
    with pytest.raises(TypeError):
        spec.variant().signatures["x"] = spec.signature()
    with pytest.raises(TypeError):
        spec.signature().inputs["x"] = None


def test_unknown_names() -> None:
    spec = _spec("image_bn")
    with pytest.raises(compat_hub.UnknownNameError, match=r'{"gpu"}.*It has: set\(\), {"train"}'):
        spec.get_signature_names("gpu")
    with pytest.raises(
        compat_hub.UnknownNameError, match=r"'x'.*'default', 'image_feature_vector'"
    ):
        spec.get_input_info_dict("x", "train")
    with pytest.raises(compat_hub.UnknownNameError, match="'x'"):
        spec.get_output_info_dict("x")
    with pytest.raises(compat_hub.UnknownNameError, match="''"):
        spec.signature("")


def test_attached_messages() -> None:
    spec = _spec("image_bn")
    for tags in (None, "train"):
        info = spec.get_attached_message("image_module_info", protos.ImageModuleInfo, tags)
        assert (info.default_image_size.height, info.default_image_size.width) == (8, 8)
    assert spec.get_attached_message("other", protos.ImageModuleInfo) is None
    with pytest.raises(compat_hub.UnknownNameError, match=r"'other'.*'image_module_info'"):
        spec.get_attached_message("other", protos.ImageModuleInfo, required=True)
    with pytest.raises(compat_hub.UnknownNameError, match="none at all"):
        _spec("fruit").get_attached_message("other", protos.ImageModuleInfo, required=True)
    with pytest.raises(compat_hub.UnknownNameError, match="gpu"):
        spec.get_attached_message("image_module_info", protos.ImageModuleInfo, "gpu")


def test_an_attached_message_of_another_type(copy_of) -> None:
    copy = copy_of("fruit")
    attachment = protos.ModuleAttachment(key="k", value=b"\x0a\xff\xff\xff\xff\xff\x0f")
    with copy.meta_graph() as meta_graph:
        values = meta_graph.collection_def["hub_module_attachments"].bytes_list.value
        values.append(attachment.SerializeToString())
    spec = compat_hub.load_module_spec(copy.path)
    with pytest.raises(compat_hub.SignatureError, match=r"'k'.*not a ImageModuleInfo"):
        spec.get_attached_message("k", protos.ImageModuleInfo)


def test_a_text_proto(copy_of) -> None:
    copy = copy_of("image_bn")
    with copy.saved_model() as saved_model:
        copy.file("saved_model.pbtxt").write_text(text_format.MessageToString(saved_model))
    copy.file("saved_model.pb").unlink()
    found, expected = compat_hub.load_module_spec(copy.path), _spec("image_bn")
    assert found.get_tags() == expected.get_tags()
    for tags in expected.get_tags():
        assert found.variant(tags).variables == expected.variant(tags).variables
        assert found.variant(tags).meta_graph == expected.variant(tags).meta_graph


def test_a_binary_proto_goes_before_a_text_proto(copy_of) -> None:
    copy = copy_of("fruit")
    copy.file("saved_model.pbtxt").write_text("garbage")
    assert compat_hub.load_module_spec(copy.path).get_tags() == [frozenset()]


def test_handles(copy_of) -> None:
    copy = copy_of("fruit")
    spec = compat_hub.load_module_spec(f"{copy.path}/")
    assert (spec.handle, spec.path) == (f"{copy.path}/", copy.path)
    assert compat_hub.load_module_spec(spec) is spec
    spec = compat_hub.load_module_spec(Path(copy.path))
    assert (spec.handle, spec.path) == (copy.path, copy.path)


def test_a_plain_saved_model_has_no_spec(tmp_path: Path) -> None:
    tf.saved_model.save(tf.Module(), str(tmp_path))
    with pytest.raises(compat_hub.ModuleFormatError, match=r"tfhub_module\.pb.*compat_hub\.load"):
        compat_hub.load_module_spec(tmp_path)


def test_reading_makes_no_graph_and_no_tensor(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("TensorFlow was used")

    for name in ("Graph", "Variable", "constant", "import_graph_def"):
        monkeypatch.setattr(tf, name, fail, raising=False)
    monkeypatch.setattr(tf.compat.v1, "wrap_function", fail)
    monkeypatch.setattr(tf.train, "load_checkpoint", fail)
    assert _spec("image_bn").get_signature_names()


def test_a_damaged_checkpoint_does_not_matter(copy_of) -> None:
    copy = copy_of("fruit")
    copy.file("variables/variables.index").unlink()
    assert compat_hub.load_module_spec(copy.path).get_signature_names()


def test_repr() -> None:
    path = str(FIXTURES / "image_bn/module")
    signatures = "default, image_feature_vector"
    assert repr(_spec("image_bn")) == (
        f'<compat_hub.ModuleSpec {path!r} (set(): {signatures}, {{"train"}}: {signatures})>'
    )


def test_threads_may_read_it() -> None:
    spec = _spec("image_bn")
    results: list[object] = []

    def read() -> None:
        variant = spec.variant("train")
        results.append((variant.library_digest, variant.variables_by_node.keys()))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert all(result == results[0] for result in results)


def test_a_copy_is_the_same_spec() -> None:
    spec = compat_hub.load_module_spec(str(FIXTURES / "fruit" / "module"))
    assert copy.deepcopy({"spec": spec})["spec"] is spec
    assert copy.copy(spec) is spec


def _partitioned() -> None:
    v1 = tf.compat.v1
    x = v1.placeholder(tf.float32, [None])
    parts = v1.get_variable("w", [5], partitioner=v1.fixed_size_partitioner(2))
    bias = v1.get_variable("scope/bias", [])
    y = tf.reduce_sum(tf.convert_to_tensor(parts)) * x + bias
    compat_hub.add_signature(inputs=x, outputs=y)


def _checkpoint(prefix: Path, **values: float | list[float]) -> str:
    names = [name.replace("__", "/") for name in values]
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=[tf.constant(value) for value in values.values()],
    )
    return str(prefix)


@pytest.mark.parametrize("mode", ["eager", "graph"])
@pytest.mark.parametrize("scope", ["", "outer/"])
def test_export_from_a_checkpoint(mode: str, scope: str, tmp_path: Path) -> None:
    spec = compat_hub.create_module_spec(_partitioned)
    values = {"w": [1.0, 2.0, 3.0, 4.0, 5.0], "scope__bias": 7.0, "unused": 1.0}
    prefix = scope.replace("/", "__")
    values = {prefix + key: value for key, value in values.items()}
    checkpoint = _checkpoint(tmp_path / "c", **values)
    rename = (lambda name: scope + name) if scope else None

    def export() -> None:
        found = spec.export(
            tmp_path / "module", checkpoint_path=checkpoint, name_transform_fn=rename
        )
        assert found is None

    if mode == "graph":
        with tf.Graph().as_default() as graph:
            export()
            assert not graph.get_operations()
    else:
        export()
    module = compat_hub.load(tmp_path / "module")
    assert [v.numpy().tolist() for v in module.variable_map["w"]] == [[1.0, 2.0, 3.0], [4.0, 5.0]]
    assert module([2.0]).numpy().tolist() == [37.0]
    # As a session of TensorFlow 1 restores it.
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        y = compat_hub.Module(tmp_path / "module")([2.0])
        session.run(tf.compat.v1.global_variables_initializer())
        assert session.run(y).tolist() == [37.0]


def test_export_of_what_was_read(copy_of, tmp_path: Path) -> None:
    copy = copy_of("fruit")
    with copy.checkpoint() as values:
        checkpoint = _checkpoint(
            tmp_path / "c", **{n.replace("/", "__"): v for n, v in values.items()}
        )
        zeros = {name: 0 * value for name, value in values.items()}
        values.update(zeros)
    spec = compat_hub.load_module_spec(copy.path)
    spec.export(tmp_path / "module", checkpoint_path=checkpoint)
    x = tf.ones([1, 5])
    assert not compat_hub.load(copy.path)(x).numpy().any()
    written = compat_hub.load(tmp_path / "module")(x).numpy()
    assert written.tolist() == compat_hub.load(FIXTURES / "fruit" / "module")(x).numpy().tolist()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, compat_hub.InputTypeError, "takes a `checkpoint_path`, passed by name"),
        ({"checkpoint_path": ""}, compat_hub.InputTypeError, "`checkpoint_path`"),
        ({"checkpoint_path": 3}, compat_hub.InputTypeError, "`checkpoint_path`"),
        ({"_sentinel": "{}/c"}, compat_hub.InputTypeError, "passed by name"),
        ({"checkpoint_path": "{}/none"}, compat_hub.ResolveError, "none' cannot be opened"),
        ({"checkpoint_path": "{}"}, compat_hub.ResolveError, "names its latest checkpoint"),
        ({"checkpoint_path": "{}/lacks"}, compat_hub.UnknownNameError, "'scope/bias' is not in"),
        ({"checkpoint_path": "{}/shape"}, compat_hub.SignatureError, r"'w' is float32 \(5,\)"),
    ],
)
def test_exports_that_are_refused(
    arguments: dict[str, Any], error: type[Exception], message: str, tmp_path: Path
) -> None:
    spec = compat_hub.create_module_spec(_partitioned)
    _checkpoint(tmp_path / "lacks", w=[1.0] * 5)
    _checkpoint(tmp_path / "shape", w=[1.0], scope__bias=1.0)
    before = sorted(tmp_path.iterdir())
    arguments = {
        key: value.format(tmp_path) if isinstance(value, str) else value
        for key, value in arguments.items()
    }
    with pytest.raises(error, match=message):
        spec.export(tmp_path / "module", **arguments)
    assert sorted(tmp_path.iterdir()) == before


def test_export_needs_the_variant_without_tags(tmp_path: Path) -> None:
    spec = compat_hub.create_module_spec(_partitioned, [("train", {})])
    with pytest.raises(compat_hub.UnknownNameError, match=r'set\(\).*It has: {"train"}'):
        spec.export(tmp_path / "module", checkpoint_path=_checkpoint(tmp_path / "c", w=1.0))


def test_export_over_what_is_there(tmp_path: Path) -> None:
    spec = compat_hub.create_module_spec(_partitioned)
    checkpoint = _checkpoint(tmp_path / "c", w=[1.0] * 5, scope__bias=1.0)
    (tmp_path / "module").mkdir()
    spec.export(tmp_path / "module", checkpoint_path=checkpoint)
    before = sorted((tmp_path / "module").rglob("*"))
    with pytest.raises(compat_hub.PathExistsError):
        spec.export(tmp_path / "module", checkpoint_path=checkpoint)
    assert sorted((tmp_path / "module").rglob("*")) == before


def test_export_without_variables(tmp_path: Path) -> None:
    _spec("no_variables").export(tmp_path / "module", checkpoint_path=tmp_path / "not_read")
    names = sorted(path.name for path in (tmp_path / "module").iterdir())
    assert names == ["saved_model.pb", "tfhub_module.pb"]


def test_what_is_written_is_what_was_read(tmp_path: Path) -> None:
    spec = _spec("text_two_assets")
    path = spec.write(tmp_path / "module", None)
    assert path == str(tmp_path / "module")
    found = compat_hub.load_module_spec(path)
    assert found.get_tags() == spec.get_tags()
    for tags in spec.get_tags():
        assert found.variant(tags).meta_graph == spec.variant(tags).meta_graph
    for name, file in spec.asset_files.items():
        assert Path(found.asset_files[name]).read_bytes() == Path(file).read_bytes()


def test_writing_does_not_change_the_spec(tmp_path: Path) -> None:
    spec = compat_hub.create_module_spec(_partitioned)
    before = spec.variant().meta_graph.SerializeToString(deterministic=True)
    for name in ("first", "second"):
        spec.write(tmp_path / name, lambda prefix: Path(f"{prefix}.index").touch())
    assert spec.variant().meta_graph.SerializeToString(deterministic=True) == before
    first, second = (
        (tmp_path / name / "saved_model.pb").read_bytes() for name in ("first", "second")
    )
    assert first == second
