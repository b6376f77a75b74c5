"""Modules written to disk."""

from __future__ import annotations

import os
from typing import Any

from .building import (
    checkpoint_names,
    evaluate,
    files_in,
    initialized,
    linear,
    names,
    network,
    numbers,
    saved_model_in,
    values_of,
    weights,
)
from .registry import STEPS, Kept, failure, program


@program(tolerance=STEPS)
def exported_and_tuned(tf: Any, hub: Any, folder: str) -> dict:
    """First export from a session; then fine-tuned under other names; then that again."""
    x = numbers(5, 4, scale=2.0)
    result: dict[str, Any] = {}
    with tf.Graph().as_default():
        module = hub.Module(network(tf, hub))
        with initialized(tf) as session:
            for variable in module.variables:
                variable.load(session.run(variable) * 1.1, session)
            module.export(folder + "/first", session)
    path = folder + "/first"
    for turn in ("second", "third"):
        with tf.Graph().as_default():
            with tf.variable_scope("tower"):
                module = hub.Module(path, trainable=True, tags={"train"}, name="network")
            loss = tf.reduce_sum(tf.square(module({"x": x})))
            loss += tf.losses.get_regularization_loss()
            with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
                step = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
            with initialized(tf) as session:
                session.run(step)
                result[turn] = values_of(session, module)
                path = os.path.join(folder, turn)
                module.export(path, session)
        result[turn + " files"] = files_in(path)
        result[turn + " checkpoint"] = checkpoint_names(tf, path)
        spec = hub.load_module_spec(path)
        result[turn + " tags"] = sorted("+".join(sorted(tags)) for tags in spec.get_tags())
        with hub.eval_function_for_module(spec) as function:
            outputs = function({"x": x}, as_dict=True)
            result[turn + " outputs"] = outputs
    result["kept"] = Kept("third", {"x": x}, outputs, variables=result["third"])
    return result


@program()
def exported_files(tf: Any, hub: Any, folder: str) -> dict:
    """What is in the folder of a module, and in its protos."""
    with tf.Graph().as_default():
        tf.get_variable("not_mine", [2])
        module = hub.Module(network(tf, hub))
        other = hub.Module(_no_variables(tf, hub), name="other")
        with initialized(tf) as session:
            module.export(folder + "/module", session)
            other.export(folder + "/new/folders/other", session)
    proto = saved_model_in(folder + "/module")
    with open(folder + "/module/tfhub_module.pb", "rb") as file:
        definition = file.read()
    return {
        "files": files_in(folder + "/module"),
        "checkpoint": checkpoint_names(tf, folder + "/module"),
        "tags": ["+".join(sorted(m.meta_info_def.tags)) for m in proto.meta_graphs],
        "signatures": [sorted(m.signature_def) for m in proto.meta_graphs],
        "collections": [sorted(m.collection_def) for m in proto.meta_graphs],
        "variables": [
            len(m.collection_def["variables"].bytes_list.value) for m in proto.meta_graphs
        ],
        "inputs": proto.meta_graphs[1].signature_def["default"].inputs["x"].name,
        "definition": definition.hex(),
        "other files": [f for f in files_in(folder + "/new/folders/other") if "vari" not in f],
    }


def _no_variables(tf: Any, hub: Any) -> Any:
    def module_fn() -> None:
        x = tf.placeholder(tf.float32, name="x")
        hub.add_signature(inputs=x, outputs=tf.negative(x))

    return hub.create_module_spec(module_fn)


@program()
def exported_where_it_may_not(tf: Any, hub: Any, folder: str) -> dict:
    """Over a module, from a session or in a graph that is not the module's."""
    with tf.Graph().as_default():
        module = hub.Module(linear(tf, hub))
        with initialized(tf) as session:
            module.export(folder + "/module", session)
            with tf.Graph().as_default():
                other_graph = failure(module.export, folder + "/other", session)
        with tf.Graph().as_default(), tf.Session() as session:
            foreign = session
        other_session = failure(module.export, folder + "/other", foreign)
    return {
        "other graph": other_graph,
        "other session": other_session,
        "written": os.path.exists(folder + "/other"),
        "files": files_in(folder),
    }


@program()
def exported_from_a_checkpoint(tf: Any, hub: Any, folder: str) -> dict:
    """spec.export takes the values from a training program's checkpoint."""
    with tf.Graph().as_default():
        with tf.variable_scope("tower"):
            module = hub.Module(network(tf, hub), name="net")
        same = [("w", weights(tf, "w", 3, 2, seed=5)), ("tower/net/w", None)]
        with initialized(tf) as session:
            for variable in module.variables:
                variable.load(session.run(variable) * 2, session)
            checkpoint = tf.train.Saver().save(session, folder + "/saved")
    network(tf, hub).export(
        folder + "/module",
        checkpoint_path=checkpoint,
        name_transform_fn=lambda name: "tower/net/" + name,
    )
    linear(tf, hub).export(folder + "/linear", checkpoint_path=checkpoint)
    result: dict[str, Any] = {"own": names([same[0][1]])}
    with tf.Graph().as_default():
        modules = [hub.Module(folder + "/module"), hub.Module(folder + "/linear")]
        y = modules[1](numbers(2, 3))
        with initialized(tf) as session:
            result["module"] = values_of(session, modules[0])
            result["linear"] = session.run(y)
    result["checkpoint"] = checkpoint_names(tf, folder + "/module")
    result["positional"] = failure(linear(tf, hub).export, folder + "/other", checkpoint)
    return result


@program()
def exported_to_a_scope(tf: Any, hub: Any, folder: str) -> dict:
    """Values of a module go to a second one by assignment, and out by its export."""
    with tf.Graph().as_default():
        first = hub.Module(linear(tf, hub, 1))
        second = hub.Module(linear(tf, hub, 2))
        copies = [
            tf.assign(second.variable_map[key], first.variable_map[key] * 3)
            for key in sorted(first.variable_map)
        ]
        with initialized(tf) as session:
            session.run(copies)
            second.export(folder + "/module", session)
            first.export(folder + "/first", session)
    with tf.Graph().as_default():
        modules = [hub.Module(folder + "/" + name) for name in ("module", "first")]
        return {"%d" % k: evaluate(tf, m(numbers(1, 3))) for k, m in enumerate(modules)}


@program()
def exported_batch_of_kinds(tf: Any, hub: Any, folder: str) -> dict:
    """Variables of several dtypes and shapes keep their values to the bit."""
    kinds = ["float16", "float64", "int8", "int32", "int64", "uint8", "bool", "complex64"]

    def module_fn() -> None:
        outputs = {}
        for k, kind in enumerate(kinds):
            value = (numbers(*range(1, 1 + k % 4), seed=k, scale=90) * 1.0).astype(kind)
            variable = tf.get_variable(kind, initializer=value)
            outputs[kind] = tf.identity(variable, name="out_" + kind)
        text = tf.get_variable("text", initializer=lambda: tf.constant(["a", "", "\xe9"]))
        outputs["text"] = tf.identity(text)
        hub.add_signature(outputs=outputs)

    with tf.Graph().as_default():
        module = hub.Module(hub.create_module_spec(module_fn))
        with initialized(tf) as session:
            module.export(folder + "/module", session)
    with hub.eval_function_for_module(folder + "/module") as function:
        outputs = function(as_dict=True)
    outputs["complex64"] = outputs["complex64"].view("float32")
    return {
        "outputs": outputs,
        "checkpoint": checkpoint_names(tf, folder + "/module"),
    }
