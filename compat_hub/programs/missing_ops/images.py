"""Ops of tf.contrib.image and tf.contrib.resampler."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from compat_hub.programs.missing_ops.functions import Computation, dtype_of, spec

# To the color space YIQ and back.
_TO_YIQ = [[0.299, 0.596, 0.211], [0.587, -0.274, -0.523], [0.114, -0.322, 0.312]]


def resampler(node: Any) -> Computation:
    """The values of images at places between the pixels, interpolated in two dimensions."""
    dtype = dtype_of(node)
    return Computation(
        [spec(4, dtype), spec(None, dtype)], ["output"], lambda *args: [_resample(*args)]
    )


def resampler_grad(node: Any) -> Computation:
    """The gradient of `resampler`, which a module may have inside, for saliency or the like."""
    dtype = dtype_of(node)

    def compute(data: Any, warp: Any, upstream: Any) -> Any:
        # No tape records within the init_scope that a function of a library is made in.
        gradients = tf.gradients(_resample(data, warp), [data, warp], upstream)
        return [tf.stop_gradient(gradient) for gradient in gradients]

    inputs = [spec(4, dtype), spec(None, dtype), spec(None, dtype)]
    return Computation(inputs, ["grad_data", "grad_warp"], compute)


def _resample(data: Any, warp: Any) -> Any:
    """Beyond the edges there are zeros."""
    shape = tf.shape(data)
    height, width, channels = shape[1], shape[2], shape[3]
    flat = tf.reshape(data, [-1, channels])
    places = tf.reshape(warp, tf.stack([shape[0], -1, 2]))
    x, y = tf.unstack(places, 2, -1)
    limits = [tf.cast(size, data.dtype) for size in (width, height)]
    inside = (x > -1) & (y > -1) & (x < limits[0]) & (y < limits[1])
    x, y = tf.where(inside, x, 0), tf.where(inside, y, 0)
    left, top = tf.floor(x), tf.floor(y)
    images = tf.range(shape[0])[:, tf.newaxis] * height * width

    def corner(across: int, down: int) -> Any:
        column, row = tf.cast(left, tf.int32) + across, tf.cast(top, tf.int32) + down
        exists = inside & (column >= 0) & (row >= 0) & (column < width) & (row < height)
        pixels = tf.gather(flat, tf.where(exists, images + row * width + column, 0))
        # As weights that are lines: at a pixel the slope to the right counts, as in TensorFlow 1.
        near_x = x - left if across else 1 - (x - left)
        near_y = y - top if down else 1 - (y - top)
        return tf.where(exists[..., tf.newaxis], pixels * (near_x * near_y)[..., tf.newaxis], 0)

    sums = tf.add_n([corner(across, down) for across in (0, 1) for down in (0, 1)])
    return tf.reshape(sums, tf.concat([tf.shape(warp)[:-1], [channels]], 0))


def adjust_hsv_in_yiq(node: Any) -> Computation:
    """The colors turned about the axis of brightness and scaled, in the color space YIQ."""
    dtype = dtype_of(node)

    def compute(images: Any, hue: Any, saturation: Any, value: Any) -> Any:
        to_yiq = tf.constant(_TO_YIQ)
        u, w = saturation * value * tf.cos(hue), saturation * value * tf.sin(hue)
        turned = tf.stack([value, 0.0, 0.0, 0.0, u, w, 0.0, -w, u])
        matrix = to_yiq @ tf.reshape(turned, [3, 3]) @ tf.linalg.inv(to_yiq)
        colors = tf.cast(tf.reshape(images, [-1, 3]), tf.float32) @ matrix
        return [tf.reshape(tf.cast(colors, dtype), tf.shape(images))]

    return Computation([spec(None, dtype), *[spec(0, tf.float32)] * 3], ["output"], compute)


def image_connected_components(node: Any) -> Computation:
    """The number of the component that each pixel is in: neighbours of one value, but not zero."""
    dtype = dtype_of(node, "dtype")
    sides = [(axis, forward) for axis in (1, 2) for forward in (True, False)]

    def compute(images: Any) -> Any:
        zero = tf.zeros_like(images)
        is_pixel = tf.not_equal(images, zero)
        own = tf.reshape(tf.range(tf.size(images, tf.int64)), tf.shape(images))
        far = tf.size(images, tf.int64)

        def rest(tensor: Any, axis: int, forward: bool) -> Any:
            """All of it but the first, or the last, along an axis."""
            part = slice(1, None) if forward else slice(None, -1)
            return tensor[:, part] if axis == 1 else tensor[:, :, part]

        def turn(_: Any, labels: Any) -> Any:
            found = labels
            for axis, forward in sides:
                same = tf.equal(rest(images, axis, forward), rest(images, axis, not forward))
                near = tf.where(same, rest(labels, axis, forward), far)
                ends = [[0, 0], [0, 0], [0, 0]]
                ends[axis] = [0, 1] if forward else [1, 0]
                found = tf.minimum(found, tf.pad(near, ends, constant_values=far))
            return tf.reduce_any(tf.not_equal(found, labels)), found

        start = [tf.constant(True), tf.where(is_pixel, own, far)]
        labels = tf.while_loop(lambda changes, _: changes, turn, start)[1]
        # A component is known by its first pixel, and numbered in the order of these.
        numbers = tf.cumsum(tf.cast(tf.reshape(tf.equal(labels, own), [-1]), tf.int64))
        numbers = tf.gather(tf.concat([numbers, [0]], 0), labels)
        return [tf.stop_gradient(tf.ensure_shape(numbers, [None, None, None]))]

    return Computation([spec(3, dtype)], ["components"], compute)


def image_projective_transform(node: Any) -> Computation:
    """Images seen through projections; the op of today also has the size of its output."""
    dtype = dtype_of(node, "dtype")
    interpolation = node.attr["interpolation"].s

    def compute(images: Any, transforms: Any) -> Any:
        transformed = tf.raw_ops.ImageProjectiveTransformV2(
            images=images,
            transforms=transforms,
            output_shape=tf.shape(images)[1:3],
            interpolation=interpolation,
        )
        return [tf.reshape(transformed, tf.shape(images))]

    inputs = [spec(4, dtype), spec(2, tf.float32)]
    return Computation(inputs, ["transformed_images"], compute)
