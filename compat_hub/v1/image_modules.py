"""What a module for images says of the images that it expects."""

from __future__ import annotations

from typing import Any

from compat_hub.errors import InputTypeError, SignatureError
from compat_hub.format import protos
from compat_hub.format.spec import ModuleSpec
from compat_hub.hub_module.hub_module import HubModule
from compat_hub.v1.authoring.signatures import attach_message
from compat_hub.v1.module import Module

# As tensorflow_hub writes it.
_KEY = "image_module_info"

ImageModuleInfo = protos.ImageModuleInfo
ImageModuleInfo.__module__ = __name__
ImageModuleInfo.__doc__ = """A protocol message on the images that a module is made for.

It has one field, `default_image_size`, a message with the fields `height` and `width`, in pixels.

Examples:
    >>> info = compat_hub.ImageModuleInfo(default_image_size={"height": 224, "width": 299})
    >>> info.default_image_size.width
    299
"""


def attach_image_module_info(info: Any) -> None:
    """Attaches an `ImageModuleInfo` to the module that is being defined, inside a `module_fn`.

    For modules that take images of any size, where the shape of the input does not tell which size
    they are made for.

    Examples:
        >>> def module_fn():
        ...     images = tf.compat.v1.placeholder(tf.float32, [None, None, None, 3])
        ...     means = tf.reduce_mean(images, [1, 2])
        ...     compat_hub.add_signature(inputs={"images": images}, outputs=means)
        ...     info = compat_hub.ImageModuleInfo()
        ...     info.default_image_size.height = 224
        ...     info.default_image_size.width = 224
        ...     compat_hub.attach_image_module_info(info)
        >>> compat_hub.get_expected_image_size(compat_hub.create_module_spec(module_fn))
        [224, 224]

    Args:
        info: The `ImageModuleInfo`.

    Raises:
        InputTypeError: `info` is not a protocol message.
    """
    attach_message(_KEY, info)


def get_expected_image_size(
    module_or_spec: Module | ModuleSpec | HubModule,
    signature: str | None = None,
    input_name: str | None = None,
) -> list[int]:
    """The size of the images that a module expects.

    It is what the attached `ImageModuleInfo` says, otherwise what the shape of the input says.

    Examples:
        >>> module = compat_hub.load("path/to/image_module")
        >>> size = compat_hub.get_expected_image_size(module)
        >>> size
        [8, 8]
        >>> module(tf.image.resize(tf.ones([5, 480, 640, 3]), size)).shape
        TensorShape([5, 4])

    Args:
        module_or_spec: A `HubModule`, a `Module` or a `ModuleSpec`.
        signature: The signature's name, `"default"` when None.
        input_name: The name of its input for images, `"images"` when None.

    Returns:
        `[height, width]` in pixels.

    Raises:
        UnknownNameError: There is no such signature.
        SignatureError: There is no such input, or the module does not tell the size.
        InputTypeError: `module_or_spec` is something else.
    """
    _check_type(module_or_spec)
    info = module_or_spec.get_attached_message(_KEY, ImageModuleInfo)
    if info is not None:
        size = info.default_image_size
        if size.height and size.width:
            return [size.height, size.width]
    shape = _image_shape(module_or_spec, signature, input_name)
    # Not shape[1]: in a program that disables v2 behavior that is an object of TF1.
    sizes: Any = shape.as_list() if shape.rank == 4 else [None] * 4
    if not sizes[1] or not sizes[2]:
        raise SignatureError(
            f"{_where(module_or_spec, signature, input_name)} has the shape {shape} and "
            "not [batch, height, width, channels] with a height and a width, and no "
            "ImageModuleInfo is attached that gives them. Choose a size that the module's "
            "documentation names."
        )
    return sizes[1:3]


def get_num_image_channels(
    module_or_spec: Module | ModuleSpec | HubModule,
    signature: str | None = None,
    input_name: str | None = None,
) -> int:
    """The number of channels of the images that a module expects: 3 for red, green and blue.

    Examples:
        >>> compat_hub.get_num_image_channels(compat_hub.load_module_spec("path/to/image_module"))
        3

    Args:
        module_or_spec: A `HubModule`, a `Module` or a `ModuleSpec`.
        signature: The signature's name, `"default"` when None.
        input_name: The name of its input for images, `"images"` when None.

    Returns:
        The number.

    Raises:
        UnknownNameError: There is no such signature.
        SignatureError: There is no such input, or the module does not tell the number.
        InputTypeError: `module_or_spec` is something else.
    """
    _check_type(module_or_spec)
    shape = _image_shape(module_or_spec, signature, input_name)
    channels = shape.as_list()[3] if shape.rank == 4 else None
    if channels is None:
        raise SignatureError(
            f"{_where(module_or_spec, signature, input_name)} has the shape {shape} and "
            "not [batch, height, width, channels] with a number of channels. See the module's "
            "documentation for the images that it takes."
        )
    return channels


def _check_type(module_or_spec: Any) -> None:
    if not isinstance(module_or_spec, Module | ModuleSpec | HubModule):
        raise InputTypeError(
            f"Expected a HubModule, a Module or a ModuleSpec, found a "
            f"{type(module_or_spec).__name__}. Of a path, pass compat_hub.load_module_spec(path)."
        )


def _image_shape(
    module_or_spec: Module | ModuleSpec | HubModule, signature: str | None, input_name: str | None
) -> Any:
    infos = module_or_spec.get_input_info_dict(signature)
    name = input_name or "images"
    if name not in infos:
        raise SignatureError(
            f"There is no {_where(module_or_spec, signature, input_name)}. The signature has the "
            f"inputs {', '.join(map(repr, infos)) or 'none'}: pass the one for images as "
            "`input_name`."
        )
    return infos[name].get_shape()


def _where(module_or_spec: Any, signature: str | None, input_name: str | None) -> str:
    return (
        f"input {input_name or 'images'!r} of the signature {signature or 'default'!r} of "
        f"{module_or_spec!r}"
    )
