"""What modules are called: their variables, ops, scopes and outputs."""

from __future__ import annotations

from typing import Any

from .building import collections, evaluate, initialized, linear, names, names_in_map, numbers
from .registry import failure, program


@program()
def names_of_state(tf: Any, hub: Any, folder: str) -> dict:
    """Several modules with equal names, and a variable outside of them."""
    with tf.Graph().as_default():
        specs = [linear(tf, hub, seed) for seed in range(2)]
        modules = [
            hub.Module(specs[0]),
            hub.Module(specs[0]),
            hub.Module(specs[1], name="encoder"),
            hub.Module(specs[1], name="encoder"),
            hub.Module(specs[1], name="en/coder"),
            hub.Module(specs[1], name="module"),
        ]
        tf.get_variable("w", [], initializer=tf.zeros_initializer())
        handles = [v.op for v in tf.global_variables() if v.name != "w:0"]
        x = tf.constant(numbers(2, 3))
        results = [module(x) for module in modules]
        return {
            "variables": names(tf.global_variables()),
            "maps": [str(sorted(names_in_map(module).items())) for module in modules],
            "lists": [str(names(module.variables)) for module in modules],
            "handles": names(handles),
            "shared names": [op.get_attr("shared_name") for op in handles],
            "results": names(results),
            "values": evaluate(tf, results),
        }


@program()
def names_in_name_scopes(tf: Any, hub: Any, folder: str) -> dict:
    """A name scope is for outputs, not for variables."""
    with tf.Graph().as_default():
        spec = linear(tf, hub)
        x = tf.constant(numbers(2, 3))
        with tf.name_scope("tower"):
            first = hub.Module(spec)
            inside = first(x)
            with tf.name_scope("deeper"):
                second = hub.Module(spec)
                deeper = [second(x), first(x), first(x)]
        with tf.name_scope("tower"):
            again = first(x)
        with tf.name_scope("tower/"):
            same = [first(x), second(x)]
        with tf.name_scope(None):
            top = second(x)
        return {
            "variables": names(tf.global_variables()),
            "maps": [str(names_in_map(module)) for module in (first, second)],
            "results": names([inside, *deeper, again, *same, top]),
        }


@program()
def names_in_variable_scopes(tf: Any, hub: Any, folder: str) -> dict:
    """Scopes in scopes, entered again by name and by object, and without a name scope."""
    with tf.Graph().as_default():
        spec = linear(tf, hub)
        x = tf.constant(numbers(2, 3))
        made = []

        def make(name: str = "module") -> None:
            module = hub.Module(spec, name=name)
            made.append((module, module(x), module(x)))

        with tf.variable_scope("a"):
            make()
            make()
            with tf.variable_scope("b"):
                make()
                make("other")
        with tf.variable_scope("a") as scope:
            by_name = failure(hub.Module, spec)
            make("late")
        with tf.variable_scope(scope):
            by_object = failure(hub.Module, spec)
            make("later")
            made[0][0](x)
        with tf.variable_scope("c", auxiliary_name_scope=False):
            make()
        with tf.variable_scope(None, default_name="a"):
            make()
        with tf.variable_scope("a/b"):
            make("latest")
        make()
        with tf.name_scope("tower"), tf.variable_scope("e"):
            make()
        return {
            "entered again by name": by_name,
            "entered again by object": by_object,
            "variables": names(tf.global_variables()),
            "maps": [str(names_in_map(module)) for module, _, _ in made],
            "first results": [first.name for _, first, _ in made],
            "second results": [second.name for _, _, second in made],
        }


@program()
def names_with_reuse(tf: Any, hub: Any, folder: str) -> dict:
    """Reuse shares variables that get_variable makes, never those of two modules."""
    with tf.Graph().as_default():
        spec = linear(tf, hub)
        x = tf.constant(numbers(2, 3))
        with tf.variable_scope("s", reuse=tf.AUTO_REUSE):
            modules = [hub.Module(spec), hub.Module(spec)]
            mine = tf.get_variable("mine", [3, 2], initializer=tf.zeros_initializer())
        with tf.variable_scope("s", reuse=True):
            modules.append(hub.Module(spec, name="late"))
            same = tf.get_variable("mine", [3, 2]) is mine
            taken = failure(tf.get_variable, "module/w", [3, 2])
            results = [module(x) for module in modules]
        return {
            "variables": names(tf.global_variables()),
            "results": names(results),
            "same": same,
            "not for get_variable": taken,
        }


@program()
def names_already_taken(tf: Any, hub: Any, folder: str) -> dict:
    """A variable scope that is free, with a name scope that is not."""
    result = {}
    with tf.Graph().as_default():
        spec = linear(tf, hub)
        with tf.name_scope("module"):
            tf.constant(0)
        result["name scope"] = failure(hub.Module, spec)
        result["other name"] = names(hub.Module(spec, name="other").variables)
    with tf.Graph().as_default():
        with tf.variable_scope("module"):
            tf.get_variable("v", [])
        module = hub.Module(spec)
        result["both"] = names(module.variables)
        result["both, result"] = module(numbers(1, 3)).name
    with tf.Graph().as_default():
        tf.constant(0, name="module_apply_default")
        module = hub.Module(spec)
        result["taken result"] = module(numbers(1, 3)).name
        tf.constant(0, name="module_apply_default")
        result["second taken result"] = module(numbers(1, 3)).name
    return result


@program()
def names_of_applications(tf: Any, hub: Any, folder: str) -> dict:
    """The scope of an application has the name of the module and of the signature."""

    def module_fn() -> None:
        x = tf.placeholder(tf.float32, [None, 3], name="x")
        w = weights_in_scope(tf)
        y = tf.matmul(x, w, name="y")
        hub.add_signature(inputs=x, outputs=y)
        hub.add_signature("other_one", {"x": x}, {"default": tf.negative(y, name="z"), "y": y})
        hub.add_signature("with:colon", {"x": x}, {"default": tf.exp(y, name="exp")})

    def weights_in_scope(tf: Any) -> Any:
        with tf.variable_scope("layer"):
            return tf.get_variable("w", [3, 2], initializer=tf.ones_initializer())

    with tf.Graph().as_default() as graph:
        x = tf.constant(numbers(1, 3))
        module = hub.Module(hub.create_module_spec(module_fn), name="m")
        results = [
            module(x),
            module(x),
            module(x, signature="other_one"),
            module(x, signature="other_one", as_dict=True)["y"],
            module({"x": x}, signature="with:colon"),
            module(inputs={"x": x}, signature="with:colon"),
        ]
        matmuls = [op.name for op in graph.get_operations() if op.type == "MatMul"]
        return {"results": names(results), "matmuls": sorted(matmuls)}


@program()
def under_control_dependencies(tf: Any, hub: Any, folder: str) -> dict:
    """What a module computes waits for control dependencies; its state does not."""
    with tf.Graph().as_default():
        spec = linear(tf, hub)
        fed = tf.placeholder(tf.float32, [])
        counter = tf.get_variable("counter", [], initializer=tf.zeros_initializer())
        with tf.control_dependencies([counter.assign_add(fed)]):
            module = hub.Module(spec)
            y = module(numbers(1, 3))
        with initialized(tf) as session:
            untouched = session.run([counter, module.variable_map["w"]])
            value = session.run(y, {fed: 2.0})
            return {
                "before": untouched[0],
                "w": untouched[1],
                "y": value,
                "after": session.run(counter),
                "variables": collections(tf, ["global"]),
            }
