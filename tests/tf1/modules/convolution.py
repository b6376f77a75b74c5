"""The operations of convolutional networks, with their gradients."""

from __future__ import annotations

import tensorflow as tf
import tensorflow_hub as hub
from case import Case, Train, case, normal


@case
def conv_zoo() -> Case:
    def build() -> None:
        images = tf.placeholder(tf.float32, [None, 8, 8, 3], "images")
        depthwise = tf.get_variable("depthwise", [3, 3, 3, 2])
        net = tf.nn.depthwise_conv2d(images, depthwise, [1, 1, 1, 1], "SAME")
        net = tf.layers.separable_conv2d(net, 5, 3, padding="same", activation=tf.nn.relu6)
        net = tf.nn.local_response_normalization(net, depth_radius=2)
        pooled = tf.layers.max_pooling2d(net, 2, 2)
        pooled += tf.layers.average_pooling2d(net, 3, 2, padding="same")
        up = tf.layers.conv2d_transpose(pooled, 4, 3, strides=2, padding="same")
        dilated = tf.layers.conv2d(up, 3, 3, dilation_rate=2, activation=tf.nn.elu)
        resized = tf.image.resize_bilinear(dilated, [6, 6], align_corners=True)
        legacy = tf.image.resize_bilinear(dilated, [6, 6])
        nearest = tf.image.resize_nearest_neighbor(dilated, [6, 6])
        both = resized + legacy - 0.5 * nearest
        hub.add_signature(
            inputs={"images": images},
            outputs={"default": tf.reduce_mean(both, [1, 2]), "resized": resized, "up": up},
        )

    return Case(
        build,
        {"default": {"images": normal("conv_zoo", 2, 8, 8, 3)}},
        train=Train(outputs=["default"]),
    )
