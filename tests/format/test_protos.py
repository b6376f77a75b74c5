from __future__ import annotations

import subprocess
import sys

import pytest
from google.protobuf import text_format

from compat_hub.format import protos
from tests.records import FIXTURES


def test_the_wire_format_of_a_module_def() -> None:
    message = protos.ModuleDef.FromString(b"\x08\x03\x12\x03abc\x12\x01d")
    assert message.format == protos.ModuleDef.FORMAT_V3 == 3
    assert list(message.required_features) == ["abc", "d"]
    assert message.SerializeToString() == b"\x08\x03\x12\x03abc\x12\x01d"


def test_a_format_of_the_future_is_kept() -> None:
    assert protos.ModuleDef.FromString(b"\x08\x09").format == 9


def test_what_tensorflow_hub_wrote() -> None:
    data = (FIXTURES / "fruit/module/tfhub_module.pb").read_bytes()
    message = protos.ModuleDef.FromString(data)
    assert message.format == protos.ModuleDef.FORMAT_V3
    assert message.SerializeToString() == data


def test_the_wire_format_of_an_attachment() -> None:
    message = protos.ModuleAttachment.FromString(b"\x0a\x01k\x12\x02\xff\x00")
    assert (message.key, message.value) == ("k", b"\xff\x00")


def test_image_module_info() -> None:
    message = protos.ImageModuleInfo()
    message.default_image_size.height = 224
    message.default_image_size.width = 192
    assert message.SerializeToString() == b"\x0a\x06\x08\xe0\x01\x10\xc0\x01"
    text = text_format.MessageToString(message)
    assert text_format.Parse(text, protos.ImageModuleInfo()) == message


def test_names_are_those_of_tensorflow_hub() -> None:
    for name in ("ModuleDef", "ModuleAttachment", "ImageModuleInfo"):
        assert getattr(protos, name).DESCRIPTOR.full_name == f"tensorflow_hub.{name}"


def test_messages_do_not_clash_with_tensorflow_hub_s_own() -> None:
    # tensorflow_hub registers descriptors of the same names in the default pool.
    code = """
from google.protobuf import descriptor_pb2, descriptor_pool
from compat_hub.format import protos
file = descriptor_pb2.FileDescriptorProto(
    name="tensorflow_hub/module_def.proto", package="tensorflow_hub", syntax="proto3")
file.message_type.add(name="ModuleDef").field.add(name="other", number=1, type=9, label=1)
pool = descriptor_pool.Default()
pool.AddSerializedFile(file.SerializeToString())
assert pool.FindMessageTypeByName("tensorflow_hub.ModuleDef").fields[0].name == "other"
assert protos.ModuleDef(format=3).format == 3
print("fine")
"""
    run = [sys.executable, "-c", code]
    assert subprocess.run(run, capture_output=True, text=True, check=True).stdout == "fine\n"


def test_fields_are_checked() -> None:
    with pytest.raises(ValueError, match="no_such_field"):
        protos.ModuleDef(no_such_field=1)
