"""ResNet50 v2 (He et al., Identity Mappings in Deep Residual Networks, arXiv:1603.05027)."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from benchmarks.modules.layers import Layers

SIZE = 224
_STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))


def features(layers: Layers, images: Any) -> Any:
    """Feature vectors [batch, 2048] of images [batch, height, width, 3]."""
    x = layers.conv(images, 64, (7, 7), 2, "SAME", True)
    x = tf.nn.max_pool2d(x, 3, 2, "SAME")
    for filters, blocks, strides in _STAGES:
        for block in range(blocks):
            x = _block(layers, x, filters, strides if block == 0 else 1, block == 0)
    x = tf.nn.relu(layers.batch_norm(x))
    return tf.reduce_mean(x, [1, 2])


def _block(layers: Layers, x: Any, filters: int, strides: int, projects: bool) -> Any:
    y = tf.nn.relu(layers.batch_norm(x))
    shortcut = layers.conv(y, 4 * filters, (1, 1), strides, "SAME", True) if projects else x
    y = layers.conv(y, filters, (1, 1), 1, "SAME", False)
    y = tf.nn.relu(layers.batch_norm(y))
    y = layers.conv(y, filters, (3, 3), strides, "SAME", False)
    y = tf.nn.relu(layers.batch_norm(y))
    return shortcut + layers.conv(y, 4 * filters, (1, 1), 1, "SAME", True)
