"""Which variables an output gives a gradient, where TF1 stops it or has none."""

from __future__ import annotations

import tensorflow as tf
import tensorflow_hub as hub
from case import Case, Train, case, normal


def _weights(name: str) -> tf.Variable:
    return tf.get_variable(name, [3, 3])


@case
def loops_without_back_prop() -> Case:
    """Every kind of loop with back_prop=False, alone, in a loop and in a conditional."""

    def build() -> None:
        x = tf.placeholder(tf.float32, [2, 3], "x")
        after = tf.get_variable("after", [3], initializer=tf.ones_initializer())
        looped, mapped, scanned = _weights("looped"), _weights("mapped"), _weights("scanned")
        inner, outer, branched = _weights("inner"), _weights("outer"), _weights("branched")

        def loop(start: tf.Tensor, weights: tf.Variable, **options: bool) -> tf.Tensor:
            def body(i: tf.Tensor, z: tf.Tensor) -> tuple:
                return i + 1, tf.tanh(tf.matmul(z, weights))

            return tf.while_loop(lambda i, _: i < 3, body, (0, start), **options)[1]

        def nested(i: tf.Tensor, z: tf.Tensor) -> tuple:
            return i + 1, tf.tanh(tf.matmul(z, outer)) + loop(z, inner, back_prop=False)

        y = loop(x, looped, back_prop=False)
        rows = tf.map_fn(lambda r: tf.reduce_sum(r * mapped, 1), x, back_prop=False)
        steps = tf.scan(
            lambda a, r: tf.tanh(a + tf.reduce_sum(r * scanned, 1)), x, tf.zeros(3), back_prop=False
        )
        twice = tf.while_loop(lambda i, _: i < 2, nested, (0, x))[1]
        branch = tf.cond(
            tf.reduce_sum(x) < 100.0,
            lambda: tf.matmul(x, branched) + loop(x, looped, back_prop=False),
            lambda: x,
        )
        outputs = {"default": y * after + rows, "loop": y, "mapped": rows, "scanned": steps}
        hub.add_signature(inputs=x, outputs=dict(outputs, nested=twice, branch=branch))

    x = normal("loops_without_back_prop", 2, 3)
    train = Train(outputs=["default", "nested", "branch"])
    return Case(build, {"default": {"default": x}}, train=train, gradients=["default"])


@case
def outputs_of_their_own_variables() -> Case:
    """Heads on one trunk, and outputs by ops that have no gradient, alone or in a loop."""

    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3], "x")
        head, scorer, shown = _weights("head"), _weights("scorer"), _weights("shown")
        trunk = tf.tanh(tf.matmul(x, _weights("trunk")))
        root = tf.get_variable("root", [3], initializer=tf.ones_initializer())
        boxes = tf.abs(tf.tile(trunk[:, :1], [1, 4])) * tf.constant([0.0, 0.1, 1.0, 1.0])
        scores = tf.reduce_sum(tf.matmul(trunk, scorer), 1)

        def choose(shift: tf.Tensor) -> tf.Tensor:
            chosen = tf.image.non_max_suppression(boxes + shift, scores, 2)
            return tf.gather(tf.matmul(trunk, head), chosen) * shift

        pixels = tf.reshape(tf.matmul(trunk, shown), [-1, 3, 1, 1])
        outputs = {
            "default": tf.matmul(trunk, head),
            "chosen": tf.map_fn(choose, tf.constant([1.0, 2.0])),
            "preview": tf.image.resize_area(pixels, [2, 1]),
            "trunk": trunk,
            "stopped": tf.stop_gradient(trunk) * root,
            "classes": tf.argmax(scores),
        }
        hub.add_signature(inputs=x, outputs=outputs)
        others = {
            "preview": outputs["preview"],
            "head": trunk * root,
            # The gradient is infinite, and times zero not a number.
            "edge": tf.asin(1.0 + (trunk - trunk) * root),
        }
        hub.add_signature("no_default", x, others)

    x = normal("outputs_of_their_own_variables", 4, 3)
    return Case(
        build,
        {"default": {"default": x}, "no_default": {"default": x}},
        train=Train(outputs=["default", "chosen"]),
        gradients=["default", "no_default"],
    )


@case
def gradients_of_array_loops() -> Case:
    """The module's own gradients through loops with TensorArrays: what they are of trains."""

    def build() -> None:
        x = tf.placeholder(tf.float32, [3, 2], "x")
        weights = tf.get_variable("weights", [2], initializer=tf.constant_initializer(0.5))
        scale = tf.get_variable("scale", [2], initializer=tf.constant_initializer(2.0))
        scanned = tf.scan(lambda a, row: tf.tanh(a * weights + row), x)
        mapped = tf.map_fn(lambda row: row * row * scale, x)
        cell = tf.nn.rnn_cell.BasicRNNCell(2)
        steps, _ = tf.nn.dynamic_rnn(cell, x[None], dtype=tf.float32)
        saliency = tf.gradients(tf.reduce_sum(scanned * steps[0]) + tf.reduce_sum(mapped), x)[0]
        hub.add_signature("default", x, scanned)
        hub.add_signature("both", x, {"default": scanned, "saliency": saliency, "steps": steps})
        hub.add_signature("saliency", x, saliency)

    x = normal("gradients_of_array_loops", 3, 2)
    signatures = ["default", "both", "saliency"]
    return Case(
        build,
        {name: {"default": x} for name in signatures},
        train=Train("both", outputs=["default", "steps"]),
        gradients=["default", "both"],
    )
