"""tf.cond and tf.case: side effects in branches, several outputs, mixed with loops."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
from case import Case, Train, case, normal


@case
def cond_assign() -> Case:
    """Each branch writes to another variable; only the branch that is taken may do so."""

    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3], "x")
        flag = tf.placeholder_with_default(True, [], "flag")
        weights = tf.get_variable("weights", [3, 3])
        yes = tf.get_variable("yes", [], tf.int32, tf.zeros_initializer(), trainable=False)
        no = tf.get_variable("no", [3], trainable=False)

        def taken() -> tf.Tensor:
            with tf.control_dependencies([yes.assign_add(1)]):
                return tf.matmul(x, weights)

        def not_taken() -> tf.Tensor:
            with tf.control_dependencies([no.assign(tf.reduce_mean(x, 0))]):
                return tf.tanh(tf.matmul(x, weights)) + no.read_value()

        y = tf.cond(flag, taken, not_taken)
        with tf.control_dependencies([y]):
            outputs = {"default": y, "yes": yes.read_value(), "no": no.read_value()}
        hub.add_signature(inputs={"x": x}, outputs=outputs)
        hub.add_signature("with_flag", {"x": x, "flag": flag}, outputs)

    x = normal("cond_assign", 4, 3)
    return Case(
        build,
        {"default": {"x": x}, "with_flag": {"x": x, "flag": False}},
        train=Train("with_flag", outputs=["default"], loss_with_step=True),
        calls=2,
    )


@case
def cond_assign_reference() -> Case:
    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3], "x")
        flag = tf.placeholder_with_default(True, [], "flag")
        with tf.variable_scope("", use_resource=False):
            weights = tf.get_variable("weights", [3, 3])
            yes = tf.get_variable("yes", [], tf.int32, tf.zeros_initializer(), trainable=False)
            no = tf.get_variable("no", [3], trainable=False)

        def taken() -> tf.Tensor:
            with tf.control_dependencies([tf.assign_add(yes, 1)]):
                return tf.matmul(x, weights)

        def not_taken() -> tf.Tensor:
            assigned = tf.assign(no, tf.reduce_mean(x, 0))
            return tf.tanh(tf.matmul(x, weights)) + assigned

        y = tf.cond(flag, taken, not_taken)
        with tf.control_dependencies([y]):
            outputs = {"default": y, "yes": yes.read_value(), "no": no.read_value()}
        hub.add_signature(inputs={"x": x}, outputs=outputs)
        hub.add_signature("with_flag", {"x": x, "flag": flag}, outputs)

    x = normal("cond_assign", 4, 3)
    return Case(
        build,
        {"default": {"x": x}, "with_flag": {"x": x, "flag": False}},
        train=Train("with_flag", outputs=["default"], loss_with_step=True),
        calls=2,
    )


@case
def cond_outputs() -> Case:
    """Branches that return structures: tensors of several dtypes, a sparse tensor, constants."""

    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3], "x")
        flag = tf.placeholder_with_default(False, [], "flag")
        weights = tf.get_variable("weights", [3, 3])
        bias = tf.get_variable("bias", [3], initializer=tf.zeros_initializer())

        def first() -> tuple:
            y = tf.matmul(x, weights)
            return y, tf.constant(1), tf.constant("first"), tf.sparse.from_dense(tf.nn.relu(x))

        def second() -> tuple:
            entries = tf.SparseTensor([[0, 2]], bias[:1], [1, 3])
            return tf.sin(x + bias), tf.shape(x)[0], tf.as_string(flag), entries

        y, count, word, entries = tf.cond(flag, first, second)
        unused = tf.cond(flag, lambda: [x, weights.read_value()], lambda: [x + 1.0, weights * 2.0])
        constants = tf.cond(flag, lambda: tf.constant([1.0, 2.0]), lambda: tf.constant([3.0]))
        outputs = {
            "default": y,
            "count": count,
            "word": word,
            "entries": entries,
            "half": unused[1],
            "constants": constants,
        }
        hub.add_signature(inputs={"x": x}, outputs=outputs)
        hub.add_signature("with_flag", {"x": x, "flag": flag}, outputs)

    x = normal("cond_outputs", 4, 3)
    return Case(
        build,
        {"default": {"x": x}, "with_flag": {"x": x, "flag": True}},
        train=Train(outputs=["default", "half"]),
    )


@case
def cond_constant() -> Case:
    """Predicates that no input decides, and one Switch of a value that both branches share."""

    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3], "x")
        weights = tf.get_variable("weights", [3, 3])
        mode = tf.get_variable("mode", [], tf.int32, tf.ones_initializer(), trainable=False)
        always = tf.cond(tf.constant(True), lambda: tf.matmul(x, weights), lambda: x)
        by_mode = tf.cond(
            tf.equal(mode, 1), lambda: tf.tanh(always), lambda: always + tf.constant(2.0)
        )
        with tf.control_dependencies([tf.no_op("before")]):
            never = tf.cond(tf.constant(1) > 2, lambda: by_mode * 100.0, lambda: by_mode)
        hub.add_signature(inputs={"x": x}, outputs={"default": never, "always": always})

    return Case(build, {"default": {"x": normal("cond_constant", 4, 3)}}, train=Train())


@case
def case_branches() -> Case:
    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3], "x")
        kind = tf.placeholder(tf.int32, [], "kind")
        weights = [tf.get_variable("weights_%d" % i, [3, 3]) for i in range(4)]
        y = tf.case(
            [
                (tf.equal(kind, 0), lambda: tf.matmul(x, weights[0])),
                (tf.equal(kind, 1), lambda: tf.tanh(tf.matmul(x, weights[1]))),
                (kind < 5, lambda: tf.sin(tf.matmul(x, weights[2]))),
            ],
            default=lambda: x * weights[3][0],
        )
        exclusive = tf.case(
            {kind < 1: lambda: weights[0] * 2.0, kind > 1: lambda: tf.exp(weights[1])},
            default=lambda: tf.zeros([3, 3]),
            exclusive=True,
        )
        switched = tf.switch_case(
            kind, [lambda w=w: tf.reduce_sum(tf.square(w)) for w in weights[:3]]
        )
        outputs = {"default": y, "exclusive": exclusive, "switched": switched}
        for name in ("default", "one", "two", "nine"):
            hub.add_signature(name, {"x": x, "kind": kind}, outputs)

    x = normal("case_branches", 4, 3)
    kinds = {"default": 0, "one": 1, "two": 2, "nine": 9}
    inputs = {name: {"x": x, "kind": np.int32(kind)} for name, kind in kinds.items()}
    return Case(build, inputs, train=Train("two"))


@case
def cond_controls() -> Case:
    """Control dependencies into branches, between them and out of them."""

    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 2], "x")
        flag = tf.placeholder_with_default(True, [], "flag")
        weights = tf.get_variable("weights", [2, 2])
        log = tf.get_variable("log", [3], trainable=False, initializer=tf.zeros_initializer())
        before = tf.scatter_add(log, [0], [1.0])

        def branch(position: int, gain: float):
            def run() -> tf.Tensor:
                check = tf.Assert(tf.greater(gain, 0.0), [x])
                mark = tf.scatter_add(log, [position], [gain])
                with tf.control_dependencies([check, mark]):
                    return gain * tf.matmul(x, weights)

            return run

        with tf.control_dependencies([before]):
            y = tf.cond(flag, branch(1, 1.5), branch(2, 2.5))
        with tf.control_dependencies([y]):
            z = tf.cond(flag, lambda: tf.no_op("nothing"), lambda: log.assign_add([0.5] * 3).op)
        with tf.control_dependencies([z]):
            log_value = log.read_value()
        outputs = {"default": y, "log": log_value}
        hub.add_signature(inputs={"x": x}, outputs=outputs)
        hub.add_signature("with_flag", {"x": x, "flag": flag}, outputs)

    x = normal("cond_controls", 3, 2)
    return Case(
        build,
        {"default": {"x": x}, "with_flag": {"x": x, "flag": False}},
        train=Train("with_flag", loss_with_step=True),
        calls=2,
    )


@case
def cond_in_while_in_cond() -> Case:
    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3], "x")
        flag = tf.placeholder_with_default(True, [], "flag")
        steps = tf.placeholder(tf.int32, [], "steps")
        weights = tf.get_variable("weights", [3, 3])
        other = tf.get_variable("other", [3, 3])

        def looped() -> tf.Tensor:
            read_weights, read_other = weights.read_value(), other.read_value()

            def body(i: tf.Tensor, state: tf.Tensor) -> tuple:
                even = tf.equal(i % 2, 0)
                deep = tf.reduce_sum(state) > 0.0
                state = tf.cond(
                    even,
                    lambda: tf.tanh(tf.matmul(state, read_weights)),
                    lambda: tf.cond(deep, lambda: tf.matmul(state, read_other), lambda: state * x),
                )
                state.set_shape([None, 3])
                return i + 1, state

            return tf.while_loop(lambda i, _: i < steps, body, [0, x])[1]

        y = tf.cond(flag, looped, lambda: tf.matmul(x, other))
        y.set_shape([None, 3])
        hub.add_signature(inputs={"x": x, "steps": steps}, outputs=y)
        hub.add_signature("with_flag", {"x": x, "steps": steps, "flag": flag}, y)

    inputs = {"x": normal("cond_while_cond", 4, 3), "steps": np.int32(4)}
    return Case(
        build,
        {"default": inputs, "with_flag": dict(inputs, flag=False)},
        train=Train(),
    )


@case
def cond_in_cond_in_while_reads() -> Case:
    """Rows and elements read in a branch of a branch of a loop, as decoders do."""

    def build() -> None:
        x = tf.placeholder(tf.float32, [4, 3], "x")
        ids = tf.placeholder(tf.int32, [None], "ids")
        table = tf.get_variable("table", [7, 3])
        weights = tf.get_variable("weights", [3, 3])
        steps = tf.TensorArray(tf.float32, 4, element_shape=[3], clear_after_read=False).unstack(x)

        def body(i: tf.Tensor, state: tf.Tensor) -> tuple:
            def reads() -> tf.Tensor:
                rows = tf.nn.embedding_lookup(table, ids)
                return tf.tanh(tf.reduce_mean(rows, 0) + steps.read(i) + state)

            state = tf.cond(
                tf.less(i, 3),
                lambda: tf.cond(tf.equal(i % 2, 0), reads, lambda: 0.5 * state),
                lambda: tf.reshape(tf.matmul(state[None], weights), [3]),
            )
            state.set_shape([3])
            return i + 1, state

        y = tf.while_loop(lambda i, _: i < 4, body, [0, tf.ones([3])])[1]
        hub.add_signature(inputs={"x": x, "ids": ids}, outputs=y)

    inputs = {"x": normal("cond_in_cond_in_while_reads", 4, 3), "ids": np.int32([2, 5, 2])}
    return Case(
        build,
        {"default": inputs},
        notes=["Not trained: TF 1.15 fails to build gradients for a lookup in such a branch."],
    )


@case
def while_in_cond() -> Case:
    """Loops in both branches, with variables that the bodies read and a TensorArray."""

    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3], "x")
        flag = tf.placeholder_with_default(False, [], "flag")
        weights = tf.get_variable("weights", [3, 3])
        decay = tf.get_variable("decay", [3], initializer=tf.constant_initializer(0.5))

        def scanned() -> tf.Tensor:
            value = decay.read_value()
            return tf.scan(lambda state, row: value * state + row, tf.matmul(x, weights))

        def looped() -> tf.Tensor:
            value = weights.read_value()
            return tf.while_loop(
                lambda i, _: i < 3,
                lambda i, state: (i + 1, tf.tanh(tf.matmul(state, value))),
                [0, x],
            )[1]

        y = tf.cond(flag, scanned, looped)
        hub.add_signature(inputs={"x": x}, outputs=y)
        hub.add_signature("with_flag", {"x": x, "flag": flag}, y)

    x = normal("while_in_cond", 4, 3)
    return Case(
        build,
        {"default": {"x": x}, "with_flag": {"x": x, "flag": True}},
        train=Train("with_flag"),
    )


@case
def cond_in_while_effects() -> Case:
    """A branch within a loop writes to a variable in some of the turns only."""

    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 2], "x")
        weights = tf.get_variable("weights", [2, 2])
        odd = tf.get_variable("odd", [], tf.int32, tf.zeros_initializer(), trainable=False)
        sums = tf.get_variable("sums", [2], trainable=False)

        def body(i: tf.Tensor, state: tf.Tensor) -> tuple:
            done = tf.cond(
                tf.equal(i % 2, 1),
                lambda: tf.group(odd.assign_add(1), sums.assign_add(state[0])),
                tf.no_op,
            )
            with tf.control_dependencies([done]):
                return i + 1, tf.tanh(tf.matmul(state, weights))

        count, y = tf.while_loop(lambda i, _: i < 5, body, [0, x], parallel_iterations=1)
        with tf.control_dependencies([count, y]):
            outputs = {"default": y, "odd": odd.read_value(), "sums": sums.read_value()}
        hub.add_signature(inputs={"x": x}, outputs=outputs)

    return Case(
        build,
        {"default": {"x": normal("while_effects", 3, 2)}},
        train=Train(outputs=["default"], loss_with_step=True),
        calls=2,
    )


@case
def cond_update_ops() -> Case:
    """Batch norm with `training` as a tensor: update ops in branches, or on values from them."""

    def build() -> None:
        images = tf.placeholder(tf.float32, [None, 4, 4, 2], "images")
        training = tf.placeholder_with_default(False, [], "training")
        mean = tf.get_variable("mean", [3], trainable=False, initializer=tf.zeros_initializer())
        steps = tf.get_variable("steps", [], tf.int64, tf.zeros_initializer(), trainable=False)
        net = tf.layers.conv2d(images, 3, 3, padding="same")
        net = tf.layers.batch_normalization(net, momentum=0.8, training=training)
        net = tf.nn.relu(net)
        net = tf.layers.conv2d(net, 3, 3, padding="same")
        net = tf.layers.batch_normalization(net, momentum=0.7, training=training, fused=False)
        feature = tf.reduce_mean(net, [1, 2])
        batch_mean = tf.reduce_mean(feature, 0)
        update = tf.cond(
            training,
            lambda: tf.group(mean.assign_sub(0.1 * (mean - batch_mean)), steps.assign_add(1)),
            tf.no_op,
        )
        tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, update)
        outputs = {"default": feature, "net": net}
        hub.add_signature(inputs={"images": images}, outputs=outputs)
        hub.add_signature("with_mode", {"images": images, "training": training}, outputs)

    images = normal("cond_update_ops", 5, 4, 4, 2)
    return Case(
        build,
        {"default": {"images": images}, "with_mode": {"images": images, "training": True}},
        train=Train("with_mode", outputs=["default"]),
    )


@case
def cond_update_ops_off() -> Case:
    """The same graph trained with `training` left at False: no statistics may move."""
    described = cond_update_ops()
    described.train = Train("default", outputs=["default"])
    return described
