"""Modules in modules."""

from __future__ import annotations

import shutil
from typing import Any

import numpy as np

from .building import (
    checkpoint_names,
    collections,
    dense,
    evaluate,
    files_in,
    initialized,
    linear,
    names,
    names_in_map,
    network,
    numbers,
    values_of,
    weights,
    words_file,
)
from .registry import STEPS, Kept, program


def _inner(tf: Any, hub: Any, folder: str, training: bool) -> None:
    path = words_file(folder, "source/words.txt", ["red", "green", "blue"])
    words = tf.placeholder(tf.string, [None], name="words")
    table = tf.lookup.StaticVocabularyTable(
        tf.lookup.TextFileInitializer(
            path,
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        ),
        num_oov_buckets=1,
    )
    hidden = tf.nn.embedding_lookup(weights(tf, "embeddings", 4, 3), table.lookup(words))
    hidden.set_shape([None, 3])
    average = tf.get_variable("average", [3], trainable=False, initializer=tf.ones_initializer())
    if training:
        update = average.assign_sub(
            0.1 * (average - tf.reduce_mean(hidden, 0)), name="update", read_value=False
        )
        tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, update)
    y = dense(tf, hidden - average, 3, "layer", l2=0.1)
    y = tf.cond(tf.reduce_sum(y) > 0, lambda: y * 2, lambda: y - 1)
    hub.add_signature(inputs=words, outputs=y)


_VARIANTS = [(set(), {"training": False}), ({"train"}, {"training": True})]


@program(tolerance=STEPS)
def nested_two_deep(tf: Any, hub: Any, folder: str) -> dict:
    """A module in a module in a module: exported from each level, trained, exported again."""
    inner = hub.create_module_spec(lambda training: _inner(tf, hub, folder, training), _VARIANTS)
    result: dict[str, Any] = {}

    def middle_fn(training: bool) -> None:
        words = tf.placeholder(tf.string, [None], name="words")
        tags = {"train"} if training else set()
        module = hub.Module(folder + "/inner", trainable=True, tags=tags, name="inner")
        y = dense(tf, module(words), 2, "middle", l2=0.1, seed=4)
        if not training:
            result["in middle"] = collections(tf)
        hub.add_signature(inputs=words, outputs=tf.tanh(y, name="y"))

    def outer_fn(training: bool) -> None:
        words = tf.placeholder(tf.string, [None], name="words")
        tags = {"train"} if training else set()
        with tf.variable_scope("scope"):
            first = hub.Module(middle, trainable=True, tags=tags)
            second = hub.Module(middle, tags=tags)
        y = tf.concat([first(words), second(words), first(words)], 1)
        hub.add_signature(inputs=words, outputs=dense(tf, y, 2, "outer", seed=5))

    words = ["red", "mauve", "blue", "red"]
    with tf.Graph().as_default():
        module = hub.Module(inner, name="first_of_all")
        with initialized(tf) as session:
            module.export(folder + "/inner", session)
    shutil.rmtree(folder + "/source")
    middle = hub.create_module_spec(middle_fn, _VARIANTS)
    outer = hub.create_module_spec(outer_fn, _VARIANTS)
    with tf.Graph().as_default():
        module = hub.Module(outer, trainable=True, tags={"train"})
        y = module(words)
        loss = tf.reduce_sum(tf.square(y)) + tf.losses.get_regularization_loss()
        step = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
        result["map"] = names_in_map(module)
        result["regularization"] = names(tf.losses.get_regularization_losses())
        result["trainable"] = names(tf.trainable_variables())
        result["updates"] = len(tf.get_collection(tf.GraphKeys.UPDATE_OPS))
        result["tables"] = len(tf.get_collection(tf.GraphKeys.TABLE_INITIALIZERS))
        with initialized(tf) as session:
            session.run(step)
            result["trained"] = values_of(session, module)
            result["y"] = session.run(y)
            module.export(folder + "/outer", session)
    shutil.rmtree(folder + "/inner")
    result["files"] = files_in(folder + "/outer")
    result["checkpoint"] = checkpoint_names(tf, folder + "/outer")
    with hub.eval_function_for_module(folder + "/outer") as function:
        result["loaded"] = function(words)
    result["kept"] = Kept("outer", {"default": words}, {"default": result["loaded"]})
    return result


@program(tolerance=STEPS)
def nested_updates(tf: Any, hub: Any, folder: str) -> dict:
    """Update ops of an inner module that is trainable, or frozen."""

    def outer_fn(trainable: bool) -> None:
        x = tf.placeholder(tf.float32, [None, 4], name="x")
        module = hub.Module(network(tf, hub), trainable=trainable, tags={"train"}, name="net")
        hub.add_signature(inputs=x, outputs=tf.identity(module(x), name="y"))

    result: dict[str, Any] = {}
    for trainable in (True, False):
        spec = hub.create_module_spec(outer_fn, [(set(), {"trainable": trainable})])
        with tf.Graph().as_default():
            module = hub.Module(spec, trainable=True, name="outer")
            y = module(numbers(5, 4, scale=2.0))
            key = "trainable" if trainable else "frozen"
            result[key] = collections(tf)
            updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
            with initialized(tf) as session:
                session.run([y, updates])
                result[key + " values"] = values_of(session, module)
    return result


@program()
def nested_in_control_flow(tf: Any, hub: Any, folder: str) -> dict:
    """An inner module applied in the cond and the loop of an outer one."""

    def outer_fn() -> None:
        x = tf.placeholder(tf.float32, [None, 3], name="x")
        flag = tf.placeholder(tf.bool, [], name="flag")
        module = hub.Module(linear(tf, hub), name="inner")
        w = weights(tf, "w", 2, 3)
        y = tf.while_loop(lambda i, _: i < 2, lambda i, y: (i + 1, tf.matmul(module(y), w)), [0, x])
        z = tf.cond(flag, lambda: module(y[1]), lambda: tf.zeros([1, 2]))
        hub.add_signature(inputs={"x": x, "flag": flag}, outputs=z)

    with tf.Graph().as_default():
        module = hub.Module(hub.create_module_spec(outer_fn), trainable=True)
        x = tf.constant(numbers(2, 3))
        outputs = [module({"x": x, "flag": flag}) for flag in (True, False)]
        gradients = tf.gradients(outputs[0], [x, *module.variables])
        result = {"names": names(module.variables), "trainable": names(tf.trainable_variables())}
        with initialized(tf) as session:
            result["true"], result["false"] = session.run(outputs)
            for k, value in enumerate(session.run(gradients)):
                result["gradient %d" % k] = value
            module.export(folder + "/module", session)
    result["kept"] = Kept(
        "module", {"x": numbers(2, 3), "flag": np.array(True)}, {"default": result["true"]}
    )
    with tf.Graph().as_default():
        module = hub.Module(folder + "/module")
        result["loaded"] = evaluate(tf, module({"x": numbers(2, 3), "flag": True}))
    return result


@program()
def nested_outputs(tf: Any, hub: Any, folder: str) -> dict:
    """A module that only passes another on, with all of its signatures."""

    def inner_fn() -> None:
        x = tf.placeholder(tf.float32, [None, 3], name="x")
        y = tf.matmul(x, weights(tf, "w", 3, 2))
        hub.add_signature(inputs={"x": x}, outputs={"default": y, "same": x})
        hub.add_signature("more", {"x": x}, tf.exp(y))

    def outer_fn() -> None:
        module = hub.Module(inner, name="inner")
        for name in sorted(module.get_signature_names()):
            infos = module.get_input_info_dict(name)
            inputs = {k: tf.placeholder(i.dtype, i.get_shape()) for k, i in infos.items()}
            hub.add_signature(name, inputs, module(inputs, signature=name, as_dict=True))

    inner = hub.create_module_spec(inner_fn)
    with tf.Graph().as_default():
        module = hub.Module(hub.create_module_spec(outer_fn))
        x = tf.constant(numbers(2, 3))
        outputs = module({"x": x}, as_dict=True)
        more = module({"x": x}, signature="more")
        return {
            "same": outputs["same"] is x,
            "values": evaluate(tf, [outputs["default"], more][1]),
            "names": names([outputs["default"], more, *module.variables]),
        }
