"""Variables: their maps, parts, kinds and values, and checkpoints of graphs with modules."""

from __future__ import annotations

from typing import Any

import numpy as np

from .building import (
    collections,
    dense,
    evaluate,
    initialized,
    linear,
    names,
    names_in_map,
    network,
    numbers,
    sliced,
    values_of,
    weights,
)
from .registry import OUTPUTS, STEPS, failure, program


def _partitioned(tf: Any, hub: Any, use_resource: bool = True) -> Any:
    """The spec of a module with variables in parts, of which one has more than nine."""

    def module_fn() -> None:
        with tf.variable_scope("", use_resource=use_resource):
            x = tf.placeholder(tf.float32, [None, 12], name="x")
            many = tf.get_variable(
                "scope/many",
                [12, 2],
                tf.float32,
                sliced(numbers(12, 2)),
                partitioner=tf.fixed_size_partitioner(11),
            )
            # Sliced along the first axis, for the map of a module joins no other.
            two = tf.get_variable(
                "two",
                [3],
                tf.float32,
                sliced(numbers(3, seed=1)),
                partitioner=tf.fixed_size_partitioner(2),
                trainable=False,
            )
            whole = weights(tf, "whole", 2, 3, seed=2)
            y = tf.matmul(tf.matmul(x, tf.convert_to_tensor(many)), whole)
            hub.add_signature(inputs=x, outputs=tf.add(y, tf.convert_to_tensor(two), name="y"))

    return hub.create_module_spec(module_fn)


@program()
def variable_maps(tf: Any, hub: Any, folder: str) -> dict:
    """Names as in the module, whichever scope the module is in; parts in order."""
    with tf.Graph().as_default():
        spec = _partitioned(tf, hub)
        first = hub.Module(spec, trainable=True)
        with tf.variable_scope("outer"):
            second = hub.Module(spec)
        outputs = [module(numbers(2, 12)) for module in (first, second)]
        return {
            "first": names_in_map(first),
            "second": names_in_map(second),
            "variables": names(second.variables),
            "trainable": names(tf.trainable_variables()),
            "shapes": [str(v.shape.as_list()) for v in first.variables],
            "values": evaluate(tf, second.variable_map["scope/many"])[10],
            "outputs": evaluate(tf, outputs),
            "none": str(hub.Module(_empty(tf, hub)).variable_map),
            "no list": names(hub.Module(_empty(tf, hub)).variables),
        }


def _empty(tf: Any, hub: Any) -> Any:
    def module_fn() -> None:
        x = tf.placeholder(tf.float32, [], name="x")
        hub.add_signature(inputs=x, outputs=tf.negative(x))

    return hub.create_module_spec(module_fn)


@program(tolerance=STEPS)
def partitioned_variables_everywhere(tf: Any, hub: Any, folder: str) -> dict:
    """Trained, exported, loaded again: in the checkpoint they are whole."""
    with tf.Graph().as_default():
        with tf.variable_scope("outer"):
            module = hub.Module(_partitioned(tf, hub), trainable=True)
        loss = tf.reduce_sum(tf.square(module(numbers(4, 12, seed=3))))
        step = tf.train.GradientDescentOptimizer(0.05).minimize(loss)
        with initialized(tf) as session:
            session.run(step)
            trained = values_of(session, module)
            module.export(folder + "/module", session)
    with tf.Graph().as_default():
        module = hub.Module(folder + "/module", name="again")
        y = module(numbers(2, 12))
        with initialized(tf) as session:
            loaded = values_of(session, module)
            return {
                "trained": trained,
                "loaded": loaded,
                "map": names_in_map(module),
                "y": session.run(y),
                "checkpoint": [
                    "%s %s" % (name, shape)
                    for name, shape in tf.train.list_variables(
                        folder + "/module/variables/variables"
                    )
                ],
            }


@program()
def variables_from_a_checkpoint(tf: Any, hub: Any, folder: str) -> dict:
    """init_from_checkpoint with the variable_map of a module, in parts and whole."""
    with tf.Graph().as_default():
        module = hub.Module(_partitioned(tf, hub), name="other")
        with initialized(tf) as session:
            for k, variable in enumerate(module.variables):
                variable.load(session.run(variable) * 0 + k, session)
            saver = tf.train.Saver(module.variable_map)
            checkpoint = saver.save(session, folder + "/saved")
    with tf.Graph().as_default():
        with tf.variable_scope("outer"):
            module = hub.Module(_partitioned(tf, hub))
        tf.train.init_from_checkpoint(checkpoint, module.variable_map)
        y = module(numbers(2, 12))
        with initialized(tf) as session:
            return {
                "saved": ["%s %s" % pair for pair in tf.train.list_variables(checkpoint)],
                "values": values_of(session, module),
                "y": session.run(y),
            }


@program()
def variables_saved_and_restored(tf: Any, hub: Any, folder: str) -> dict:
    """A Saver over a graph with modules; the graph built again, and imported from its file."""

    def build() -> Any:
        x = tf.placeholder(tf.float32, [None, 4], name="x")
        y = dense(tf, hub.Module(spec, trainable=True)(x), 2, "head")
        y = tf.identity(y + dense(tf, hub.Module(spec)(x), 2, "other_head", seed=6), name="y")
        return x, y

    spec = network(tf, hub)
    value = numbers(2, 4)
    with tf.Graph().as_default():
        x, y = build()
        with initialized(tf) as session:
            for variable in tf.global_variables():
                variable.load(session.run(variable) * 1.5, session)
            expected = session.run(y, {x: value})
            checkpoint = tf.train.Saver().save(session, folder + "/saved")
            count = len(tf.global_variables())
    result = {"saved": [name for name, _ in tf.train.list_variables(checkpoint)], "y": expected}
    with tf.Graph().as_default():
        x, y = build()
        with tf.Session() as session:
            tf.train.Saver().restore(session, checkpoint)
            result["built again"] = session.run(y, {x: value})
    with tf.Graph().as_default():
        saver = tf.train.import_meta_graph(checkpoint + ".meta")
        with tf.Session() as session:
            saver.restore(session, checkpoint)
            result["imported"] = session.run("y:0", {"x:0": value})
            result["as many"] = len(tf.global_variables()) == count
            result["trainable"] = names(tf.trainable_variables())
            result["losses"] = len(tf.losses.get_regularization_losses())
    return result


@program(tolerance=STEPS)
def reference_variables(tf: Any, hub: Any, folder: str) -> dict:
    """A module of reference variables: named, trained and exported like any other."""

    def module_fn() -> None:
        with tf.variable_scope("", use_resource=False):
            x = tf.placeholder(tf.float32, [None, 3], name="x")
            hidden = dense(tf, x, 2, "layer", l2=0.1)
            count = tf.get_variable(
                "count", [], initializer=tf.zeros_initializer(), trainable=False
            )
            add = tf.assign_add(count, 1.0, name="add")
            tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, add)
            hub.add_signature(inputs=x, outputs=tf.sin(hidden, name="y"))

    with tf.Graph().as_default() as graph:
        spec = hub.create_module_spec(module_fn)
        with tf.variable_scope("a"):
            module = hub.Module(spec, trainable=True)
        y = module(numbers(4, 3))
        module(numbers(1, 3))
        loss = tf.reduce_sum(tf.square(y)) + tf.losses.get_regularization_loss()
        with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
            step = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
        kinds = [op.type for op in graph.get_operations() if op.name in _ops(module)]
        with initialized(tf) as session:
            session.run(step)
            result = {
                "collections": collections(tf),
                "map": names_in_map(module),
                "kinds": kinds,
                "trained": values_of(session, module),
                "y": session.run(y),
            }
            module.export(folder + "/module", session)
    with tf.Graph().as_default():
        module = hub.Module(folder + "/module")
        with initialized(tf) as session:
            result["loaded"] = values_of(session, module)
    return result


def _ops(module: Any) -> list[str]:
    return [variable.op.name for variable in module.variables]


@program(tolerance=OUTPUTS)
def variables_without_a_checkpoint(tf: Any, hub: Any, folder: str) -> dict:
    """A spec that was never exported: each instance gets what the initializers give."""

    def module_fn() -> None:
        first = weights(tf, "first", 2)
        second = tf.get_variable("second", initializer=lambda: tf.constant([3, 4], tf.int64))
        third = tf.get_variable("third", initializer=numbers(3, seed=3), trainable=False)
        flag = tf.get_variable("flag", initializer=lambda: tf.constant(True))
        word = tf.get_variable("word", initializer=lambda: tf.constant("word"))
        outputs = {"first": first, "second": second, "third": third, "flag": flag, "word": word}
        hub.add_signature(outputs={key: tf.identity(v) for key, v in outputs.items()})

    with tf.Graph().as_default():
        spec = hub.create_module_spec(module_fn)
        module = hub.Module(spec, trainable=True)
        outputs = module(as_dict=True)
        other = hub.Module(spec)
        unset = module.variable_map["first"]
        with tf.Session() as session:
            result = {"uninitialized": session.run(tf.is_variable_initialized(unset))}
            session.run(tf.global_variables_initializer())
            result["values"] = session.run(outputs)
            unset.load(np.float32([7, 8]), session)
            result["mine"] = session.run(outputs["first"])
            result["theirs"] = session.run(other.variable_map["first"])
            session.run(tf.variables_initializer(module.variables))
            result["again"] = session.run(outputs["first"])
            result["trainable"] = names(tf.trainable_variables())
            result["dtypes"] = [v.dtype.base_dtype.name for v in module.variables]
        return result


@program()
def variables_of_missing_checkpoints(tf: Any, hub: Any, folder: str) -> dict:
    """Paths that lead nowhere."""
    result = {}
    with tf.Graph().as_default():
        result["load_module_spec"] = failure(hub.load_module_spec, folder + "/nothing")
        result["Module"] = failure(hub.Module, folder + "/nothing")
        result["empty folder"] = failure(hub.load_module_spec, folder)
        spec = linear(tf, hub)
        missing = failure(spec.export, folder + "/module", checkpoint_path=folder + "/none")
        # What it is depends on the release of TensorFlow.
        result["checkpoint"] = "nothing raised" not in missing.families
        result["no checkpoint"] = failure(spec.export, folder + "/module")
    return result
