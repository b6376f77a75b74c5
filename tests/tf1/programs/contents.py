"""What modules add to the collections of a graph."""

from __future__ import annotations

import os
from typing import Any

from .building import collections, dense, evaluate, initialized, names, network, numbers, words_file
from .registry import program


@program()
def collections_of_networks(tf: Any, hub: Any, folder: str) -> dict:
    """After making a module and after two applications, for all of trainable and tags."""
    result: dict[str, Any] = {}
    spec = network(tf, hub)
    for trainable in (False, True):
        for tags in ((), ("train",)):
            with tf.Graph().as_default():
                key = "%s %s" % ("trainable" if trainable else "frozen", "+".join(tags))
                module = hub.Module(spec, trainable=trainable, tags=set(tags))
                result[key + ": made"] = collections(tf)
                x = tf.constant(numbers(2, 4))
                module(x)
                result[key + ": applied"] = collections(tf)
                module({"x": x}, as_dict=True)
                result[key + ": applied twice"] = collections(tf)
                result[key + ": all"] = sorted(
                    str(k) for k in tf.get_default_graph().get_all_collection_keys()
                )
                result[key + ": trainable"] = [
                    v.op.name for v in tf.trainable_variables() if v.trainable
                ]
    return result


@program()
def collections_in_scopes(tf: Any, hub: Any, folder: str) -> dict:
    """Two trainable modules, one in a variable scope, one applied in a name scope."""
    with tf.Graph().as_default():
        spec = network(tf, hub)
        x = tf.constant(numbers(2, 4))
        with tf.variable_scope("a"):
            first = hub.Module(spec, trainable=True, tags={"train"})
            first(x)
        with tf.name_scope("b"):
            second = hub.Module(spec, trainable=True, tags={"train"})
            second(x)
            second(x)
        return collections(tf)


@program()
def collections_of_tables(tf: Any, hub: Any, folder: str) -> dict:
    """Tables are initialized once for each module; paths of assets appear with each application."""
    vocabulary = words_file(folder, "words.txt", ["one", "two", "three"])

    def module_fn() -> None:
        words = tf.placeholder(tf.string, [None], name="words")
        initializer = tf.lookup.TextFileInitializer(
            vocabulary,
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        )
        from_file = tf.lookup.StaticVocabularyTable(initializer, num_oov_buckets=2)
        keys = tf.lookup.KeyValueTensorInitializer(["one", "two"], [1.5, 2.5])
        from_keys = tf.lookup.StaticHashTable(keys, -1.0)
        hub.add_signature(
            inputs=words,
            outputs={"default": from_file.lookup(words), "floats": from_keys.lookup(words)},
        )

    result: dict[str, Any] = {}
    spec = hub.create_module_spec(module_fn)
    with tf.Graph().as_default():
        for k, trainable in enumerate((False, True)):
            modules = [hub.Module(spec, trainable=trainable)]
            outputs = []
            for turn in range(3):
                counts = collections(tf)
                where = "%d: applied %d times" % (k, turn)
                result[where + ", initializers"] = len(counts["tables"])
                result[where + ", assets"] = len(counts["assets"])
                outputs.append(modules[0](["two", "four", "one"], as_dict=True))
            paths = evaluate(tf, tf.get_collection(tf.GraphKeys.ASSET_FILEPATHS))
            result["%d: files" % k] = [os.path.basename(path).decode() for path in paths]
            result["%d: values" % k] = evaluate(tf, outputs[-1])
    return result


@program()
def losses_without_inputs(tf: Any, hub: Any, folder: str) -> dict:
    """Regularization losses need no application, and no input."""
    with tf.Graph().as_default():
        spec = network(tf, hub)
        hub.Module(spec, trainable=True)
        hub.Module(spec, trainable=False)
        losses = tf.losses.get_regularization_losses()
        total = tf.losses.get_regularization_loss()
        values = evaluate(tf, [*losses, total])
        return {
            "names": names(losses),
            "values": values,
            "in scope": names(tf.losses.get_regularization_losses("module/top")),
        }


@program()
def update_ops_of_signatures(tf: Any, hub: Any, folder: str) -> dict:
    """An application brings the update ops that need its inputs, or none."""

    def module_fn() -> None:
        for name, size in (("small", 2), ("large", 3)):
            x = tf.placeholder(tf.float32, [None, size], name="x_" + name)
            count = tf.get_variable("count_" + name, [], trainable=False, initializer=zeros())
            total = count.assign_add(tf.reduce_sum(x), name="add_" + name, read_value=False)
            tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, total)
            y = dense(tf, x, 1, name)
            hub.add_signature(name, x, y)
        always = tf.get_variable("always", [], trainable=False, initializer=zeros())
        one_more = always.assign_add(1.0, name="one_more", read_value=False)
        tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, one_more)

    def zeros() -> Any:
        return tf.zeros_initializer()

    with tf.Graph().as_default() as graph:
        module = hub.Module(hub.create_module_spec(module_fn), trainable=True)
        y = module(tf.ones([2, 3]), signature="large")
        # TF1 adds those of other signatures too, which nothing can run.
        found = names(tf.get_collection(tf.GraphKeys.UPDATE_OPS))
        found = [name for name in found if "small" not in name]
        update = [graph.get_operation_by_name(name) for name in found]
        variables = {key: module.variable_map[key] for key in module.variable_map}
        with initialized(tf) as session:
            before = session.run([y, variables])
            session.run(update)
            return {"update ops": found, "before": before[1], "after": session.run(variables)}
