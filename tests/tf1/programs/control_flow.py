"""Modules applied in conds and loops, and conds and loops in modules."""

from __future__ import annotations

from typing import Any

import numpy as np

from .building import (
    dense,
    evaluate,
    initialized,
    linear,
    names,
    network,
    numbers,
    values_of,
    weights,
    words_file,
)
from .registry import STEPS, program


@program(control_flow_names=["name"])
def applied_in_conds(tf: Any, hub: Any, folder: str) -> dict:
    """In a branch, in both, and only the branch that is taken runs."""
    with tf.Graph().as_default():
        left = hub.Module(linear(tf, hub, 1), name="left")
        right = hub.Module(linear(tf, hub, 2), name="right")
        flag = tf.placeholder(tf.bool, [])
        x = tf.constant(numbers(2, 3))
        seen = []

        def see(module: Any, value: Any) -> Any:
            seen.append(module(value))
            return seen[-1]

        outputs = [
            tf.cond(flag, lambda: see(left, x), lambda: see(right, x)),
            tf.cond(flag, lambda: see(left, x * 2) + left(x), lambda: tf.zeros([2, 2])),
            tf.cond(flag, lambda: left(numbers(2, 3)), lambda: right([[1.0, 2.0, 3.0]] * 2)),
        ]
        gradients = tf.gradients(outputs, [x])
        with initialized(tf) as session:
            result = {
                str(value): session.run([*outputs, *gradients][:3], {flag: value})
                for value in (True, False)
            }
            for value in (True, False):
                result["gradient %s" % value] = session.run(gradients[0], {flag: value})
        result["names"] = names(seen)
        return result


@program(control_flow_names=["name"])
def applied_in_while_loops(tf: Any, hub: Any, folder: str) -> dict:
    """In a body and in a condition, with gradients of the input and of the weights."""

    def square_fn() -> None:
        x = tf.placeholder(tf.float32, [None, 3], name="x")
        y = tf.sin(tf.matmul(x, weights(tf, "w", 3, 3, seed=4)), name="y")
        hub.add_signature(inputs=x, outputs={"default": y, "sum": tf.reduce_sum(y)})

    with tf.Graph().as_default():
        module = hub.Module(hub.create_module_spec(square_fn), trainable=True)
        x = tf.constant(numbers(2, 3))
        seen = []

        def body(i: Any, y: Any) -> Any:
            seen.append(module(y))
            return i + 1, seen[-1] + 0.1

        turns, y = tf.while_loop(lambda i, _: i < 3, body, [0, x])
        counted = tf.while_loop(
            lambda i, y: 0 * module(y, as_dict=True)["sum"] + tf.cast(i, tf.float32) < 2,
            lambda i, y: [i + 1, module(y)],
            [0, x],
            maximum_iterations=4,
        )
        gradients = tf.gradients(y, [x, *tf.trainable_variables()])
        result = evaluate(
            tf,
            {"turns": turns, "y": y, "x": gradients[0], "w": gradients[1], "counted": counted[1]},
        )
        result["names"] = names(seen)
        return result


@program(tolerance=STEPS)
def applied_in_map_fn(tf: Any, hub: Any, folder: str) -> dict:
    """Each row through a module, with gradients; strings through tables."""
    vocabulary = words_file(folder, "words.txt", ["one", "two", "three"])

    def words_fn() -> None:
        words = tf.placeholder(tf.string, [None], name="words")
        initializer = tf.lookup.TextFileInitializer(
            vocabulary, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, -1
        )
        table = tf.lookup.StaticVocabularyTable(initializer, 1)
        hub.add_signature(
            inputs=words,
            outputs=tf.nn.embedding_lookup(weights(tf, "e", 4, 2), table.lookup(words)),
        )

    with tf.Graph().as_default():
        module = hub.Module(linear(tf, hub), trainable=True)
        x = tf.constant(numbers(4, 2, 3))
        y = tf.map_fn(module, x)
        pooled = tf.map_fn(lambda rows: tf.reduce_max(module(rows), 0), x)
        gradients = tf.gradients([y, pooled], [x, *tf.trainable_variables()])
        words = hub.Module(hub.create_module_spec(words_fn), name="words")
        lines = tf.constant([["one", "two"], ["three", "four"], ["two", "two"]])
        embedded = tf.map_fn(words, lines, dtype=tf.float32)
        scanned = tf.scan(lambda s, rows: s + module(rows), x, tf.zeros([2, 2]))
        return evaluate(
            tf,
            {
                "y": y,
                "pooled": pooled,
                "x": gradients[0],
                "w": gradients[1],
                "embedded": embedded,
                "scanned": scanned,
            },
        )


@program(tolerance=STEPS)
def control_flow_inside(tf: Any, hub: Any, folder: str) -> dict:
    """A module with a cond and loops in it: applied twice, trained, and applied in a cond."""

    def module_fn() -> None:
        x = tf.placeholder(tf.float32, [None, 3], name="x")
        steps = tf.placeholder_with_default(2, [], name="steps")
        w = weights(tf, "w", 3, 3, seed=1)
        b = weights(tf, "b", 3, seed=2)
        y = tf.while_loop(
            lambda i, _: i < steps, lambda i, y: (i + 1, tf.tanh(tf.matmul(y, w)) + b), [0, x]
        )[1]
        y = tf.cond(tf.reduce_sum(y) > 0, lambda: tf.matmul(y, w), lambda: y * b)
        z = tf.map_fn(lambda row: tf.cumsum(row) * tf.reduce_sum(b), y)
        # In TF1 a variable that only a branch in a loop reads has no gradient.
        total = tf.reduce_sum(w)
        inner = tf.while_loop(
            lambda i, _: i < 2,
            lambda i, s: (i + 1, tf.cond(i > 0, lambda: s * 2, lambda: s + total)),
            [0, 1.0],
        )[1]
        hub.add_signature(inputs=x, outputs={"default": z, "y": y, "inner": inner})
        hub.add_signature("steps", {"x": x, "steps": steps}, z)

    with tf.Graph().as_default():
        module = hub.Module(hub.create_module_spec(module_fn), trainable=True)
        x = tf.constant(numbers(2, 3, seed=3))
        first = module(x, as_dict=True)
        flag = tf.placeholder_with_default(True, [])
        others = [
            module(-x),
            module({"x": x, "steps": 5}, signature="steps"),
            tf.cond(flag, lambda: module(x * 2), lambda: x),
        ]
        outputs = [first[key] for key in sorted(first)]
        # TF1 has no gradient of a loop in a cond.
        differentiable = outputs + others[:2]
        gradients = tf.gradients(differentiable, [x, *tf.trainable_variables()])
        loss = tf.add_n([tf.reduce_sum(tf.square(y)) for y in differentiable])
        step = tf.train.GradientDescentOptimizer(0.01).minimize(loss)
        with initialized(tf) as session:
            result = {"first": session.run(outputs), "others": session.run(others)}
            result = {
                "%s %d" % (key, k): value
                for key, values in result.items()
                for k, value in enumerate(values)
            }
            for k, value in enumerate(session.run(gradients)):
                result["gradient %d" % k] = value
            session.run(step)
            session.run(step)
            result["trained"] = values_of(session, module)
            module.export(folder + "/module", session)
    with tf.Graph().as_default():
        module = hub.Module(folder + "/module", trainable=True)
        y = module(numbers(2, 3, seed=3))
        gradient = tf.gradients(y, tf.trainable_variables())
        result["loaded"], result["gradient of loaded"] = evaluate(tf, [y, gradient[0]])
    return result


@program()
def control_flow_of_assignments(tf: Any, hub: Any, folder: str) -> dict:
    """A module that counts in a branch of a cond, and in a loop."""

    def module_fn() -> None:
        flag = tf.placeholder(tf.bool, [], name="flag")
        turns = tf.placeholder(tf.int32, [], name="turns")
        count = tf.get_variable("count", [], initializer=tf.zeros_initializer())
        total = tf.get_variable("total", [], initializer=tf.zeros_initializer())

        def add() -> Any:
            with tf.control_dependencies([count.assign_add(1.0)]):
                return tf.constant(1)

        chosen = tf.cond(flag, add, lambda: tf.constant(2))

        def body(i: Any) -> Any:
            with tf.control_dependencies([total.assign_add(2.0)]):
                return tf.add(i, 1)

        ran = tf.while_loop(lambda i: i < turns, body, [0], parallel_iterations=1)
        hub.add_signature(inputs={"flag": flag, "turns": turns}, outputs={"c": chosen, "r": ran})

    with tf.Graph().as_default():
        module = hub.Module(hub.create_module_spec(module_fn))
        flag = tf.placeholder(tf.bool, [])
        y = module({"flag": flag, "turns": 3}, as_dict=True)
        result = {}
        with initialized(tf) as session:
            for k, (fetches, value) in enumerate([("cr", True), ("cr", False), ("c", True)]):
                result["outputs %d" % k] = session.run([y[key] for key in fetches], {flag: value})
                result["variables %d" % k] = values_of(session, module)
        return result


@program(tolerance=STEPS)
def control_flow_around_training(tf: Any, hub: Any, folder: str) -> dict:
    """The variant for training applied in a cond, its losses used outside."""
    with tf.Graph().as_default():
        module = hub.Module(network(tf, hub), trainable=True)
        flag = tf.placeholder(tf.bool, [])
        x = tf.constant(numbers(3, 4))
        y = tf.cond(flag, lambda: module(x), lambda: tf.zeros([3, 2]))
        y = dense(tf, y, 1, "head")
        loss = tf.reduce_sum(tf.square(y)) + tf.losses.get_regularization_loss()
        step = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
        result = {"losses": names(tf.losses.get_regularization_losses())}
        with initialized(tf) as session:
            for value in (True, False):
                session.run(step, {flag: value})
                result["after %s" % value] = values_of(session, module)
        return result


@program()
def functions_inside(tf: Any, hub: Any, folder: str) -> dict:
    """Functions of TF1 in modules: with one name and equal bodies, and with names of their own."""
    from tensorflow.python.framework import function

    def spec(factor: float, name: str) -> Any:
        def module_fn() -> None:
            @function.Defun(tf.float32, func_name=name)
            def scale(value: Any) -> Any:
                return tf.square(value) * factor

            x = tf.placeholder(tf.float32, [None, 3], name="x")
            w = weights(tf, "w", 3, 2)
            hub.add_signature(inputs=x, outputs=tf.identity(scale(tf.matmul(x, w)), name="y"))

        return hub.create_module_spec(module_fn)

    with tf.Graph().as_default():
        modules = [hub.Module(spec(2.0, "scale")), hub.Module(spec(2.0, "scale"))]
        modules.append(hub.Module(spec(3.0, "other_scale"), trainable=True))
        outputs = [module(numbers(2, 3)) for module in modules]
        outputs.append(modules[0](numbers(1, 3)))
        gradient = tf.gradients(outputs[2], tf.trainable_variables())[0]
        return evaluate(tf, dict(zip("abcdg", [*outputs, gradient])))


@program()
def functions_of_equal_names(tf: Any, hub: Any, folder: str) -> dict:
    """Loops and conds of two modules that TensorFlow gives the same names, in one graph."""

    def spec(factor: float) -> Any:
        def module_fn() -> None:
            x = tf.placeholder(tf.float32, [], name="x")
            w = tf.get_variable("w", [], initializer=tf.constant_initializer(factor))
            y = tf.cond(x > 0, lambda: x * w, lambda: x - w)
            y = tf.while_loop(lambda i, _: i < 2, lambda i, y: (i + 1, y * factor), [0, y])[1]
            hub.add_signature(inputs=x, outputs=y)

        return hub.create_module_spec(module_fn)

    with tf.Graph().as_default():
        x = tf.constant(1.0)
        mine = tf.cond(x > 0, lambda: x * 10, lambda: x)
        modules = [hub.Module(spec(factor), trainable=True) for factor in (2.0, 3.0)]
        outputs = [module(sign) for module in modules for sign in (1.0, -1.0)]
        gradients = tf.gradients(outputs[::2], tf.trainable_variables())
        return {
            "outputs": np.array(evaluate(tf, outputs)),
            "gradients": np.array(evaluate(tf, gradients)),
            "mine": evaluate(tf, mine),
        }


@program()
def random_modules(tf: Any, hub: Any, folder: str) -> dict:
    """Dropout in a module: other values in each run and application, the same within one run."""

    def module_fn() -> None:
        x = tf.placeholder(tf.float32, [100], name="x")
        noise = tf.random_uniform([100])
        kept = tf.cast(noise < 0.5, tf.float32)
        hub.add_signature(inputs=x, outputs={"default": x * kept, "kept": kept})

    with tf.Graph().as_default():
        module = hub.Module(hub.create_module_spec(module_fn))
        outputs = module(tf.ones([100]), as_dict=True)
        other = module(tf.ones([100]))
        with initialized(tf) as session:
            first, kept, second = session.run([outputs["default"], outputs["kept"], other])
            later = session.run(outputs["default"])
        return {
            "consistent": np.array_equal(first, kept),
            "second differs": not np.array_equal(first, second),
            "later differs": not np.array_equal(first, later),
        }
