"""Image files as what a signature takes."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from compat_hub.common.extras import install_command
from compat_hub.errors import InputTypeError, ResolveError
from compat_hub.format.tensor_info import TensorInfo

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp")
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def find_images(place: str) -> list[str] | None:
    """The image files of a path, a folder or a pattern; None where it is none of these.

    They come in natural order: img2 before img10.

    Raises:
        ResolveError: The folder or pattern has no image files.
    """
    if os.path.isdir(place):
        paths = [os.path.join(place, name) for name in os.listdir(place)]
    elif is_image(place):
        paths = [place] if os.path.exists(place) else glob.glob(place)
        if not paths:
            raise ResolveError(f"There is no image file {place!r}. Check the path.")
    elif glob.has_magic(place) and not place.startswith("["):
        paths = glob.glob(place)
    else:
        return None
    found = [path for path in paths if is_image(path) and os.path.isfile(path)]
    found.sort(key=_natural_order)
    if not found:
        raise ResolveError(
            f"There are no image files in {place!r}: none ends in {', '.join(IMAGE_SUFFIXES)}."
        )
    return found


def _natural_order(path: str) -> list[Any]:
    """Numbers count as numbers, at the odd places of the list."""
    parts: list[Any] = re.split(r"(\d+)", path)
    parts[1::2] = map(int, parts[1::2])
    return [parts, path]


def is_image(path: str) -> bool:
    """Whether a path is called as image files are."""
    return path.lower().endswith(IMAGE_SUFFIXES)


def read_image(path: str, name: str, info: TensorInfo, size: Sequence[int] | None) -> np.ndarray:
    """Reads an image as one row of an input.

    It is turned as its camera says, and scaled with `tf.image.resize`: bilinear, antialiased,
    without regard to the aspect ratio. Values are in [0, 1], as TensorFlow Hub's common signatures
    for images ask; integers, where the input takes those, are from 0 to 255. An input of strings
    gets the file as it is.

    Args:
        path: The file.
        name: The input's name.
        info: The input.
        size: `[height, width]` in pixels, None for an input of strings.

    Returns:
        An array of shape [height, width, channels].

    Raises:
        ResolveError: The file cannot be read.
        InputTypeError: The input takes no images.
    """
    if info.dtype == tf.string:
        try:
            with open(path, "rb") as file:
                return np.array(file.read(), object)
        except OSError as error:
            raise ResolveError(f"{path!r} cannot be read: {error}") from error
    shape = info.get_shape()
    channels = shape[-1] if shape.rank == 4 and shape[-1] is not None else 3
    if shape.rank not in {4, None} or channels not in _MODES or info.is_composite or size is None:
        raise InputTypeError(
            f"Input {name!r}: expected {info}, found the image {path!r}. Images are for inputs of "
            "shape [batch, height, width, channels] with 1, 3 or 4 channels, and for strings."
        )
    pixels = _decode(path, _MODES[channels])
    pixels = pixels.reshape([*pixels.shape[:2], channels])
    if tuple(pixels.shape[:2]) == tuple(size):
        scaled = pixels.astype(np.float32)
    else:
        scaled = np.asarray(tf.image.resize(pixels, size, antialias=True))
    if info.dtype.is_integer:
        return np.clip(np.rint(scaled), 0, 255).astype(info.dtype.as_numpy_dtype)
    return (scaled / np.float32(255)).astype(info.dtype.as_numpy_dtype)


def _decode(path: str, mode: str) -> np.ndarray:
    """The pixels, as bytes."""
    try:
        from PIL import Image, ImageOps  # noqa: PLC0415
    except ImportError as error:
        raise ResolveError(f"Reading {path!r} needs Pillow: {install_command('images')}") from error
    try:
        with Image.open(path) as opened:
            image: Any = opened
            if opened.mode.startswith("I"):  # 16 bits, which convert() would cut off at 255
                image = Image.fromarray((np.asarray(opened) >> 8).astype(np.uint8))
            turned = ImageOps.exif_transpose(image) or image
            return np.asarray(turned.convert(mode))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ResolveError(f"The image {path!r} cannot be read: {error}") from error
