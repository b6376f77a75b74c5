"""Dense layers: several inputs and outputs, regularization losses, modules within modules."""

from __future__ import annotations

import tensorflow as tf
import tensorflow_hub as hub
from case import TRAIN_AND_SERVE, Case, Train, case, normal


def l2(scale: float):
    """An L2 regularizer."""
    return lambda weights: scale * tf.nn.l2_loss(weights)


@case
def fruit() -> Case:
    def build() -> None:
        apples = tf.placeholder(tf.float32, [None, 4], "apples")
        oranges = tf.placeholder(tf.float32, [None, 3], "oranges")
        from_apples = tf.get_variable("from_apples", [4, 5], regularizer=l2(0.01))
        from_oranges = tf.get_variable("from_oranges", [3, 5])
        hidden = tf.tanh(tf.matmul(apples, from_apples) + tf.matmul(oranges, from_oranges))
        cats = tf.layers.dense(
            hidden, 2, name="cats", kernel_regularizer=tf.keras.regularizers.l1(0.02)
        )
        dogs = tf.layers.dense(hidden, 3, name="dogs")
        hub.add_signature(
            "fruit_to_pet",
            {"apples": apples, "oranges": oranges},
            {"cats": cats, "dogs": dogs, "hidden": hidden},
        )
        code = tf.placeholder(tf.float32, [None, 5])
        hub.add_signature(inputs=code, outputs=tf.matmul(code, from_apples, transpose_b=True))

    inputs = {
        "fruit_to_pet": {"apples": normal("apples", 6, 4), "oranges": normal("oranges", 6, 3)},
        "default": {"default": normal("code", 2, 5)},
    }
    return Case(build, inputs, train=Train("fruit_to_pet"))


@case
def dropout() -> Case:
    def build(training: bool) -> None:
        x = tf.placeholder(tf.float32, [None, 6], "x")
        hidden = tf.layers.dense(x, 8, tf.nn.relu, kernel_regularizer=l2(0.01))
        hidden = tf.layers.dropout(hidden, 0.4, training=training)
        y = tf.layers.dense(hidden, 3, bias_regularizer=l2(0.1))
        hub.add_signature(inputs=x, outputs=y)

    return Case(
        build,
        {"default": {"default": normal("dropout", 5, 6)}},
        TRAIN_AND_SERVE,
        Train(),
        stochastic=[["train"]],
    )


@case
def activity() -> Case:
    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 4], "x")
        hidden = tf.layers.dense(x, 3, tf.nn.relu, kernel_regularizer=l2(0.05))
        tf.add_to_collection(tf.GraphKeys.REGULARIZATION_LOSSES, 0.1 * tf.reduce_sum(hidden**2))
        hub.add_signature(inputs=x, outputs=tf.layers.dense(hidden, 2))

    return Case(
        build,
        {"default": {"default": normal("activity", 5, 4)}},
        train=Train(),
        notes=[
            "hub.Module collects the activity loss of its state graph, which nothing can feed; "
            "reg0 and the training have its twin in the graph of the applied signature."
        ],
    )


@case
def nested() -> Case:
    def build_inner() -> None:
        tf.set_random_seed(1)
        x = tf.placeholder(tf.float32, [None, 3])
        hub.add_signature(inputs=x, outputs=tf.layers.dense(x, 2, kernel_regularizer=l2(0.1)))

    inner = hub.create_module_spec(build_inner)

    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3])
        module = hub.Module(inner, trainable=True, name="inner")
        hub.add_signature(inputs=x, outputs=module(x) + tf.sigmoid(module(2.0 * x)))

    return Case(build, {"default": {"default": normal("nested", 4, 3)}}, train=Train())


@case
def no_variables() -> Case:
    def build() -> None:
        x = tf.placeholder(tf.float32, [None])
        hub.add_signature(inputs=x, outputs=x * 0.5 + 2.0)

    return Case(build, {"default": {"default": normal("no_variables", 4)}})
