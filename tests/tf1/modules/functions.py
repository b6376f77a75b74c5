"""Functions in the library of a graph: with and without gradients, called and partitioned calls."""

from __future__ import annotations

import tensorflow as tf
import tensorflow_hub as hub
from case import TRAIN_AND_SERVE, Case, Train, case, normal
from tensorflow.python.framework import function


@case
def functions() -> Case:
    def build() -> None:
        @function.Defun(tf.float32, tf.float32, func_name="bent")
        def bent(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
            return x * x + 3.0 * y

        @function.Defun(tf.float32, tf.float32, func_name="halved_gradient")
        def halved_gradient(x: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
            return 0.5 * gradient * tf.ones_like(x)

        @function.Defun(tf.float32, func_name="halved", grad_func=halved_gradient)
        def halved(x: tf.Tensor) -> tf.Tensor:
            return tf.sin(x)

        # As tf.nn.swish was in earlier versions of TensorFlow.
        @function.Defun(tf.float32, tf.float32, func_name="swish_grad", noinline=True)
        def swish_grad(x: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
            sigmoid = tf.sigmoid(x)
            return gradient * sigmoid * (1.0 + x * (1.0 - sigmoid))

        @function.Defun(
            tf.float32,
            func_name="swish",
            grad_func=swish_grad,
            shape_func=lambda op: [op.inputs[0].shape],
            noinline=True,
        )
        def swish(x: tf.Tensor) -> tf.Tensor:
            return x * tf.sigmoid(x)

        x = tf.placeholder(tf.float32, [None, 4], "x")
        hidden = bent(swish(tf.layers.dense(x, 5)), tf.layers.dense(x, 5))
        hidden.set_shape([None, 5])
        hidden = halved(hidden)
        hidden.set_shape([None, 5])
        hub.add_signature(inputs=x, outputs=tf.layers.dense(hidden, 2))

    return Case(build, {"default": {"default": normal("functions", 4, 4)}}, train=Train())


@case
def functions_clash() -> Case:
    def build() -> None:
        @function.Defun(tf.float32, tf.float32, func_name="bent")
        def bent(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
            return tf.exp(-x * x) - y

        @function.Defun(tf.float32, tf.float32, func_name="halved_gradient")
        def doubled_gradient(x: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
            return 2.0 * gradient * tf.ones_like(x)

        @function.Defun(tf.float32, func_name="halved", grad_func=doubled_gradient)
        def doubled(x: tf.Tensor) -> tf.Tensor:
            return tf.cos(x)

        x = tf.placeholder(tf.float32, [None, 4], "x")
        hidden = doubled(bent(tf.layers.dense(x, 5), tf.layers.dense(x, 5)))
        hidden.set_shape([None, 5])
        hub.add_signature(inputs=x, outputs=tf.layers.dense(hidden, 2))

    return Case(build, {"default": {"default": normal("functions", 4, 4)}}, train=Train())


@case
def functions_control_arguments() -> Case:
    """Nodes in functions that wait for an argument, as those of recomputed gradients do."""

    def build() -> None:
        @function.Defun(tf.float32, tf.float32, tf.float32, func_name="dense_gradient")
        def dense_gradient(x: tf.Tensor, kernel: tf.Tensor, gradient: tf.Tensor) -> tuple:
            with tf.control_dependencies([gradient]):
                # The constant has no data input, and waits for the argument.
                x, kernel = tf.identity(x), tf.identity(kernel) * 0.5
                y = tf.tanh(tf.matmul(x, kernel))
            return tuple(tf.gradients(y, [x, kernel], gradient))

        @function.Defun(tf.float32, tf.float32, func_name="dense_forward", grad_func=dense_gradient)
        def dense_forward(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
            with tf.control_dependencies([kernel]):
                half = tf.constant(0.5)
            return tf.tanh(tf.matmul(x, kernel * half))

        x = tf.placeholder(tf.float32, [None, 4], "x")
        hidden = dense_forward(tf.layers.dense(x, 3), tf.get_variable("kernel", [3, 3]))
        hidden.set_shape([None, 3])
        hub.add_signature(inputs=x, outputs=tf.layers.dense(hidden, 2))

    values = {"default": normal("functions_control_arguments", 4, 4)}
    return Case(build, {"default": values}, train=Train())


@case
def custom_gradient() -> Case:
    def build() -> None:
        @tf.custom_gradient
        def smooth(value: tf.Tensor) -> tuple:
            return tf.log1p(tf.exp(value)), lambda gradient: gradient * tf.sigmoid(value)

        x = tf.placeholder(tf.float32, [None, 4], "x")
        hidden = smooth(tf.nn.swish(tf.layers.dense(x, 5)))
        hub.add_signature(inputs=x, outputs=tf.layers.dense(hidden, 2))

    return Case(
        build,
        {"default": {"default": normal("custom_gradient", 4, 4)}},
        notes=["Not trained: the gradients of tf.custom_gradient are not stored; TF 1.15 fails."],
    )


@case
def partitioned_call() -> Case:
    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 4], "x")
        weights = tf.get_variable("weights", [4, 3])

        @tf.function
        def project(value: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
            return tf.tanh(tf.matmul(value, matrix))

        @tf.function
        def outer(value: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
            return project(value, matrix) + project(2.0 * value, matrix)

        hub.add_signature(inputs=x, outputs=outer(x, weights.read_value()))

    return Case(
        build,
        {"default": {"default": normal("partitioned_call", 4, 4)}},
        train=Train(),
    )


@case
def partitioned_call_capture() -> Case:
    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 4], "x")
        weights = tf.get_variable("weights", [4, 3])

        @tf.function
        def project(value: tf.Tensor) -> tf.Tensor:
            return tf.tanh(tf.matmul(value, weights))

        hub.add_signature(inputs=x, outputs=project(x))

    return Case(build, {"default": {"default": normal("partitioned_call", 4, 4)}}, train=Train())


@case
def partitioned_control_flow() -> Case:
    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3], "x")
        flag = tf.placeholder_with_default(True, [], "flag")
        weights = tf.get_variable("weights", [3, 3])
        other = tf.get_variable("other", [3, 3])

        @tf.function
        def compute(value: tf.Tensor, flag: tf.Tensor) -> tf.Tensor:
            value = tf.cond(
                flag, lambda: tf.matmul(value, weights), lambda: tf.sin(tf.matmul(value, other))
            )
            _, value = tf.while_loop(
                lambda i, _: i < 3,
                lambda i, state: (i + 1, tf.tanh(tf.matmul(state, weights))),
                [tf.constant(0), value],
            )
            return value

        y = compute(x, flag)
        hub.add_signature(inputs={"x": x}, outputs=y)
        hub.add_signature("with_flag", {"x": x, "flag": flag}, y)

    x = normal("partitioned_control_flow", 4, 3)
    return Case(
        build,
        {"default": {"x": x}, "with_flag": {"x": x, "flag": False}},
        notes=[
            "Not trained: TF 1.15 fails in the process that exported this, over the names of the "
            "functions, and in another one it takes all gradients for zero."
        ],
    )


@case
def named_gradients() -> Case:
    """gradient_override_map: gradients by the name of an op, and the one of tf.contrib.quantize."""

    def build(training: bool) -> None:
        layers = tf.contrib.layers
        x = tf.placeholder(tf.float32, [None, 6, 6, 2], "x")
        y = layers.conv2d(
            x, 3, 3, normalizer_fn=layers.batch_norm,
            normalizer_params={"is_training": training, "fused": True, "decay": 0.9},
        )  # fmt: skip
        y = layers.fully_connected(layers.flatten(y), 4, activation_fn=None, scope="top")
        if training:
            tf.contrib.quantize.create_training_graph(quant_delay=0)
        else:
            tf.contrib.quantize.create_eval_graph()
        with tf.get_default_graph().gradient_override_map({"Round": "Identity", "Relu": "Relu6"}):
            y = tf.nn.relu(tf.round(8 * y) / 2)
        hub.add_signature(inputs={"x": x}, outputs=y)

    return Case(
        build,
        {"default": {"x": normal("named_gradients", 4, 6, 6, 2)}},
        TRAIN_AND_SERVE,
        Train(tags=["train"], learning_rate=1e-3, loss_with_step=True),
        export_tags=["train"],
        drop_collections=["global_step"],
        imports=["tensorflow.contrib.quantize"],
    )
