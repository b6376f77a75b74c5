"""The three messages of the `tensorflow_hub` protobuf package.

They are built from descriptors in a pool of their own: no generated code that ties the project to
one protobuf version, and no clash with tensorflow_hub's own copy in the default pool.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field = descriptor_pb2.FieldDescriptorProto


def _add_field(
    message: Any,
    name: str,
    number: int,
    kind: Any,
    type_name: str | None = None,
    repeated: bool = False,
) -> None:
    message.field.add(
        name=name,
        number=number,
        type=kind,
        type_name=type_name,
        label=_Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL,
    )


def _file_descriptor() -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name="compat_hub/tensorflow_hub.proto", package="tensorflow_hub", syntax="proto3"
    )

    module_def = file.message_type.add(name="ModuleDef")
    formats = module_def.enum_type.add(name="Format")
    formats.value.add(name="FORMAT_UNSPECIFIED", number=0)
    formats.value.add(name="FORMAT_V3", number=3)
    _add_field(module_def, "format", 1, _Field.TYPE_ENUM, ".tensorflow_hub.ModuleDef.Format")
    _add_field(module_def, "required_features", 2, _Field.TYPE_STRING, repeated=True)

    attachment = file.message_type.add(name="ModuleAttachment")
    _add_field(attachment, "key", 1, _Field.TYPE_STRING)
    _add_field(attachment, "value", 2, _Field.TYPE_BYTES)

    image_info = file.message_type.add(name="ImageModuleInfo")
    size = image_info.nested_type.add(name="InputSize")
    _add_field(size, "height", 1, _Field.TYPE_INT32)
    _add_field(size, "width", 2, _Field.TYPE_INT32)
    _add_field(
        image_info,
        "default_image_size",
        1,
        _Field.TYPE_MESSAGE,
        ".tensorflow_hub.ImageModuleInfo.InputSize",
    )
    return file


_POOL = descriptor_pool.DescriptorPool()
_POOL.AddSerializedFile(_file_descriptor().SerializeToString())


def _message_class(name: str) -> Any:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"tensorflow_hub.{name}"))


ModuleDef = _message_class("ModuleDef")
ModuleAttachment = _message_class("ModuleAttachment")
ImageModuleInfo = _message_class("ImageModuleInfo")
