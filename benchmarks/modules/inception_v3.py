"""Inception v3 (Szegedy et al., Rethinking the Inception Architecture, arXiv:1512.00567)."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from benchmarks.modules.layers import Layers

SIZE = 299


def features(layers: Layers, images: Any) -> Any:
    """Feature vectors [batch, 2048] of images [batch, height, width, 3]."""
    x = _conv(layers, images, 32, (3, 3), 2, "VALID")
    x = _conv(layers, x, 32, (3, 3), 1, "VALID")
    x = _conv(layers, x, 64, (3, 3))
    x = tf.nn.max_pool2d(x, 3, 2, "VALID")
    x = _conv(layers, x, 80, (1, 1), 1, "VALID")
    x = _conv(layers, x, 192, (3, 3), 1, "VALID")
    x = tf.nn.max_pool2d(x, 3, 2, "VALID")
    for pooled in (32, 64, 64):
        x = _mixed_35(layers, x, pooled)
    x = _reduce_35(layers, x)
    for filters in (128, 160, 160, 192):
        x = _mixed_17(layers, x, filters)
    x = _reduce_17(layers, x)
    for _ in range(2):
        x = _mixed_8(layers, x)
    return tf.reduce_mean(x, [1, 2])


def _conv(
    layers: Layers,
    x: Any,
    filters: int,
    size: tuple[int, int],
    strides: int = 1,
    padding: str = "SAME",
) -> Any:
    x = layers.conv(x, filters, size, strides, padding, False)
    return tf.nn.relu(layers.batch_norm(x, scale=False))


def _pooled(layers: Layers, x: Any, filters: int) -> Any:
    return _conv(layers, tf.nn.avg_pool2d(x, 3, 1, "SAME"), filters, (1, 1))


def _mixed_35(layers: Layers, x: Any, pooled: int) -> Any:
    one = _conv(layers, x, 64, (1, 1))
    five = _conv(layers, _conv(layers, x, 48, (1, 1)), 64, (5, 5))
    three = _conv(layers, _conv(layers, x, 64, (1, 1)), 96, (3, 3))
    three = _conv(layers, three, 96, (3, 3))
    return tf.concat([one, five, three, _pooled(layers, x, pooled)], -1)


def _reduce_35(layers: Layers, x: Any) -> Any:
    three = _conv(layers, x, 384, (3, 3), 2, "VALID")
    double = _conv(layers, _conv(layers, x, 64, (1, 1)), 96, (3, 3))
    double = _conv(layers, double, 96, (3, 3), 2, "VALID")
    return tf.concat([three, double, tf.nn.max_pool2d(x, 3, 2, "VALID")], -1)


def _mixed_17(layers: Layers, x: Any, filters: int) -> Any:
    one = _conv(layers, x, 192, (1, 1))
    seven = _conv(layers, _conv(layers, x, filters, (1, 1)), filters, (1, 7))
    seven = _conv(layers, seven, 192, (7, 1))
    double = _conv(layers, x, filters, (1, 1))
    for size in ((7, 1), (1, 7), (7, 1)):
        double = _conv(layers, double, filters, size)
    double = _conv(layers, double, 192, (1, 7))
    return tf.concat([one, seven, double, _pooled(layers, x, 192)], -1)


def _reduce_17(layers: Layers, x: Any) -> Any:
    three = _conv(layers, _conv(layers, x, 192, (1, 1)), 320, (3, 3), 2, "VALID")
    seven = _conv(layers, x, 192, (1, 1))
    for size in ((1, 7), (7, 1)):
        seven = _conv(layers, seven, 192, size)
    seven = _conv(layers, seven, 192, (3, 3), 2, "VALID")
    return tf.concat([three, seven, tf.nn.max_pool2d(x, 3, 2, "VALID")], -1)


def _mixed_8(layers: Layers, x: Any) -> Any:
    one = _conv(layers, x, 320, (1, 1))
    three = _conv(layers, x, 384, (1, 1))
    three = [_conv(layers, three, 384, size) for size in ((1, 3), (3, 1))]
    double = _conv(layers, _conv(layers, x, 448, (1, 1)), 384, (3, 3))
    double = [_conv(layers, double, 384, size) for size in ((1, 3), (3, 1))]
    return tf.concat([one, *three, *double, _pooled(layers, x, 192)], -1)
