"""Modules that differentiate: an output is a gradient, and may be trained through."""

from __future__ import annotations

import tensorflow as tf
import tensorflow_hub as hub
from case import Case, Train, case, normal
from tensorflow.python.framework import function


@case
def gradient_dense() -> Case:
    """An energy whose negative gradient is the output: training needs second derivatives."""

    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3], "x")
        hidden = tf.layers.dense(x, 5, tf.nn.softplus)
        hidden = tf.layers.dense(hidden, 4, tf.tanh)
        energy = tf.layers.dense(hidden, 1)
        (force,) = tf.gradients(-energy, x)
        hub.add_signature(inputs={"x": x}, outputs={"default": force, "energy": energy})

    return Case(build, {"default": {"x": normal("gradient_dense", 4, 3)}}, train=Train())


@case
def gradient_conv() -> Case:
    """The gradient by pixels of an image network, trained through."""

    def build() -> None:
        images = tf.placeholder(tf.float32, [None, 5, 5, 2], "images")
        net = tf.layers.conv2d(images, 3, 3, activation=tf.nn.softplus)
        net = tf.nn.avg_pool2d(net, 2, 1, "VALID")
        score = tf.layers.dense(tf.layers.flatten(net), 2)
        (saliency,) = tf.gradients(tf.reduce_logsumexp(score, 1), images)
        hub.add_signature(inputs={"images": images}, outputs={"default": saliency, "score": score})

    return Case(build, {"default": {"images": normal("gradient_conv", 2, 5, 5, 2)}}, train=Train())


@case
def gradient_while() -> Case:
    """The gradient of a loop, a loop of its own with stacks; trained by the way forward."""

    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3], "x")
        weights = tf.get_variable("weights", [3, 3])
        read_weights = weights.read_value()
        _, y = tf.while_loop(
            lambda i, _: i < 4,
            lambda i, state: (i + 1, tf.tanh(tf.matmul(state, read_weights))),
            [0, x],
        )
        by_x, by_weights = tf.gradients(tf.reduce_sum(y), [x, read_weights])
        hub.add_signature(
            inputs={"x": x}, outputs={"default": y, "by_x": by_x, "by_weights": by_weights}
        )

    return Case(
        build,
        {"default": {"x": normal("gradient_while", 4, 3)}},
        train=Train(outputs=["default"]),
        notes=["Trained without the gradients: TF 1.15 has no second derivative of a loop."],
    )


@case
def gradient_cond() -> Case:
    """The gradient of a condition, and the second one, which TF1 has."""

    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3], "x")
        flag = tf.placeholder_with_default(True, [], "flag")
        weights = tf.get_variable("weights", [3, 3])
        read_weights = weights.read_value()
        y = tf.cond(
            flag,
            lambda: tf.tanh(tf.matmul(x, read_weights)),
            lambda: tf.sin(x) * tf.reduce_sum(read_weights**2),
        )
        (by_x,) = tf.gradients(y, x)
        outputs = {"default": y, "by_x": by_x}
        hub.add_signature(inputs={"x": x}, outputs=outputs)
        hub.add_signature("with_flag", {"x": x, "flag": flag}, outputs)

    x = normal("gradient_cond", 4, 3)
    return Case(
        build,
        {"default": {"x": x}, "with_flag": {"x": x, "flag": False}},
        train=Train("with_flag"),
    )


@case
def gradient_steps() -> Case:
    """Steps of descent within the module, unrolled, on values made from its weights."""

    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3], "x")
        y = tf.placeholder(tf.float32, [None, 1], "y")
        start = tf.get_variable("start", [3, 1])
        rate = tf.get_variable("rate", [], initializer=tf.constant_initializer(0.05))
        adapted = start.read_value()
        for _ in range(3):
            error = tf.reduce_mean(tf.square(tf.matmul(x, adapted) - y))
            adapted -= rate * tf.gradients(error, adapted)[0]
        hub.add_signature(
            inputs={"x": x, "y": y}, outputs={"default": tf.matmul(x, adapted), "adapted": adapted}
        )

    inputs = {"x": normal("gradient_steps/x", 5, 3), "y": normal("gradient_steps/y", 5, 1)}
    return Case(build, {"default": inputs}, train=Train(learning_rate=0.001))


@case
def gradient_in_while() -> Case:
    """Steps of descent in a loop: the gradient is taken in the body."""

    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3], "x")
        y = tf.placeholder(tf.float32, [None, 1], "y")
        start = tf.get_variable("start", [3, 1])
        rate = tf.get_variable("rate", [], initializer=tf.constant_initializer(0.05))

        def body(i: tf.Tensor, adapted: tf.Tensor) -> tuple:
            error = tf.reduce_mean(tf.square(tf.matmul(x, adapted) - y))
            return i + 1, adapted - rate * tf.gradients(error, adapted)[0]

        _, adapted = tf.while_loop(lambda i, _: i < 3, body, [0, start.read_value()])
        hub.add_signature(inputs={"x": x, "y": y}, outputs=tf.matmul(x, adapted))

    inputs = {"x": normal("gradient_steps/x", 5, 3), "y": normal("gradient_steps/y", 5, 1)}
    return Case(build, {"default": inputs}, train=Train())


@case
def function_loop_twice() -> Case:
    """A function with a loop and a condition of TF1 inside, called twice: one frame, two loops."""

    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3], "x")
        weights = tf.get_variable("weights", [3, 3])

        @function.Defun(tf.float32, tf.float32)
        def turn(value: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
            shapes = [tf.TensorShape([]), tf.TensorShape(None)]
            _, value = tf.while_loop(
                lambda i, _: i < 3,
                lambda i, state: (i + 1, tf.tanh(tf.matmul(state, matrix))),
                [0, value],
                shapes,
            )
            return tf.cond(tf.reduce_sum(value) > 0, lambda: value, lambda: 2.0 * value)

        read = weights.read_value()
        first = turn(x, read)
        first.set_shape([None, 3])
        y = first + turn(tf.cos(first), read)
        y.set_shape([None, 3])
        hub.add_signature(inputs={"x": x}, outputs={"default": y, "plain": tf.matmul(x, weights)})

    return Case(
        build,
        {"default": {"x": normal("function_loop_twice", 4, 3)}},
        train=Train(outputs=["plain"]),
        notes=["Trained by 'plain': TF 1.15 has no gradient of a function with a loop inside."],
    )
