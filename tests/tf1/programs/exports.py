"""Modules that are written in one TensorFlow and judged in the other.

Each function takes `(tf, hub)` and returns a `case.Case`. `write_exports.py` writes the modules
with compat_hub, `check_exports.py` lets TensorFlow 1.15 record what they do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from case import TRAIN_AND_SERVE, Case, Train

from .building import batch_norm, dense, numbers, sliced, weights, words_file

EXPORTS: dict[str, Callable[[Any, Any], Case]] = {}
# Those with control flow as functions; it is TF1's in all others.
IN_FUNCTIONS = {"control_flow_in_functions", "nested_in_functions"}


def export(function: Callable[[Any, Any], Case]) -> Callable[[Any, Any], Case]:
    """Registers what makes the module of that name."""
    EXPORTS[function.__name__] = function
    return function


def _text_file(tf: Any, path: str, words: str) -> Any:
    return tf.lookup.TextFileInitializer(
        words_file("", path, words.split()),
        tf.string,
        tf.lookup.TextFileIndex.WHOLE_LINE,
        tf.int64,
        tf.lookup.TextFileIndex.LINE_NUMBER,
    )


def _words(*words: str) -> np.ndarray:
    return np.array(words, dtype=object)


@export
def network(tf: Any, hub: Any) -> Case:
    """Losses, update ops, two variants, one more signature."""

    def build(training: bool) -> None:
        x = tf.placeholder(tf.float32, [None, 4], name="x")
        hidden = dense(tf, x, 3, "hidden", l2=0.1, seed=1)
        hidden = tf.tanh(batch_norm(tf, hidden, "norm", training))
        y = dense(tf, hidden, 2, "top", l2=0.05, seed=3)
        hub.add_signature(inputs={"x": x}, outputs={"default": y, "hidden": hidden})
        hub.add_signature("scores", {"x": x}, tf.nn.softmax(y))

    inputs = {"x": numbers(6, 4, seed=2, scale=2.0)}
    return Case(
        build, {"default": inputs, "scores": inputs}, TRAIN_AND_SERVE, Train(tags=["train"])
    )


@export
def images(tf: Any, hub: Any) -> Case:
    """Convolutions, fused batch normalization, pooling."""

    def build(training: bool) -> None:
        x = tf.placeholder(tf.float32, [None, 8, 6, 3], name="images")
        kernel = weights(tf, "kernel", 3, 3, 3, 4)
        y = tf.nn.conv2d(x, kernel, strides=[1, 2, 1, 1], padding="SAME")
        gamma = weights(tf, "gamma", 4, seed=1)
        beta = weights(tf, "beta", 4, seed=2)
        moving = [
            tf.get_variable(n, [4], initializer=i, trainable=False)
            for n, i in (("mean", tf.zeros_initializer()), ("variance", tf.ones_initializer()))
        ]
        if training:
            y, *batch = tf.nn.fused_batch_norm(y, gamma, beta, is_training=True)
            for variable, value in zip(moving, batch):
                update = variable.assign_sub((variable - value) * 0.1, read_value=False)
                tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, update)
        else:
            y = tf.nn.fused_batch_norm(y, gamma, beta, *moving, is_training=False)[0]
        y = tf.nn.max_pool(tf.nn.relu(y), [1, 2, 2, 1], [1, 2, 2, 1], "VALID")
        y = dense(tf, tf.reduce_mean(y, [1, 2]), 2, "top")
        hub.add_signature(inputs={"images": x}, outputs=y)

    inputs = {"default": {"images": numbers(3, 8, 6, 3, scale=1.0)}}
    return Case(build, inputs, TRAIN_AND_SERVE, Train(tags=["train"]))


@export
def partitioned(tf: Any, hub: Any) -> Case:
    """Variables in parts, sparse gradients."""

    def build() -> None:
        ids = tf.placeholder(tf.int64, [None], name="ids")
        table = tf.get_variable(
            "scope/table",
            [12, 3],
            tf.float32,
            sliced(numbers(12, 3)),
            partitioner=tf.fixed_size_partitioner(11),
        )
        y = tf.nn.embedding_lookup(table, ids, partition_strategy="div")
        hub.add_signature(inputs=ids, outputs=tf.matmul(y, weights(tf, "w", 3, 2)))

    return Case(build, {"default": {"default": np.array([3, 11, 0, 3])}}, train=Train())


@export
def text(tf: Any, hub: Any) -> Case:
    """Two vocabularies of one file name."""

    def build() -> None:
        words = tf.placeholder(tf.string, [None], name="words")
        first = _text_file(tf, "first/words.txt", "one two three")
        first = tf.lookup.StaticVocabularyTable(first, num_oov_buckets=2)
        second = tf.lookup.StaticHashTable(_text_file(tf, "second/words.txt", "two four"), -1)
        y = tf.nn.embedding_lookup(weights(tf, "embeddings", 5, 3), first.lookup(words))
        hub.add_signature(
            inputs={"words": words},
            outputs={"default": y, "second": second.lookup(words)},
        )

    inputs = {"words": _words("two", "four", "three", "none")}
    return Case(build, {"default": inputs}, train=Train(outputs=["default"]))


@export
def kinds_of_tensors(tf: Any, hub: Any) -> Case:
    """Sparse and ragged inputs and outputs, several dtypes, a signature without inputs."""

    def build() -> None:
        ids = tf.sparse.placeholder(tf.int64, [None, None], name="ids")
        # TF1 does not have the kernel that embedding_lookup_sparse uses in TensorFlow 2.
        rows = tf.nn.embedding_lookup(weights(tf, "table", 5, 2), ids.values)
        count = tf.cast(ids.dense_shape[0], tf.int32)
        y = tf.unsorted_segment_sum(rows, ids.indices[:, 0], count)
        doubled = tf.SparseTensor(ids.indices, ids.values * 2, ids.dense_shape)
        hub.add_signature(inputs={"ids": ids}, outputs={"default": y, "doubled": doubled})
        ragged = tf.ragged.placeholder(tf.float32, 1, [], name="ragged")
        scaled = ragged.with_values(ragged.values * 3)
        sums = tf.reduce_sum(ragged, axis=1)
        hub.add_signature("ragged", {"ragged": ragged}, {"default": scaled, "sums": sums})
        count = tf.get_variable("count", initializer=np.int64(5), trainable=False)
        flag = tf.get_variable("flag", initializer=True, trainable=False)
        half = tf.get_variable("half", initializer=np.float16([1.5, 2.5]), trainable=False)
        word = tf.get_variable("word", initializer=lambda: tf.constant(["abc"]), trainable=False)
        constants = {"count": count, "flag": flag, "half": half, "word": word}
        constants = {key: tf.identity(value) for key, value in constants.items()}
        hub.add_signature("constants", {}, constants)

    sparse = tf.SparseTensorValue(
        np.array([[0, 0], [0, 2], [1, 1]]), np.array([1, 4, 2]), np.array([2, 3])
    )
    ragged = tf.ragged.constant_value([[1.0, 2.0], [], [3.0]], dtype=np.float32)
    inputs = {"default": {"ids": sparse}, "ragged": {"ragged": ragged}, "constants": {}}
    return Case(build, inputs, train=Train(outputs=["default"]))


def _control_flow(tf: Any, hub: Any, train: Train | None) -> Case:
    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3], name="x")
        steps = tf.placeholder(tf.int32, [], name="steps")
        w = weights(tf, "w", 3, 3, seed=1)
        b = weights(tf, "b", 3, seed=2)
        y = tf.while_loop(
            lambda i, _: i < steps, lambda i, y: (i + 1, tf.tanh(tf.matmul(y, w)) + b), [0, x]
        )[1]
        y = tf.cond(tf.reduce_sum(y) > 0, lambda: tf.matmul(y, w), lambda: y * b)
        z = tf.map_fn(lambda row: tf.cumsum(row) * 2.0, y)
        count = tf.get_variable("count", [], initializer=tf.zeros_initializer(), trainable=False)
        with tf.control_dependencies([count.assign_add(1.0)]):
            counted = tf.identity(z)
        hub.add_signature(inputs={"x": x, "steps": steps}, outputs={"default": z, "y": y})
        hub.add_signature("counted", {"x": x, "steps": steps}, counted)

    inputs = {"x": numbers(2, 3, seed=3), "steps": np.int32(3)}
    return Case(build, {"default": inputs, "counted": inputs}, train=train, calls=2)


@export
def control_flow(tf: Any, hub: Any) -> Case:
    """A loop, a cond, a map and an assignment, as TF1 builds them."""
    return _control_flow(tf, hub, Train())


@export
def control_flow_in_functions(tf: Any, hub: Any) -> Case:
    """The same as functions, as TensorFlow 2 builds them; TF1 has no gradient of such a loop."""
    return _control_flow(tf, hub, None)


@export
def functions(tf: Any, hub: Any) -> Case:
    """Functions that are called, not inlined."""

    def build() -> None:
        from tensorflow.python.framework import function

        @function.Defun(tf.float32)
        def squares(value: Any) -> Any:
            return tf.square(value) + value

        @tf.function
        def halves(value: Any) -> Any:
            return tf.sin(value) / 2

        x = tf.placeholder(tf.float32, [None, 3], name="x")
        y = squares(tf.matmul(x, weights(tf, "w", 3, 2)))
        hub.add_signature(inputs=x, outputs={"default": y, "halves": halves(y)})

    return Case(build, {"default": {"default": numbers(2, 3)}}, train=Train(outputs=["default"]))


@export
def reference_variables(tf: Any, hub: Any) -> Case:
    """Variables of the old kind, with a loss and an update op."""

    def build() -> None:
        with tf.variable_scope("", use_resource=False):
            x = tf.placeholder(tf.float32, [None, 3], name="x")
            y = tf.sin(dense(tf, x, 2, "layer", l2=0.1))
            zeros = tf.zeros_initializer()
            count = tf.get_variable("count", [], initializer=zeros, trainable=False)
            tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, tf.assign_add(count, 1.0))
            hub.add_signature(inputs=x, outputs=y)

    return Case(build, {"default": {"default": numbers(4, 3)}}, train=Train())


def _nested(tf: Any, hub: Any) -> Case:
    def inner(training: bool) -> None:
        words = tf.placeholder(tf.string, [None], name="words")
        table = _text_file(tf, "source/words.txt", "red green blue")
        table = tf.lookup.StaticVocabularyTable(table, num_oov_buckets=1)
        hidden = tf.nn.embedding_lookup(weights(tf, "embeddings", 4, 3), table.lookup(words))
        hidden.set_shape([None, 3])
        hidden = batch_norm(tf, hidden, "norm", training)
        y = dense(tf, hidden, 3, "layer", l2=0.1)
        y = tf.cond(tf.reduce_sum(y) > 0, lambda: y * 2, lambda: y - 1)
        hub.add_signature(inputs=words, outputs=y)

    def outer(training: bool) -> None:
        spec = hub.create_module_spec(inner, variants)
        words = tf.placeholder(tf.string, [None], name="words")
        tags = {"train"} if training else set()
        with tf.variable_scope("scope"):
            module = hub.Module(spec, trainable=True, tags=tags, name="inner")
        y = tf.concat([module(words), module(words[::-1])], 1)
        hub.add_signature(inputs=words, outputs=dense(tf, y, 2, "outer", seed=5))

    def build(training: bool) -> None:
        words = tf.placeholder(tf.string, [None], name="words")
        middle = hub.create_module_spec(outer, variants)
        tags = {"train"} if training else set()
        module = hub.Module(middle, trainable=True, tags=tags, name="middle")
        hub.add_signature(inputs=words, outputs=tf.tanh(module(words)))

    variants = [(set(tags), arguments) for tags, arguments in TRAIN_AND_SERVE]
    return Case(
        build,
        {"default": {"default": _words("red", "mauve", "blue", "red")}},
        TRAIN_AND_SERVE,
        # Which of the two updates of an average comes first is not determined.
        Train(tags=[]),
    )


@export
def nested(tf: Any, hub: Any) -> Case:
    """A module in a module in a module, with a table, a cond, losses and update ops."""
    return _nested(tf, hub)


@export
def nested_in_functions(tf: Any, hub: Any) -> Case:
    """The same with conds as functions."""
    return _nested(tf, hub)


@export
def hyperparameters(tf: Any, hub: Any) -> Case:
    """A placeholder with a default, and update ops that need it."""

    def build(training: bool) -> None:
        x = tf.placeholder(tf.float32, [None, 3], name="x")
        momentum = tf.placeholder_with_default(0.7, [], name="momentum")
        y = dense(tf, batch_norm(tf, x, "norm", training, momentum), 2, "top")
        hub.add_signature(inputs={"x": x}, outputs=y)
        hub.add_signature("tuned", {"x": x, "momentum": momentum}, y)

    x = numbers(5, 3, scale=2.0)
    return Case(
        build,
        {"default": {"x": x}, "tuned": {"x": x, "momentum": np.float32(0.2)}},
        TRAIN_AND_SERVE,
        Train(tags=["train"]),
    )


@export
def colocated(tf: Any, hub: Any) -> Case:
    """Ops colocated with inputs and with state, and devices in the function."""

    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3], name="x")
        with tf.device("/cpu:0"):
            w = weights(tf, "w", 3, 2)
        with tf.colocate_with(x):
            y = tf.matmul(x, w)
        with tf.colocate_with(w.handle.op):
            y = tf.nn.softplus(y)
        hub.add_signature(inputs=x, outputs=y)

    return Case(build, {"default": {"default": numbers(4, 3)}}, train=Train())
