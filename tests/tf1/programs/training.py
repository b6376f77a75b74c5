"""Gradients through modules, and steps of training them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .building import (
    batch_norm,
    dense,
    evaluate,
    initialized,
    names,
    network,
    numbers,
    values_of,
    weights,
)
from .registry import STEPS, program

LEARNING_RATE = 0.1


def _train(tf: Any, loss: Any, modules: Any, steps: int = 3, feed: Any = None) -> dict:
    """Steps of SGD on a loss plus the regularization losses, with the update ops."""
    total = loss + tf.losses.get_regularization_loss()
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        step = tf.train.GradientDescentOptimizer(LEARNING_RATE).minimize(total)
    result: dict[str, Any] = {}
    with initialized(tf) as session:
        for k in range(steps):
            result["loss %d" % k] = session.run(total, feed)
            session.run(step, feed)
            for name, module in modules.items():
                result["%s after %d" % (name, k + 1)] = values_of(session, module)
    return result


@program(tolerance=STEPS)
def gradients_of_outputs(tf: Any, hub: Any, folder: str) -> dict:
    """With respect to the variables and to the inputs, of one output and of two."""
    with tf.Graph().as_default():
        module = hub.Module(network(tf, hub), trainable=True)
        x = tf.constant(numbers(3, 4, seed=5))
        outputs = module({"x": x}, as_dict=True)
        variables = tf.trainable_variables()
        of_all = tf.gradients(list(outputs.values()), [x, *variables])
        of_hidden = tf.gradients(outputs["hidden"], [x, *variables])
        return {
            "variables": names(variables),
            "of all": dict(zip(["x", *names(variables)], evaluate(tf, of_all))),
            "of hidden": evaluate(tf, [g for g in of_hidden if g is not None][0]),
            "none": [str(g is None) for g in of_hidden],
        }


@program(tolerance=STEPS)
def steps_with_updates_and_losses(tf: Any, hub: Any, folder: str) -> dict:
    """The whole of fine-tuning: the training variant, update ops, regularization losses."""
    with tf.Graph().as_default():
        module = hub.Module(network(tf, hub), trainable=True, tags={"train"})
        y = module(numbers(6, 4, seed=2, scale=2.0))
        loss = tf.losses.mean_squared_error(numbers(6, 2, seed=9), y)
        return _train(tf, loss, {"module": module})


@program(tolerance=STEPS)
def steps_of_shared_weights(tf: Any, hub: Any, folder: str) -> dict:
    """Two applications of one module have one set of weights; their updates happen both."""
    with tf.Graph().as_default():
        module = hub.Module(network(tf, hub), trainable=True, tags={"train"})
        left = module(numbers(4, 4, seed=2, scale=2.0))
        right = module(numbers(5, 4, seed=3, scale=2.0))
        loss = tf.reduce_sum(tf.square(left)) + tf.reduce_sum(tf.abs(right))
        gradients = tf.gradients(loss, module.variable_map["hidden/kernel"])
        result = _train(tf, loss, {"module": module})
        result["losses"] = names(tf.losses.get_regularization_losses())
        result["gradients"] = evaluate(tf, gradients)
        # Which of the two updates of an average reads and writes first is not determined.
        steps = [value for key, value in result.items() if key.startswith("module after")]
        for key in ("norm/moving_mean", "norm/moving_variance"):
            for values in steps:
                del values[key]
        return result


@program(tolerance=STEPS)
def steps_of_a_head_on_frozen_features(tf: Any, hub: Any, folder: str) -> dict:
    """A module that is not trainable stays as it is, and passes gradients on."""
    with tf.Graph().as_default():
        frozen = hub.Module(network(tf, hub), tags={"train"})
        below = weights(tf, "below", 4, 4, seed=8)
        y = dense(tf, frozen(tf.matmul(numbers(6, 4, scale=2.0), below)), 1, "head", l2=0.1)
        result = _train(tf, tf.reduce_mean(tf.square(y - 1)), {"frozen": frozen})
        result["trainable"] = names(tf.trainable_variables())
        result["gradient"] = evaluate(tf, tf.gradients(y, below))
        return result


@program(tolerance=STEPS)
def steps_of_adam_and_averages(tf: Any, hub: Any, folder: str) -> dict:
    """What optimizers and moving averages make of a module's variables is named after them."""
    with tf.Graph().as_default():
        with tf.variable_scope("tower"):
            module = hub.Module(network(tf, hub), trainable=True)
        y = module(numbers(3, 4))
        own = dense(tf, y, 1, "own")
        step = tf.train.AdamOptimizer(0.01).minimize(tf.reduce_sum(tf.square(own)))
        averages = tf.train.ExponentialMovingAverage(0.5)
        with tf.control_dependencies([step]):
            update = averages.apply(module.variables)
        kernel = module.variable_map["hidden/kernel"]
        with initialized(tf) as session:
            session.run(update)
            session.run(update)
            return {
                "variables": names(tf.global_variables()),
                "kernel": session.run(kernel),
                "average": session.run(averages.average(kernel)),
            }


@program(tolerance=STEPS)
def steps_of_two_variants(tf: Any, hub: Any, folder: str) -> dict:
    """A graph for training and one for evaluation exchange weights through a checkpoint."""
    spec = network(tf, hub)
    x = numbers(6, 4, seed=2, scale=2.0)
    with tf.Graph().as_default():
        module = hub.Module(spec, trainable=True, tags={"train"})
        loss = tf.reduce_sum(tf.square(module(x)))
        with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
            step = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
        saver = tf.train.Saver()
        with initialized(tf) as session:
            session.run(step)
            session.run(step)
            checkpoint = saver.save(session, folder + "/saved")
    with tf.Graph().as_default():
        module = hub.Module(spec)
        y = module(x)
        with tf.Session() as session:
            tf.train.Saver().restore(session, checkpoint)
            return {
                "y": session.run(y),
                "saved": [n for n, _ in tf.train.list_variables(checkpoint)],
            }


@program(tolerance=STEPS)
def steps_with_hyperparameters(tf: Any, hub: Any, folder: str) -> dict:
    """A momentum that is an input with a default, and one that is no input at all."""

    def module_fn(training: bool) -> None:
        x = tf.placeholder(tf.float32, [None, 3], name="x")
        first = tf.placeholder_with_default(0.9, [], name="first_momentum")
        second = tf.placeholder_with_default(0.6, [], name="second_momentum")
        y = batch_norm(tf, x, "one", training, momentum=first)
        y += batch_norm(tf, dense(tf, x * x, 3, "layer"), "two", training, momentum=second)
        y = dense(tf, y, 2, "top", seed=3)
        hub.add_signature(inputs=x, outputs=y)
        hub.add_signature("tuned", {"x": x, "momentum": first}, y)

    variants = [({"train"}, {"training": True}), (set(), {"training": False})]
    spec = hub.create_module_spec(module_fn, variants)
    x = numbers(5, 3, scale=2.0)
    result: dict[str, Any] = {}
    for case in ("default", "tuned", "fed"):
        with tf.Graph().as_default() as graph:
            module = hub.Module(spec, trainable=True, tags={"train"})
            if case == "tuned":
                y = module({"x": x, "momentum": 0.2}, signature="tuned")
            else:
                y = module(x)
            feed = None
            if case == "fed":
                feed = {graph.get_tensor_by_name("module_apply_default/second_momentum:0"): 0.1}
            steps = _train(tf, tf.reduce_sum(y * y * y), {"module": module}, 2, feed)
            result.update({"%s: %s" % (case, key): value for key, value in steps.items()})
    return result


@program(tolerance=STEPS)
def steps_of_embeddings(tf: Any, hub: Any, folder: str) -> dict:
    """Sparse gradients, to variables in one piece and in parts."""

    def module_fn() -> None:
        ids = tf.placeholder(tf.int64, [None], name="ids")
        table = weights(tf, "table", 6, 2)
        parts = weights_in_parts(tf)
        y = tf.nn.embedding_lookup(table, ids)
        z = tf.nn.embedding_lookup(parts, ids, partition_strategy="div")
        hub.add_signature(inputs=ids, outputs={"default": tf.concat([y, z], 1), "y": y})

    def weights_in_parts(tf: Any) -> Any:
        from .building import sliced

        return tf.get_variable(
            "parts",
            [6, 3],
            tf.float32,
            sliced(numbers(6, 3, seed=4)),
            partitioner=tf.fixed_size_partitioner(4),
        )

    with tf.Graph().as_default():
        module = hub.Module(hub.create_module_spec(module_fn), trainable=True)
        y = module(np.array([4, 0, 4, 2], np.int64))
        gradients = tf.gradients(y, tf.trainable_variables())
        sparse = [str(isinstance(gradient, tf.IndexedSlices)) for gradient in gradients]
        result = _train(tf, tf.reduce_sum(tf.square(y)), {"module": module})
        result["sparse"] = sparse
        result["parts"] = names(module.variable_map["parts"])
        return result
