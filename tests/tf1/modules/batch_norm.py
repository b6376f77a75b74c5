"""Batch normalization, as many layers spell it: fused or not, collecting updates or not."""

from __future__ import annotations

import tensorflow as tf
import tensorflow_hub as hub
from case import TRAIN_AND_SERVE, Case, Train, case, normal

from .dense import l2


@case
def image_bn() -> Case:
    def build(training: bool) -> None:
        images = tf.placeholder(tf.float32, [None, 8, 8, 3], "images")
        conv = tf.layers.conv2d(images, 6, 3, padding="same", kernel_regularizer=l2(0.01))
        fused = tf.layers.batch_normalization(conv, momentum=0.8, training=training)
        hidden = tf.layers.conv2d(tf.nn.relu(fused), 4, 3, strides=2, kernel_regularizer=l2(0.02))
        unfused = tf.layers.batch_normalization(
            hidden, momentum=0.7, fused=False, training=training
        )
        feature = tf.reduce_mean(unfused, [1, 2], name="feature")
        hub.add_signature(
            "image_feature_vector",
            {"images": images},
            {"default": feature, "block_1/relu": tf.nn.relu(fused), "block_2": unfused},
        )
        hub.add_signature(inputs={"images": images}, outputs=feature)
        info = hub.ImageModuleInfo()
        info.default_image_size.height = 8
        info.default_image_size.width = 8
        hub.attach_image_module_info(info)

    images = {"images": normal("images", 4, 8, 8, 3)}
    return Case(
        build,
        {"image_feature_vector": images, "default": images},
        TRAIN_AND_SERVE,
        Train("image_feature_vector", ["train"], ["default"]),
    )


# Of the biases in front of the last normalization the true gradient is zero.
_NOISE = 3e-4
_NOTES = ["The biases of fully_connected have no gradient, and move by rounding errors alone."]


def _slim_network(training: bool, updates_collections: str | None) -> None:
    images = tf.placeholder(tf.float32, [None, 6, 6, 2], "images")
    layers = tf.contrib.layers
    net = layers.conv2d(
        images,
        4,
        3,
        normalizer_fn=layers.batch_norm,
        normalizer_params={
            "is_training": training,
            "decay": 0.9,
            "scale": True,
            "updates_collections": updates_collections,
        },
        weights_regularizer=layers.l2_regularizer(0.02),
        scope="conv_1",
    )
    net = tf.reduce_mean(net, [1, 2])
    net = layers.batch_norm(
        layers.fully_connected(net, 3, activation_fn=None),
        is_training=training,
        decay=0.8,
        fused=False,
        updates_collections=updates_collections,
        scope="top",
    )
    hub.add_signature(inputs={"images": images}, outputs=net)


@case
def contrib_bn() -> Case:
    return Case(
        lambda training: _slim_network(training, tf.GraphKeys.UPDATE_OPS),
        {"default": {"images": normal("contrib", 5, 6, 6, 2)}},
        TRAIN_AND_SERVE,
        Train(tags=["train"], tolerance=_NOISE),
        notes=list(_NOTES),
    )


@case
def contrib_bn_in_place() -> Case:
    return Case(
        lambda training: _slim_network(training, None),
        {"default": {"images": normal("contrib", 5, 6, 6, 2)}},
        TRAIN_AND_SERVE,
        Train(tags=["train"], loss_with_step=True, tolerance=_NOISE),
        notes=list(_NOTES),
    )


@case
def keras_bn() -> Case:
    def build(training: bool) -> None:
        x = tf.placeholder(tf.float32, [None, 5], "x")
        dense = tf.keras.layers.Dense(
            4, kernel_regularizer=tf.keras.regularizers.l2(0.01), name="dense"
        )
        norm = tf.keras.layers.BatchNormalization(momentum=0.75, name="norm")
        y = tf.keras.layers.Dense(2, name="top")(norm(dense(x), training=training))
        for update in norm.updates:
            tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, update)
        for loss in dense.losses:
            tf.add_to_collection(tf.GraphKeys.REGULARIZATION_LOSSES, loss)
        hub.add_signature(inputs=x, outputs=y)

    return Case(
        build,
        {"default": {"default": normal("keras_bn", 6, 5)}},
        TRAIN_AND_SERVE,
        Train(tags=["train"]),
    )


@case
def cond_bn() -> Case:
    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 4], "x")
        training = tf.placeholder_with_default(False, [], "training")
        y = tf.layers.dense(x, 4)
        y = tf.layers.batch_normalization(y, momentum=0.8, training=training)
        y = tf.contrib.layers.batch_norm(tf.tanh(y), decay=0.7, is_training=training, scope="slim")
        hub.add_signature(inputs={"x": x}, outputs=y)
        hub.add_signature("with_mode", {"x": x, "training": training}, y)

    x = normal("cond_bn", 6, 4)
    return Case(
        build,
        {"default": {"x": x}, "with_mode": {"x": x, "training": True}},
        train=Train("with_mode"),
    )
