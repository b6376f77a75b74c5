"""Reading modules that are whole; test_bad_input.py has the others."""

from __future__ import annotations

import copy
import threading
from pathlib import Path

import pytest
import tensorflow as tf
from google.protobuf import text_format

import compat_hub
from compat_hub import protos
from compat_hub.spec import normalize_tags
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
