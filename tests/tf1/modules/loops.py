"""tf.while_loop and what is made of it: nested, growing, not differentiated, with TensorArrays."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
from case import Case, Train, case, normal


@case
def while_captures() -> Case:
    """The body reads placeholders, a resource variable and a constant from outside."""

    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3], "x")
        shift = tf.placeholder(tf.float32, [None, 3], "shift")
        steps = tf.placeholder_with_default(3, [], "steps")
        weights = tf.get_variable("weights", [3, 3])
        scale = tf.get_variable("scale", [3], initializer=tf.ones_initializer())
        third = tf.constant([0.1, 0.2, 0.3])

        def body(i: tf.Tensor, state: tf.Tensor) -> tuple:
            moved = tf.matmul(state, weights) + shift * tf.cast(i, tf.float32)
            return i + 1, tf.tanh(moved * scale.read_value() + third)

        _, y = tf.while_loop(lambda i, _: i < steps, body, [0, x])
        hub.add_signature(inputs={"x": x, "shift": shift}, outputs=y)
        hub.add_signature("with_steps", {"x": x, "shift": shift, "steps": steps}, y)

    inputs = {"x": normal("captures/x", 4, 3), "shift": normal("captures/shift", 4, 3)}
    return Case(
        build,
        {"default": inputs, "with_steps": dict(inputs, steps=np.int32(5))},
        train=Train("with_steps"),
    )


@case
def while_in_while() -> Case:
    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3], "x")
        lengths = tf.placeholder(tf.int32, [None], "lengths")
        weights = tf.get_variable("weights", [3, 3])
        decay = tf.get_variable("decay", [], initializer=tf.constant_initializer(0.7))

        def outer(i: tf.Tensor, state: tf.Tensor, sums: tf.TensorArray) -> tuple:
            start = tf.tanh(tf.matmul(state, weights))

            def inner(j: tf.Tensor, value: tf.Tensor) -> tuple:
                return j + 1, decay * value + tf.sin(start) * tf.cast(j, tf.float32)

            _, state = tf.while_loop(lambda j, _: j < lengths[i], inner, [0, start])
            return i + 1, state, sums.write(i, tf.reduce_sum(state))

        sums = tf.TensorArray(tf.float32, tf.size(lengths))
        _, y, sums = tf.while_loop(lambda i, *_: i < tf.size(lengths), outer, [0, x, sums])
        hub.add_signature(
            inputs={"x": x, "lengths": lengths}, outputs={"default": y, "sums": sums.stack()}
        )

    inputs = {"x": normal("while_in_while", 2, 3), "lengths": np.array([2, 0, 3], "int32")}
    return Case(build, {"default": inputs}, train=Train())


@case
def while_in_while_in_while() -> Case:
    def build() -> None:
        x = tf.placeholder(tf.float32, [2, 2], "x")
        weights = tf.get_variable("weights", [2, 2])

        def nest(depth: int, value: tf.Tensor) -> tf.Tensor:
            def body(i: tf.Tensor, state: tf.Tensor) -> tuple:
                if depth:
                    state = nest(depth - 1, state)
                return i + 1, tf.tanh(tf.matmul(state, weights) + x)

            return tf.while_loop(lambda i, _: i < depth + 1, body, [0, value])[1]

        hub.add_signature(inputs={"x": x}, outputs=nest(2, x))

    return Case(build, {"default": {"x": normal("three_loops", 2, 2)}}, train=Train())


@case
def while_growing() -> Case:
    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3], "x")
        steps = tf.placeholder(tf.int32, [], "steps")
        weights = tf.get_variable("weights", [3, 3])

        def body(i: tf.Tensor, rows: tf.Tensor) -> tuple:
            return i + 1, tf.concat([rows, tf.tanh(tf.matmul(rows[-1:], weights))], 0)

        shapes = [tf.TensorShape([]), tf.TensorShape([None, 3])]
        _, rows = tf.while_loop(lambda i, _: i < steps, body, [0, x], shape_invariants=shapes)
        hub.add_signature(inputs={"x": x, "steps": steps}, outputs=rows)

    inputs = {"x": normal("while_growing", 2, 3), "steps": np.int32(4)}
    return Case(build, {"default": inputs}, train=Train())


@case
def while_growing_unknown_rank() -> Case:
    def build() -> None:
        x = tf.placeholder(tf.float32, [None], "x")
        scale = tf.get_variable("scale", [], initializer=tf.ones_initializer())

        def body(i: tf.Tensor, value: tf.Tensor) -> tuple:
            return i + 1, tf.expand_dims(tf.sin(scale * value), 0)

        shapes = [tf.TensorShape([]), tf.TensorShape(None)]
        _, y = tf.while_loop(lambda i, _: i < 2, body, [0, x], shape_invariants=shapes)
        hub.add_signature(inputs={"x": x}, outputs={"default": tf.reduce_sum(y), "grown": y})

    return Case(
        build,
        {"default": {"x": normal("unknown_rank", 4)}},
        notes=["Not trained: the gradient fails in TF 1.15, over the shape of an accumulator."],
    )


@case
def while_without_backprop() -> Case:
    """TF1 takes the gradient of a loop with back_prop=False for zero."""

    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3], "x")
        weights = tf.get_variable("weights", [3, 3])
        frozen = tf.get_variable("frozen", [3, 3])

        def body(i: tf.Tensor, state: tf.Tensor) -> tuple:
            return i + 1, tf.tanh(tf.matmul(state, frozen)) + tf.reduce_sum(weights)

        _, fixed = tf.while_loop(lambda i, _: i < 3, body, [0, x], back_prop=False)
        y = tf.matmul(tf.stop_gradient(fixed), weights) + 0.1 * tf.matmul(x, frozen)
        hub.add_signature(inputs={"x": x}, outputs={"default": y, "fixed": fixed})

    x = normal("without_backprop", 4, 3)
    return Case(build, {"default": {"x": x}}, train=Train(outputs=["default"]))


@case
def while_options() -> Case:
    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 4], "x")
        weights = tf.get_variable("weights", [4, 4])

        def body(state: tf.Tensor) -> tf.Tensor:
            return tf.tanh(tf.matmul(state, weights)) + 0.5 * state

        def loop(state: tf.Tensor, **options: object) -> tf.Tensor:
            return tf.while_loop(
                lambda s: tf.reduce_sum(tf.abs(s)) < 50.0,
                body,
                [state],
                maximum_iterations=4,
                **options,
            )

        y = loop(x, swap_memory=True, parallel_iterations=1)
        y = loop(y, swap_memory=True, name="swapped")
        y = loop(y, parallel_iterations=32, name="parallel")
        hub.add_signature(inputs={"x": x}, outputs=y)

    return Case(build, {"default": {"x": normal("while_options", 3, 4)}}, train=Train())


@case
def while_embedding() -> Case:
    """The gradient of the table is sparse, from within a loop, for both kinds of variables."""

    def build() -> None:
        ids = tf.placeholder(tf.int32, [None, None], "ids")
        table = tf.get_variable("table", [7, 3])
        with tf.variable_scope("", use_resource=False):
            old = tf.get_variable("old", [7, 3])
        weights = tf.get_variable("weights", [3, 3])

        def body(i: tf.Tensor, state: tf.Tensor) -> tuple:
            row = tf.nn.embedding_lookup(table, ids[:, i]) + tf.nn.embedding_lookup(old, ids[:, i])
            return i + 1, tf.tanh(tf.matmul(state, weights) + row)

        start = tf.zeros([tf.shape(ids)[0], 3])
        shapes = [tf.TensorShape([]), tf.TensorShape([None, 3])]
        loop = tf.while_loop(lambda i, _: i < tf.shape(ids)[1], body, [0, start], shapes)
        hub.add_signature(inputs={"ids": ids}, outputs=loop[1])

    ids = np.array([[1, 5, 5, 0], [2, 5, 1, 2]], "int32")
    return Case(build, {"default": {"ids": ids}}, train=Train(learning_rate=0.1))


@case
def while_controls() -> Case:
    """A counter in the body; control dependencies lead into the loop, within it and out of it."""

    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 2], "x")
        steps = tf.placeholder_with_default(3, [], "steps")
        weights = tf.get_variable("weights", [2, 2])
        begun = tf.get_variable("begun", [], tf.int32, tf.zeros_initializer(), trainable=False)
        turns = tf.get_variable("turns", [], tf.int64, tf.zeros_initializer(), trainable=False)
        total = tf.get_variable("total", [2], initializer=tf.zeros_initializer(), trainable=False)

        def body(i: tf.Tensor, state: tf.Tensor) -> tuple:
            with tf.control_dependencies([turns.assign_add(1), tf.Assert(i < 100, [i])]):
                state = tf.tanh(tf.matmul(state, weights))
            with tf.control_dependencies([total.assign_add(tf.reduce_sum(state, 0))]):
                return tf.identity(i) + 1, state

        with tf.control_dependencies([begun.assign_add(1)]):
            count, y = tf.while_loop(lambda i, _: i < steps, body, [0, x], parallel_iterations=1)
        with tf.control_dependencies([count]):
            seen = turns.read_value()
            sums = total.read_value()
            starts = begun.read_value()
        hub.add_signature(
            inputs={"x": x},
            outputs={"default": y, "turns": seen, "total": sums, "begun": starts},
        )
        hub.add_signature("with_steps", {"x": x, "steps": steps}, {"default": y, "turns": seen})

    x = normal("while_controls", 3, 2)
    return Case(
        build,
        {"default": {"x": x}, "with_steps": {"x": x, "steps": np.int32(5)}},
        train=Train("with_steps", loss_with_step=True),
        calls=2,
    )


@case
def while_controls_reference() -> Case:
    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 2], "x")
        weights = tf.get_variable("weights", [2, 2])
        with tf.variable_scope("", use_resource=False):
            turns = tf.get_variable("turns", [], tf.int32, tf.zeros_initializer(), trainable=False)
            total = tf.get_variable("total", [2], trainable=False)

        def body(i: tf.Tensor, state: tf.Tensor) -> tuple:
            with tf.control_dependencies([tf.assign_add(turns, 1)]):
                state = tf.tanh(tf.matmul(state, weights))
            with tf.control_dependencies([tf.assign_add(total, tf.reduce_sum(state, 0))]):
                return i + 1, tf.identity(state)

        count, y = tf.while_loop(lambda i, _: i < 3, body, [0, x], parallel_iterations=1)
        with tf.control_dependencies([count, y]):
            outputs = {"default": y, "turns": turns.read_value(), "total": total.read_value()}
        hub.add_signature(inputs={"x": x}, outputs=outputs)

    x = normal("while_controls", 3, 2)
    return Case(
        build,
        {"default": {"x": x}},
        train=Train(outputs=["default"], loss_with_step=True),
        calls=2,
    )


@case
def tensor_arrays() -> Case:
    """All that writes and reads many elements: unstack, scatter, split, stack, gather, concat."""

    def build() -> None:
        x = tf.placeholder(tf.float32, [4, 3], "x")
        weights = tf.get_variable("weights", [3, 3])
        gain = tf.get_variable("gain", [4], initializer=tf.ones_initializer())
        rows = tf.TensorArray(tf.float32, 4, clear_after_read=False)
        rows = rows.unstack(tf.matmul(x, weights))
        pieces = tf.TensorArray(tf.float32, 3, infer_shape=False, name="pieces")
        pieces = pieces.split(tf.tanh(x) * gain[:, None], [1, 0, 3])
        spread = tf.TensorArray(tf.float32, 6, name="spread").scatter([4, 0, 5, 2], x * gain[0])

        def body(i: tf.Tensor, joined: tf.TensorArray, kept: tf.TensorArray) -> tuple:
            joined = joined.write(i, tf.concat([pieces.read(i), rows.read(i)[None] * gain[i]], 0))
            return i + 1, joined, kept.write(i, rows.read(i + 1) + gain[i])

        joined = tf.TensorArray(tf.float32, 3, infer_shape=False, element_shape=[None, 3])
        kept = tf.TensorArray(tf.float32, 3, clear_after_read=False)
        _, joined, kept = tf.while_loop(lambda i, *_: i < 3, body, [0, joined, kept])
        hub.add_signature(
            inputs={"x": x},
            outputs={
                "concat": joined.concat(),
                "stack": kept.stack(),
                "gather": kept.gather([2, 0, 2]),
                "spread": spread.gather([0, 2, 4, 5]),
                "size": kept.size(),
            },
        )

    return Case(build, {"default": {"x": normal("tensor_arrays", 4, 3)}}, train=Train())


@case
def tensor_array_dynamic() -> Case:
    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3], "x")
        limit = tf.placeholder(tf.float32, [], "limit")
        weights = tf.get_variable("weights", [3, 3])
        history = tf.TensorArray(tf.float32, 0, dynamic_size=True, clear_after_read=False)
        unshaped = tf.TensorArray(tf.float32, 1, dynamic_size=True, infer_shape=False)

        def go_on(i: tf.Tensor, state: tf.Tensor, *_: tf.TensorArray) -> tf.Tensor:
            return (tf.reduce_sum(state**2) < limit) & (i < 20)

        def body(i: tf.Tensor, state: tf.Tensor, h: tf.TensorArray, u: tf.TensorArray) -> tuple:
            h = h.write(i, state)
            state = state + tf.tanh(tf.matmul(h.read(i // 2), weights))
            return i + 1, state, h, u.write(i, state[: i + 1])

        count, y, history, unshaped = tf.while_loop(go_on, body, [0, x, history, unshaped])
        hub.add_signature(
            inputs={"x": x, "limit": limit},
            outputs={
                "default": y,
                "history": history.stack(),
                "pieces": unshaped.concat(),
                "count": count,
                "size": history.size(),
            },
        )

    inputs = {"x": normal("tensor_array_dynamic", 4, 3), "limit": np.float32(90.0)}
    return Case(build, {"default": inputs}, train=Train(learning_rate=0.001))


@case
def tensor_array_in_cond() -> Case:
    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3], "x")
        flags = tf.placeholder(tf.bool, [None], "flags")
        weights = tf.get_variable("weights", [3, 3])
        rows = tf.TensorArray(tf.float32, tf.shape(x)[0], clear_after_read=False).unstack(x)

        def body(i: tf.Tensor, state: tf.Tensor, out: tf.TensorArray) -> tuple:
            read_weights = weights.read_value()
            state = tf.cond(
                flags[i],
                lambda: tf.tanh(tf.tensordot(rows.read(i), read_weights, 1)) + state,
                lambda: 0.5 * state,
            )
            state.set_shape([3])
            return i + 1, state, out.write(i, state)

        start = [0, tf.zeros([3]), tf.TensorArray(tf.float32, tf.shape(x)[0])]
        _, y, out = tf.while_loop(lambda i, *_: i < tf.shape(x)[0], body, start)
        hub.add_signature(
            inputs={"x": x, "flags": flags}, outputs={"default": y, "states": out.stack()}
        )

    inputs = {
        "x": normal("tensor_array_in_cond", 5, 3),
        "flags": np.array([True, False, True, True, False]),
    }
    return Case(build, {"default": inputs}, train=Train())


@case
def tensor_array_no_loop() -> Case:
    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3], "x")
        flag = tf.placeholder_with_default(True, [], "flag")
        weights = tf.get_variable("weights", [3, 2])
        array = tf.TensorArray(tf.float32, 3, clear_after_read=False)
        array = array.write(0, tf.matmul(x, weights)).write(2, tf.tanh(tf.matmul(x, weights)))
        array = array.write(1, array.read(0) * array.read(2))
        chosen = tf.cond(flag, lambda: array.read(1), lambda: array.read(2))
        hub.add_signature(inputs={"x": x}, outputs={"default": array.stack(), "chosen": chosen})
        hub.add_signature(
            "with_flag", {"x": x, "flag": flag}, {"chosen": chosen, "concat": array.concat()}
        )

    x = normal("no_loop", 4, 3)
    return Case(
        build,
        {"default": {"x": x}, "with_flag": {"x": x, "flag": False}},
        train=Train("with_flag"),
    )


@case
def scan_reverse() -> Case:
    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3], "x")
        weights = tf.get_variable("weights", [3, 3])
        decay = tf.get_variable("decay", [3], initializer=tf.constant_initializer(0.5))

        def step(state: tuple, row: tf.Tensor) -> tuple:
            total, count = state
            return tf.tanh(decay * total + tf.tensordot(row, weights, 1)), count + 1

        start = (tf.zeros([3]), tf.constant(0, tf.int64))
        total, count = tf.scan(step, x, start, reverse=True)
        without_start = tf.scan(lambda a, b: decay * a + b, x, reverse=True, parallel_iterations=2)
        hub.add_signature(
            inputs={"x": x},
            outputs={"default": total, "count": count, "without_start": without_start},
        )

    return Case(build, {"default": {"x": normal("scan_reverse", 5, 3)}}, train=Train())


@case
def map_fn_many() -> Case:
    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3], "x")
        counts = tf.placeholder(tf.int64, [None], "counts")
        words = tf.placeholder(tf.string, [None], "words")
        weights = tf.get_variable("weights", [3, 3])

        def several(row: tuple) -> tuple:
            value, count, word = row
            hidden = tf.tanh(tf.tensordot(value, weights, 1)) * tf.cast(count, tf.float32)
            return hidden, tf.strings.length(word), tf.strings.join([word, "!"]), count > 1

        dtypes = (tf.float32, tf.int32, tf.string, tf.bool)
        hidden, lengths, cried, many = tf.map_fn(several, (x, counts, words), dtypes)
        padded = tf.map_fn(
            lambda n: tf.pad(tf.range(n), [[0, 4 - n]]),
            tf.cast(counts, tf.int32),
            infer_shape=False,
        )
        frozen = tf.map_fn(
            lambda row: tf.tensordot(row, weights, 1), x, back_prop=False, swap_memory=True
        )
        hub.add_signature(
            inputs={"x": x, "counts": counts, "words": words},
            outputs={
                "default": hidden,
                "lengths": lengths,
                "words": cried,
                "many": many,
                "padded": padded,
                "frozen": tf.stop_gradient(frozen),
            },
        )

    inputs = {
        "x": normal("map_fn_many", 4, 3),
        "counts": np.array([1, 3, 0, 2], "int64"),
        "words": np.array(["one", "three", "", "ab"], object),
    }
    return Case(build, {"default": inputs}, train=Train(outputs=["default"]))


@case
def folds() -> Case:
    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3], "x")
        weights = tf.get_variable("weights", [3, 3])

        def step(state: tf.Tensor, row: tf.Tensor) -> tf.Tensor:
            return tf.tanh(tf.tensordot(state, weights, 1)) + row

        left = tf.foldl(step, x, tf.ones([3]))
        right = tf.foldr(step, x)
        nested = tf.foldl(
            lambda total, row: total + tf.foldr(lambda a, b: a * tf.cos(b), tf.sin(row)),
            tf.matmul(x, weights),
            0.0,
        )
        hub.add_signature(
            inputs={"x": x}, outputs={"default": left, "right": right, "nested": nested}
        )

    return Case(build, {"default": {"x": normal("folds", 4, 3)}}, train=Train())


@case
def while_structure() -> Case:
    """Loop variables of many kinds: a tuple in a list, a sparse tensor, strings, unused ones."""

    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3], "x")
        word = tf.placeholder(tf.string, [], "word")
        weights = tf.get_variable("weights", [3, 3])
        entries = tf.SparseTensor([[0, 1], [2, 0]], [1.0, 2.0], [3, 3])

        def body(i: tf.Tensor, pair: tuple, word: tf.Tensor, entries: tf.SparseTensor, _) -> tuple:
            a, b = pair
            entries = tf.SparseTensor(entries.indices, entries.values * 1.5, entries.dense_shape)
            moved = tf.sparse.sparse_dense_matmul(entries, tf.matmul(a, weights), adjoint_a=False)
            return i + 1, (b, tf.tanh(moved)), word + ".", entries, a

        start = [tf.constant(0), (x, 2.0 * x), word, entries, tf.zeros_like(x)]
        i, (a, b), word, entries, last = tf.while_loop(lambda i, *_: i < 3, body, start)
        hub.add_signature(
            inputs={"x": x, "word": start[2]},
            outputs={
                "default": a + b,
                "word": word,
                "entries": entries,
                "count": i,
                "last": last,
            },
        )

    inputs = {"x": normal("while_structure", 3, 3), "word": np.array("so", object)}
    return Case(build, {"default": inputs}, train=Train(outputs=["default"]))


@case
def while_zero_turns() -> Case:
    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3], "x")
        steps = tf.placeholder(tf.int32, [], "steps")
        weights = tf.get_variable("weights", [3, 3])
        array = tf.TensorArray(tf.float32, steps, element_shape=[None, 3])

        def body(i: tf.Tensor, state: tf.Tensor, array: tf.TensorArray) -> tuple:
            state = tf.matmul(state, weights)
            return i + 1, state, array.write(i, state)

        _, y, array = tf.while_loop(lambda i, *_: i < steps, body, [0, x * weights[0], array])
        hub.add_signature(inputs={"x": x, "steps": steps}, outputs={"default": y})

    inputs = {"x": normal("while_zero_turns", 4, 3), "steps": np.int32(0)}
    return Case(build, {"default": inputs}, train=Train())
