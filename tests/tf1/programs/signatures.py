"""Inputs and outputs of every kind, what is said of them, and inputs that do not fit."""

from __future__ import annotations

from typing import Any

import numpy as np

from .building import evaluate, initialized, linear, names, numbers, weights
from .registry import failure, program


def _fruit(tf: Any, hub: Any) -> Any:
    """Signatures with one and with two inputs and outputs, and with none."""

    def module_fn() -> None:
        x = tf.placeholder(tf.float32, [None, 3], name="x")
        hidden = tf.matmul(x, weights(tf, "w1", 3, 2), name="hidden")
        y = tf.matmul(hidden, weights(tf, "w2", 2, 4, seed=1), name="y")
        hub.add_signature(inputs=x, outputs={"default": y, "hidden_activations": hidden})
        apples = tf.placeholder(tf.float32, name="apples")
        oranges = tf.placeholder(tf.float32, name="oranges")
        cats, dogs = apples * 2 - oranges, oranges * 3 + apples
        hub.add_signature(
            "fruit_to_pet",
            {"apples": apples, "oranges": oranges},
            {"cats": tf.identity(cats, "cats"), "dogs": tf.identity(dogs, "dogs")},
        )
        hub.add_signature("nothing_in", outputs=weights(tf, "c", 2, seed=2) + 1)
        hub.add_signature("only_hidden", {"x": x}, {"hidden": hidden})

    return hub.create_module_spec(module_fn)


@program()
def inputs_one_and_many(tf: Any, hub: Any, folder: str) -> dict:
    """The only input by itself or in a dict; several in a dict; none."""
    with tf.Graph().as_default():
        module = hub.Module(_fruit(tf, hub))
        x = numbers(2, 3)
        outputs = {
            "by itself": module(x),
            "by name": module({"default": x}),
            "by keyword": module(inputs=x),
            "default": module(x, signature="default"),
            "without signature": module(x, signature=None, as_dict=False),
            "as dict": module(x, as_dict=True),
            "pets": module({"apples": 2.0, "oranges": 5.0}, signature="fruit_to_pet", as_dict=True),
            "more pets": module(
                dict(apples=numbers(2, 1), oranges=numbers(1, 2, seed=1)),
                signature="fruit_to_pet",
                as_dict=True,
            )["dogs"],
            "nothing in": module(signature="nothing_in"),
            "nothing in, as dict": module({}, signature="nothing_in", as_dict=True),
            "named": module({"x": x}, signature="only_hidden", as_dict=True),
        }
        return evaluate(tf, outputs)


@program()
def inputs_that_convert(tf: Any, hub: Any, folder: str) -> dict:
    """Whatever becomes a tensor of the dtype: arrays, lists, numbers, variables, strings."""

    def words_fn() -> None:
        words = tf.placeholder(tf.string, [None], name="words")
        hub.add_signature(inputs=words, outputs=tf.strings.length(words, name="length"))
        flag = tf.placeholder(tf.bool, [], name="flag")
        count = tf.placeholder(tf.int64, [], name="count")
        y = tf.where(flag, count + 1, -count, name="y")
        hub.add_signature("flag", {"flag": flag, "count": count}, y)

    with tf.Graph().as_default():
        module = hub.Module(linear(tf, hub))
        words = hub.Module(hub.create_module_spec(words_fn), name="words")
        variable = weights(tf, "v", 2, 3, seed=3)
        parts = tf.get_variable(
            "parts",
            [4, 3],
            initializer=tf.ones_initializer(),
            partitioner=tf.fixed_size_partitioner(2),
        )
        x = numbers(2, 3)
        outputs = {
            "array": module(x),
            "float64 array": module(x.astype("float64")),
            "integer array": module(np.arange(6).reshape(2, 3)),
            "list": module([[1.0, 2.0, 3.0]]),
            "list of integers": module([[1, 2, 3]]),
            "list of tensors": module([tf.constant(x[0]), tf.constant(x[1])]),
            "tensor": module(tf.constant(x)),
            "variable": module(variable),
            "partitioned variable": module(parts),
            "strings": words(["a", "bcd", ""]),
            "string array": words(np.array(["a", "bcd"], object)),
            "bytes": words([b"a", b"bc"]),
            "numbers": words({"flag": True, "count": 3}, signature="flag"),
            "numpy numbers": words({"flag": np.False_, "count": np.int64(3)}, signature="flag"),
        }
        return evaluate(tf, outputs)


@program()
def inputs_that_are_fed(tf: Any, hub: Any, folder: str) -> dict:
    """A placeholder of any compatible shape; static shapes are those of the input."""

    def module_fn() -> None:
        x = tf.placeholder(tf.float32, [None, None, 3], name="x")
        y = tf.reshape(tf.reduce_sum(x, 1), [-1, 3], name="y")
        z = tf.concat([x, x], 2, name="z")
        hub.add_signature(inputs=x, outputs={"default": y, "z": z})

    with tf.Graph().as_default():
        module = hub.Module(hub.create_module_spec(module_fn))
        shapes = ([2, 1, 3], [None, 4, 3], [None, None, None], None, [5, None, 3])
        result = {}
        for shape in shapes:
            x = tf.placeholder(tf.float32, shape)
            outputs = module(x, as_dict=True)
            for key in sorted(outputs):
                found = outputs[key].shape
                found = None if found.ndims is None else found.as_list()
                result["%s %s" % (key, shape)] = str(found)
        value = numbers(2, 2, 3)
        result["value"] = evaluate(tf, outputs, {x: numbers(5, 2, 3)})
        result["other value"] = evaluate(tf, module(value))
        return result


@program()
def inputs_and_outputs_sparse(tf: Any, hub: Any, folder: str) -> dict:
    """A sparse tensor in, a sparse tensor out."""

    def module_fn() -> None:
        ids = tf.sparse.placeholder(tf.int64, [None, None], name="ids")
        factor = tf.placeholder(tf.float32, [], name="factor")
        table = weights(tf, "table", 5, 2)
        y = tf.nn.embedding_lookup_sparse(table, ids, None, combiner="sum") * factor
        doubled = tf.SparseTensor(ids.indices, ids.values * 2, ids.dense_shape)
        hub.add_signature(
            inputs={"ids": ids, "factor": factor}, outputs={"default": y, "doubled": doubled}
        )
        hub.add_signature("back", {"ids": ids}, ids)

    with tf.Graph().as_default():
        spec = hub.create_module_spec(module_fn)
        module = hub.Module(spec)
        value = tf.SparseTensor([[0, 0], [0, 2], [1, 1]], np.array([1, 4, 2], np.int64), [2, 3])
        outputs = module({"ids": value, "factor": 3.0}, as_dict=True)
        fed = tf.sparse.placeholder(tf.int64, [None, None])
        sparse_value = tf.SparseTensorValue([[0, 0], [1, 0]], np.array([3, 3], np.int64), [2, 1])
        back = module(fed, signature="back")
        with initialized(tf) as session:
            y, doubled = session.run([outputs["default"], outputs["doubled"]])
            returned = session.run(back, {fed: sparse_value})
        return {
            "y": y,
            "indices": doubled.indices,
            "values": doubled.values,
            "dense_shape": doubled.dense_shape,
            "returned": returned.values,
            "is the input": back.values is fed.values,
            "names": names([outputs["doubled"].indices, outputs["doubled"].values]),
            "info": {k: str(v.is_sparse) for k, v in module.get_input_info_dict().items()},
            "dense for sparse": failure(module, [[1]], signature="back"),
            "sparse for dense": failure(module, {"ids": value, "factor": value}),
        }


@program()
def inputs_and_outputs_ragged(tf: Any, hub: Any, folder: str) -> dict:
    """A ragged tensor in, a ragged tensor out."""

    def module_fn() -> None:
        x = tf.ragged.placeholder(tf.float32, 1, [], name="x")
        scale = tf.get_variable("scale", [], initializer=tf.constant_initializer(3.0))
        y = x.with_values(x.values * scale)
        hub.add_signature(inputs=x, outputs={"default": y, "sums": tf.reduce_sum(x, axis=1)})
        deep = tf.ragged.placeholder(tf.int64, 2, [], name="deep")
        hub.add_signature("deep", {"deep": deep}, deep.values)

    with tf.Graph().as_default():
        module = hub.Module(hub.create_module_spec(module_fn))
        outputs = module(tf.ragged.constant([[1.0, 2.0], [], [3.0]]), as_dict=True)
        deep = module(
            tf.ragged.constant([[[1, 2], []], [[3]]], dtype=tf.int64, ragged_rank=2),
            signature="deep",
        )
        info = module.get_input_info_dict()["default"]
        with initialized(tf) as session:
            y, sums, inner = session.run([outputs["default"], outputs["sums"], deep])
        return {
            "values": y.values,
            "row_splits": y.row_splits,
            "sums": sums,
            "inner values": inner.values,
            "inner row_splits": inner.row_splits,
            "dtype": info.dtype.name,
            "is_sparse": info.is_sparse,
            "is_composite": info.is_composite,
            "ragged rank": failure(module, tf.ragged.constant([[[1.0]]]), signature="default"),
        }


@program()
def outputs_that_are_inputs(tf: Any, hub: Any, folder: str) -> dict:
    """An input that is an output is that very tensor."""

    def module_fn() -> None:
        x = tf.placeholder(tf.float32, [None, 3], name="x")
        y = tf.placeholder(tf.float32, [None, 3], name="y")
        hub.add_signature(inputs={"x": x, "y": y}, outputs={"default": x, "sum": x + y})

    with tf.Graph().as_default():
        module = hub.Module(hub.create_module_spec(module_fn))
        x = tf.constant(numbers(2, 3), name="mine")
        outputs = module({"x": x, "y": x}, as_dict=True)
        again = module({"x": outputs["default"], "y": outputs["sum"]})
        array = module({"x": numbers(1, 3), "y": numbers(1, 3)})
        return {
            "same": outputs["default"] is x,
            "again": again is x,
            "names": names([outputs["default"], again]),
            "value": evaluate(tf, [outputs["sum"], array][0]),
        }


@program()
def inputs_from_inside_the_graph(tf: Any, hub: Any, folder: str) -> dict:
    """A signature's input may be any tensor: what computes it is then not needed."""

    def module_fn() -> None:
        x = tf.placeholder(tf.string, [None], name="text")
        tokens = tf.strings.length(x, name="tokens")
        y = tf.multiply(tf.cast(tokens, tf.float32), 2.0, name="y")
        hub.add_signature(inputs=x, outputs=y)
        hub.add_signature("tokens", {"tokens": tokens}, y)
        constant = tf.constant(5.0, name="constant")
        hub.add_signature("constant", {"c": constant}, tf.multiply(constant, 10, name="times"))
        hub.add_signature("no constant", {}, tf.add(constant, 1, name="plus"))

    with tf.Graph().as_default():
        module = hub.Module(hub.create_module_spec(module_fn))
        return evaluate(
            tf,
            {
                "text": module(["ab", "c"]),
                "tokens": module([3, 4], signature="tokens"),
                "constant": module(2.0, signature="constant"),
            },
        )


@program()
def infos_of_signatures(tf: Any, hub: Any, folder: str) -> dict:
    """Names, dtypes, shapes and kinds, from the spec and from the module."""

    def module_fn(training: bool) -> None:
        x = tf.placeholder(tf.float32, [None, 3], name="x")
        ids = tf.sparse.placeholder(tf.int64, [None, None], name="ids")
        loose = tf.sparse.placeholder(tf.string, name="loose")
        text = tf.placeholder(tf.string, name="text")
        flag = tf.placeholder(tf.bool, [], name="flag")
        half = tf.placeholder(tf.float16, [2, None, 4], name="half")
        everything = {"x": x, "ids": ids, "loose": loose, "text": text, "flag": flag, "half": half}
        outputs = {key: value for key, value in everything.items() if key != "loose"}
        hub.add_signature("everything", everything, outputs)
        hub.add_signature(inputs=x, outputs=tf.reduce_sum(x, 1))
        if training:
            hub.add_signature("extra", outputs=tf.zeros([2], tf.uint8))

    def shape_of(shape: Any) -> Any:
        return None if shape.ndims is None else shape.as_list()

    def describe(infos: Any) -> dict:
        return {
            key: "%s %s%s%s"
            % (
                info.dtype.name,
                shape_of(info.get_shape()),
                " sparse" * info.is_sparse,
                " composite" * info.is_composite,
            )
            for key, info in infos.items()
        }

    variants = [(set(), {"training": False}), ({"train", "large"}, {"training": True})]
    spec = hub.create_module_spec(module_fn, variants)
    tags = {"large", "train"}
    with tf.Graph().as_default():
        module = hub.Module(spec, tags=tags)
        return {
            "tags": sorted("+".join(sorted(tags)) for tags in spec.get_tags()),
            "names": sorted(spec.get_signature_names()),
            "names with tags": sorted(spec.get_signature_names(tags=tags)),
            "names of module": sorted(module.get_signature_names()),
            "inputs": describe(spec.get_input_info_dict()),
            "outputs": describe(spec.get_output_info_dict()),
            "everything in": describe(spec.get_input_info_dict("everything")),
            "everything out": describe(module.get_output_info_dict("everything")),
            "extra": describe(module.get_output_info_dict(signature="extra")),
            "extra in": describe(spec.get_input_info_dict("extra", tags=tags)),
            "compatible": str(
                spec.get_input_info_dict()["default"].get_shape().is_compatible_with([5, 3])
            ),
            "unknown signature": failure(spec.get_input_info_dict, "extra"),
            "unknown signature of module": failure(module.get_output_info_dict, "none such"),
            "unknown tags": failure(spec.get_signature_names, tags={"train"}),
        }


@program()
def inputs_that_do_not_fit(tf: Any, hub: Any, folder: str) -> dict:
    """Too few, too many, of the wrong dtype or shape; signatures and outputs that are not there."""
    with tf.Graph().as_default():
        module = hub.Module(_fruit(tf, hub))
        x = numbers(2, 3)
        pets = {"apples": 1.0, "oranges": 2.0}

        def apply(*args: Any, **kwargs: Any) -> Any:
            return failure(module, *args, **kwargs)

        result = {
            "missing": apply({"apples": 1.0}, signature="fruit_to_pet", as_dict=True),
            "missing all": apply(signature="fruit_to_pet", as_dict=True),
            "missing the only": apply(),
            "extra": apply({"default": x, "more": x}),
            "wrong name": apply({"x": x}),
            "not a dict": apply(1.0, signature="fruit_to_pet", as_dict=True),
            "none expected": apply(x, signature="nothing_in"),
            "unknown signature": apply(x, signature="other"),
            "no default output": apply(pets, signature="fruit_to_pet"),
            "no default output, named": apply({"x": x}, signature="only_hidden", as_dict=False),
            "shape": apply(numbers(2, 4)),
            "rank": apply(numbers(3)),
            "dtype": apply(["a"]),
            "dtype of tensor": apply(tf.constant(numbers(2, 3).astype("float64"))),
            "integer tensor": apply(tf.constant([[1, 2, 3]])),
            "unconvertible": apply(object()),
            "tags": failure(hub.Module, _fruit(tf, hub), tags={"train"}),
            "not a spec": failure(hub.Module, 5),
        }
    with tf.Graph().as_default():
        result["other graph"] = failure(module, x)
    return result
