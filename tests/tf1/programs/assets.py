"""Tables, and files that belong to a module."""

from __future__ import annotations

import os
import shutil
from typing import Any

from .building import (
    collections,
    evaluate,
    files_in,
    initialized,
    linear,
    saved_model_in,
    weights,
    words_file,
)
from .registry import Kept, program


def _vocabulary(tf: Any, path: str) -> Any:
    return tf.lookup.TextFileInitializer(
        path,
        tf.string,
        tf.lookup.TextFileIndex.WHOLE_LINE,
        tf.int64,
        tf.lookup.TextFileIndex.LINE_NUMBER,
    )


def _text(tf: Any, hub: Any, path: str) -> Any:
    """The spec of a module that embeds words of a file."""

    def module_fn() -> None:
        words = tf.placeholder(tf.string, [None], name="words")
        table = tf.lookup.StaticVocabularyTable(_vocabulary(tf, path), num_oov_buckets=2)
        ids = table.lookup(words)
        embeddings = weights(tf, "embeddings", 6, 2, seed=1)
        y = tf.nn.embedding_lookup(embeddings, ids, name="y")
        hub.add_signature(inputs=words, outputs={"default": y, "ids": ids})

    return hub.create_module_spec(module_fn)


@program()
def assets_of_a_vocabulary(tf: Any, hub: Any, folder: str) -> dict:
    """Used before export, exported, the source gone, loaded, moved, loaded, exported again."""
    path = words_file(folder, "source/words.txt", ["red", "green", "blue", "grey"])
    words = ["blue", "mauve", "red", "grey"]
    result: dict[str, Any] = {}
    with tf.Graph().as_default():
        module = hub.Module(_text(tf, hub, path))
        y = module(words, as_dict=True)
        with initialized(tf) as session:
            result["before"] = session.run(y)
            module.export(folder + "/module", session)
    result["files"] = files_in(folder + "/module")
    shutil.rmtree(folder + "/source")
    result["kept"] = Kept("module", {"default": words}, result["before"])
    shutil.copytree(folder + "/module", folder + "/moved")
    with tf.Graph().as_default():
        spec = hub.load_module_spec(folder + "/moved")
        first, second = hub.Module(spec), hub.Module(folder + "/module", name="second")
        outputs = [first(words, as_dict=True), second(words, as_dict=True)]
        assets = tf.get_collection(tf.GraphKeys.ASSET_FILEPATHS)
        with initialized(tf) as session:
            result["first"], result["second"] = session.run(outputs)
            found = {os.path.relpath(p.decode(), folder) for p in session.run(assets)}
            result["paths"] = sorted(found)
            first.export(folder + "/again", session)
    shutil.rmtree(folder + "/moved")
    result["files again"] = files_in(folder + "/again")
    with hub.eval_function_for_module(folder + "/again") as function:
        result["again"] = function(words)
    with open(folder + "/again/assets/words.txt") as file:
        result["text"] = file.read()
    return result


@program()
def assets_of_equal_names(tf: Any, hub: Any, folder: str) -> dict:
    """Files of one name in three folders, and one file used twice."""
    paths = [
        words_file(folder, "a/words.txt", ["one", "two"]),
        words_file(folder, "b/words.txt", ["three", "four", "one"]),
        words_file(folder, "c/words.txt", ["five", "one"]),
        words_file(folder, "c/other.txt", ["six", "one"]),
    ]

    def module_fn() -> None:
        words = tf.placeholder(tf.string, [None], name="words")
        outputs = {}
        for name, path in zip("abcde", [*paths, paths[1]]):
            table = tf.lookup.StaticHashTable(_vocabulary(tf, path), -1)
            outputs[name] = table.lookup(words)
        hub.add_signature(inputs=words, outputs=outputs)

    def text_of(path: str) -> str:
        with open(path) as file:
            return file.read()

    def describe(path: str) -> dict:
        names = os.listdir(path + "/assets")
        meta_graph = saved_model_in(path).meta_graphs[0]
        files = meta_graph.collection_def["saved_model_assets"].any_list.value
        constants = [
            node.attr["value"].tensor.string_val[0]
            for node in meta_graph.graph_def.node
            if node.op == "Const" and node.attr["value"].tensor.string_val
        ]
        return {
            "texts": sorted(text_of(os.path.join(path, "assets", name)) for name in names),
            "has": ["words.txt" in names, "other.txt" in names],
            "assets": len(files),
            "leaks": sum(folder.encode() in constant for constant in constants),
        }

    words = ["one", "two", "four", "five", "six"]
    with tf.Graph().as_default():
        module = hub.Module(hub.create_module_spec(module_fn))
        y = module(words, as_dict=True)
        with initialized(tf) as session:
            result = {"before": session.run(y)}
            module.export(folder + "/module", session)
    result["described"] = describe(folder + "/module")
    for name in "abc":
        shutil.rmtree(os.path.join(folder, name))
    result["kept"] = Kept("module", {"default": words}, result["before"])
    with tf.Graph().as_default():
        module = hub.Module(folder + "/module")
        y = module(words, as_dict=True)
        with initialized(tf) as session:
            result["after"] = session.run(y)
            module.export(folder + "/again", session)
    result["described again"] = describe(folder + "/again")
    return result


@program()
def assets_without_tables(tf: Any, hub: Any, folder: str) -> dict:
    """A file that an application itself reads."""
    path = words_file(folder, "source/text.txt", ["some", "text"])

    def module_fn() -> None:
        asset = tf.constant(path, name="path")
        tf.add_to_collection(tf.GraphKeys.ASSET_FILEPATHS, asset)
        hub.add_signature(outputs=tf.read_file(asset, name="contents"))

    result: dict[str, Any] = {}
    with tf.Graph().as_default():
        module = hub.Module(hub.create_module_spec(module_fn))
        with initialized(tf) as session:
            module.export(folder + "/module", session)
    shutil.rmtree(folder + "/source")
    with tf.Graph().as_default():
        module = hub.Module(folder + "/module")
        result["made"] = len(collections(tf)["assets"])
        contents = [module(), module()]
        result["applied"] = collections(tf)["assets"]
        result["contents"] = evaluate(tf, contents)
    return result


@program()
def assets_in_a_saved_model(tf: Any, hub: Any, folder: str) -> dict:
    """A program that uses a module writes a SavedModel: the module's assets go with it."""
    path = words_file(folder, "source/words.txt", ["red", "green", "blue", "grey"])
    words = ["green", "mauve"]
    with tf.Graph().as_default():
        module = hub.Module(_text(tf, hub, path))
        with initialized(tf) as session:
            module.export(folder + "/module", session)
    with tf.Graph().as_default():
        module = hub.Module(folder + "/module")
        x = tf.placeholder(tf.string, [None], name="my_words")
        y = tf.identity(module(x), name="my_embeddings")
        with initialized(tf) as session:
            expected = session.run(y, {x: words})
            tf.saved_model.simple_save(
                session,
                folder + "/saved",
                {"x": x},
                {"y": y},
                legacy_init_op=tf.tables_initializer(),
            )
    shutil.rmtree(folder + "/source")
    shutil.rmtree(folder + "/module")
    with tf.Graph().as_default(), tf.Session() as session:
        tf.saved_model.loader.load(session, ["serve"], folder + "/saved")
        return {
            "before": expected,
            "after": session.run("my_embeddings:0", {"my_words:0": words}),
            "files": files_in(folder + "/saved/assets"),
        }


@program()
def tables_of_several_modules(tf: Any, hub: Any, folder: str) -> dict:
    """Tables that have one name in their modules are not one table in a graph."""

    def spec(values: Any) -> Any:
        def module_fn() -> None:
            words = tf.placeholder(tf.string, [None], name="words")
            keys = tf.lookup.KeyValueTensorInitializer(["a", "b"], values)
            table = tf.lookup.StaticHashTable(keys, -1, name="table")
            hub.add_signature(inputs=words, outputs=table.lookup(words))

        return hub.create_module_spec(module_fn)

    with tf.Graph().as_default() as graph:
        modules = [hub.Module(spec([k, 10 * k])) for k in (1, 2)]
        modules += [hub.Module(spec([7, 8]), name="other"), hub.Module(linear(tf, hub))]
        outputs = [module(["b", "a", "c"]) for module in modules[:3]]
        tables = [op for op in graph.get_operations() if op.type == "HashTableV2"]
        # The name that a table has in its module is random.
        return {
            "values": {"%d" % k: value for k, value in enumerate(evaluate(tf, outputs))},
            "tables": len(tables),
            "shared names": len({op.get_attr("shared_name") for op in tables}),
            "names": [op.name.split("/")[0] for op in tables],
            "initializers": len(tf.get_collection(tf.GraphKeys.TABLE_INITIALIZERS)),
        }
