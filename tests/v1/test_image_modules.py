from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf
from google.protobuf import wrappers_pb2

import compat_hub

tf1 = tf.compat.v1


def _spec(
    shape: Any,
    size: tuple[int, int] | None = None,
    name: str = "images",
    signature: str | None = None,
    attached: Any = None,
) -> compat_hub.ModuleSpec:
    def module_fn() -> None:
        images = tf1.placeholder(tf.float32, shape)
        compat_hub.add_signature(signature, {name: images}, tf.negative(images))
        if size is not None:
            info = compat_hub.ImageModuleInfo()
            info.default_image_size.height, info.default_image_size.width = size
            compat_hub.attach_image_module_info(info)
        if attached is not None:
            compat_hub.attach_message("image_module_info", attached)

    return compat_hub.create_module_spec(module_fn)


def _in_a_graph(spec: compat_hub.ModuleSpec) -> compat_hub.Module:
    with tf.Graph().as_default():
        return compat_hub.Module(spec)


KINDS = pytest.mark.parametrize(
    "kind", [lambda spec: spec, compat_hub.load, _in_a_graph], ids=["spec", "HubModule", "Module"]
)


def test_the_message() -> None:
    info = compat_hub.ImageModuleInfo()
    assert not info.HasField("default_image_size")
    info.default_image_size.height = 224
    info.default_image_size.width = 160
    # As tensorflow_hub's own class writes it.
    assert info.SerializeToString().hex() == "0a0608e00110a001"
    assert compat_hub.ImageModuleInfo.FromString(info.SerializeToString()) == info
    assert pickle.loads(pickle.dumps(info)) == info
    assert copy.deepcopy(info) == info


@KINDS
@pytest.mark.parametrize(
    ("shape", "size", "expected"),
    [
        ([None, 30, 40, 3], None, [30, 40]),
        ([8, 30, 40, None], None, [30, 40]),
        ([None, None, None, 3], (50, 60), [50, 60]),
        ([None, 30, 40, 3], (50, 60), [50, 60]),
        ([None, 30, 40, 3], (50, 0), [30, 40]),
        (None, (50, 60), [50, 60]),
    ],
)
def test_the_size(kind: Callable[..., Any], shape: Any, size: Any, expected: list[int]) -> None:
    found = compat_hub.get_expected_image_size(kind(_spec(shape, size)))
    assert found == expected
    assert all(type(value) is int for value in found)


@KINDS
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_the_channels(kind: Callable[..., Any], channels: int) -> None:
    module = kind(_spec([None, None, None, channels], (10, 20)))
    assert compat_hub.get_num_image_channels(module) == channels


@KINDS
def test_other_names(kind: Callable[..., Any]) -> None:
    module = kind(_spec([None, 10, 20, 4], name="p", signature="pictures"))
    found = compat_hub.get_expected_image_size(module, signature="pictures", input_name="p")
    assert found == [10, 20]
    assert compat_hub.get_num_image_channels(module, "pictures", "p") == 4


@pytest.mark.parametrize(
    "shape", [None, [None, 30, 40], [None, None, 40, None], [None, 30, None, None]]
)
def test_what_the_module_does_not_tell(shape: Any) -> None:
    spec = _spec(shape)
    message = r"input 'images' of the signature 'default' of .* the shape .* ImageModuleInfo"
    with pytest.raises(compat_hub.SignatureError, match=message):
        compat_hub.get_expected_image_size(spec)
    with pytest.raises(compat_hub.SignatureError, match=r"with a number of channels"):
        compat_hub.get_num_image_channels(spec)


@KINDS
@pytest.mark.parametrize("name", ["get_expected_image_size", "get_num_image_channels"])
def test_names_that_do_not_exist(kind: Callable[..., Any], name: str) -> None:
    function = getattr(compat_hub, name)
    module = kind(_spec([None, 10, 20, 3], name="photos"))
    message = "no input 'images' .* has the inputs 'photos': pass .* as `input_name`"
    with pytest.raises(ValueError, match=message) as info:
        function(module)
    assert isinstance(info.value, compat_hub.SignatureError)
    with pytest.raises(compat_hub.SignatureError, match="no input 'x' of the signature 'default'"):
        function(module, input_name="x")
    with pytest.raises(compat_hub.UnknownNameError, match="no signature 'other'"):
        function(module, signature="other")


def test_an_attached_message_of_another_kind() -> None:
    broken = wrappers_pb2.StringValue(value="no size")
    with pytest.raises(ValueError, match=r"'image_module_info' .* is not a ImageModuleInfo"):
        compat_hub.get_expected_image_size(_spec([None, 10, 20, 3], attached=broken))


@pytest.mark.parametrize("value", ["path/to/module", None, 5])
def test_what_is_no_module(value: Any) -> None:
    for function in (compat_hub.get_expected_image_size, compat_hub.get_num_image_channels):
        with pytest.raises(compat_hub.InputTypeError, match=r"load_module_spec\(path\)"):
            function(value)


def test_only_messages_are_attached() -> None:
    with tf.Graph().as_default(), pytest.raises(compat_hub.InputTypeError, match="found a dict"):
        compat_hub.attach_image_module_info({"height": 1})
