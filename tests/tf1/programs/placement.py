"""Devices and colocation constraints. Nothing here runs: it is about what the graph says."""

from __future__ import annotations

from typing import Any

from .building import linear, names, numbers, weights
from .registry import failure, program


def _placed(tf: Any, hub: Any) -> Any:
    """The spec of a module with ops colocated with its input, its weight and one of its ops."""

    def module_fn() -> None:
        x = tf.placeholder(tf.float32, [None, 3], name="x")
        w = weights(tf, "w", 3, 2)
        y = tf.matmul(x, w, name="y")
        with tf.colocate_with(x):
            at_x = tf.identity(y, name="at_x")
        with tf.colocate_with(w):
            at_w = tf.identity(at_x, name="at_w")
        with tf.colocate_with(y):
            at_y = tf.identity(at_w, name="at_y")
            with tf.colocate_with(at_w):
                at_both = tf.identity(at_y, name="at_both")
        hub.add_signature(inputs={"x": x}, outputs={"default": at_both, "y": y})

    return hub.create_module_spec(module_fn)


def _placements(tf: Any, scope: str, ops: str) -> dict:
    graph = tf.get_default_graph()
    result = {}
    for name in ops.split():
        op = graph.get_operation_by_name("%s/%s" % (scope, name))
        result[name + " groups"] = [group.decode() for group in op.colocation_groups()]
        result[name + " device"] = op.device
    return result


@program()
def colocation_with_inputs_and_state(tf: Any, hub: Any, folder: str) -> dict:
    """Constraints on inputs and state are for what takes their place."""
    with tf.Graph().as_default():
        with tf.device("/device:CPU:1"):
            module = hub.Module(_placed(tf, hub))
        with tf.device("/device:CPU:2"):
            mine = tf.constant(numbers(1, 3), name="mine")
        with tf.colocate_with(mine):
            colocated = tf.identity(mine, name="colocated")
        module({"x": mine})
        with tf.device("/device:CPU:3"):
            module({"x": colocated})
        with tf.name_scope("again"):
            module({"x": numbers(1, 3)})
        ops = "y at_x at_w at_y at_both"
        return {
            "first": _placements(tf, "module_apply_default", ops),
            "second": _placements(tf, "module_apply_default_1", ops),
            "third": _placements(tf, "again/module_apply_default", ops),
            "weight": [v.device for v in tf.global_variables()],
        }


@program()
def colocation_with_applications(tf: Any, hub: Any, folder: str) -> dict:
    """A program colocates its own ops with a module's outputs and variables."""
    with tf.Graph().as_default():
        with tf.device("/job:ps"):
            module = hub.Module(linear(tf, hub))
        with tf.device("/job:worker"):
            y = module(numbers(1, 3))
        with tf.colocate_with(y):
            a = tf.identity(y, name="a")
        with tf.colocate_with(module.variable_map["w"]):
            b = tf.identity(y, name="b")
            inside = module(numbers(2, 3))
        return {
            "devices": [t.device for t in (y, a, b)],
            "inside": inside.op.device,
            "groups": [[g.decode() for g in t.op.colocation_groups()] for t in (y, a, b)],
        }


@program()
def devices_of_state_and_outputs(tf: Any, hub: Any, folder: str) -> dict:
    """Scopes of devices apply where the module is made, and where it is applied."""
    with tf.Graph().as_default() as graph:
        spec = linear(tf, hub)
        with tf.device("/job:ps/task:1"):
            first = hub.Module(spec)
            with tf.device("/device:GPU:0"):
                y = first(numbers(1, 3))
        with tf.device(lambda op: "/device:CPU:5" if op.type == "MatMul" else ""):
            z = first(numbers(1, 3))
        with tf.device(tf.train.replica_device_setter(ps_tasks=2)):
            others = [hub.Module(spec, name="other") for _ in range(3)]
            outputs = [module(numbers(1, 3)) for module in others]
        return {
            "first": first.variable_map["w"].device,
            "handle": graph.get_operation_by_name("module/w").device,
            "outputs": [t.device for t in (y, z, *outputs)],
            "others": [module.variable_map["w"].device for module in others],
            "names": names(outputs),
        }


@program()
def colocation_of_gradients(tf: Any, hub: Any, folder: str) -> dict:
    """Gradients colocated with the ops that they are of."""
    with tf.Graph().as_default():
        with tf.device("/job:ps"):
            module = hub.Module(_placed(tf, hub), trainable=True)
        with tf.device("/job:worker"):
            x = tf.constant(numbers(1, 3), name="mine")
            y = module({"x": x})
            gradient = tf.gradients(y, module.variable_map["w"], colocate_gradients_with_ops=True)[
                0
            ]
        return {"device": gradient.device}


@program()
def colocation_errors(tf: Any, hub: Any, folder: str) -> dict:
    """State that is colocated with what is not state; inputs that are colocated at all."""

    def colocated_variable() -> None:
        x = tf.placeholder(tf.float32, [], name="x")
        with tf.colocate_with(x):
            v = tf.get_variable("v", [], initializer=tf.zeros_initializer())
        hub.add_signature(inputs=x, outputs=x + v)

    def colocated_variables() -> None:
        x = tf.placeholder(tf.float32, [], name="x")
        v = tf.get_variable("v", [], initializer=tf.zeros_initializer())
        with tf.colocate_with(v.handle.op):
            u = tf.get_variable("u", [], initializer=tf.ones_initializer())
        hub.add_signature(inputs=x, outputs=x + v + u)

    def colocated_input() -> None:
        y = tf.constant(1.0, name="one")
        with tf.colocate_with(y):
            x = tf.placeholder(tf.float32, [], name="x")
        hub.add_signature(inputs=x, outputs=x + y)

    def several_outputs() -> None:
        first, second = tf.split(tf.zeros([2]), 2)
        with tf.colocate_with(first):
            y = tf.add(first, second, name="y")
        hub.add_signature(inputs={"first": first}, outputs=y)
        hub.add_signature("both", {"first": first, "second": second}, y)

    result = {}
    for function in (colocated_variable, colocated_input):
        result[function.__name__] = failure(hub.create_module_spec, function)
    with tf.Graph().as_default():
        module = hub.Module(hub.create_module_spec(colocated_variables))
        groups = [v.op.colocation_groups() for v in module.variables]
        result["variables"] = [[group.decode() for group in each] for each in groups]
        result["names"] = names(module.variables)
    return result
