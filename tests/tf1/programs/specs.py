"""Specs: variants, collections, attachments, image modules, and functions that are no good."""

from __future__ import annotations

from typing import Any

from .building import (
    collections,
    evaluate,
    files_in,
    initialized,
    linear,
    names,
    numbers,
    weights,
    words_file,
)
from .registry import Kept, failure, program


@program()
def specs_of_variants(tf: Any, hub: Any, folder: str) -> dict:
    """The function is called once for each variant, with its arguments, on a graph of its own."""
    calls = []

    def module_fn(size: int, extra: bool = False) -> None:
        graph = tf.get_default_graph()
        calls.append("%d %s %d" % (size, extra, len(graph.get_operations())))
        x = tf.placeholder(tf.float32, [None, 3], name="x")
        w = weights(tf, "w", 3, size)
        hub.add_signature(inputs=x, outputs=tf.matmul(x, w, name="y"))
        if extra:
            hub.add_signature("extra", x, tf.matmul(x, weights(tf, "v", 3, 1), name="z"))

    with tf.Graph().as_default() as outside:
        variants = [
            (["b", "a"], {"size": 2}),
            (set(), {"size": 3}),
            (("c",), {"size": 1, "extra": 1}),
        ]
        spec = hub.create_module_spec(module_fn, variants)
        result: dict[str, Any] = {"calls": calls, "outside": len(outside.get_operations())}
        for tags in ({"a", "b"}, set(), {"c"}):
            module = hub.Module(spec, tags=tags)
            key = "+".join(sorted(tags))
            result["value " + key] = evaluate(tf, module(numbers(1, 3)))
            result["names " + key] = names(module.variables)
            result["signatures " + key] = sorted(module.get_signature_names())
        result["default tags"] = names([hub.Module(spec, name="d", tags=None)(numbers(1, 3))])
        result["list of tags"] = names(hub.Module(spec, name="e", tags=["b", "a"]).variables)
        for k, tags in enumerate(({"a"}, ["c", "d"], {"none"})):
            result["unknown %d" % k] = failure(hub.Module, spec, tags=tags)
        result["is a spec"] = isinstance(spec, hub.ModuleSpec)
    return result


@program()
def specs_of_no_use(tf: Any, hub: Any, folder: str) -> dict:
    """Functions and arguments that are refused."""

    def nothing() -> None:
        tf.placeholder(tf.float32, [])

    def good() -> None:
        x = tf.placeholder(tf.float32, [], name="x")
        hub.add_signature(inputs=x, outputs=tf.negative(x))

    def with_collection(name: str) -> Any:
        def module_fn() -> None:
            x = tf.placeholder(tf.float32, [], name="x")
            y = tf.negative(x, name="y")
            tf.add_to_collection(name, y)
            hub.add_signature(inputs=x, outputs=y)

        return module_fn

    def with_local_variable() -> None:
        x = tf.placeholder(tf.float32, [], name="x")
        v = tf.get_variable("v", [], collections=[tf.GraphKeys.LOCAL_VARIABLES])
        hub.add_signature(inputs=x, outputs=x + v)

    def with_global_step() -> None:
        good()
        tf.train.get_or_create_global_step()

    def variable_as_output() -> None:
        hub.add_signature(outputs=tf.get_variable("v", []))

    def number_as_input() -> None:
        hub.add_signature(inputs=1.0, outputs=tf.constant(1.0))

    def list_as_output() -> None:
        hub.add_signature(outputs=[tf.constant(1.0)])

    def raises() -> None:
        raise KeyError("mine")

    create = hub.create_module_spec
    train = ({"train"}, {})
    result = {
        "no signature": failure(create, nothing),
        "losses": failure(create, with_collection(tf.GraphKeys.LOSSES)),
        "own": failure(create, with_collection("my_own")),
        "local": failure(create, with_local_variable),
        "global step": failure(create, with_global_step),
        "twice": failure(create, good, [train, (set(), {}), train]),
        "twice in order": failure(create, good, [(["a", "b"], {}), (["b", "a"], {})]),
        "arguments": failure(create, good, [(set(), {"none": 1})]),
        "variable": failure(create, variable_as_output),
        "number": failure(create, number_as_input),
        "list": failure(create, list_as_output),
        "raises": failure(create, raises),
    }
    with tf.Graph().as_default():
        for drop in (["losses"], ["losses", "my_own", "never_there"]):
            spec = create(with_collection("losses"), drop_collections=drop)
            result["dropped %d" % len(drop)] = evaluate(tf, hub.Module(spec)(1.0))
        spec = create(with_global_step, drop_collections=[tf.GraphKeys.GLOBAL_STEP])
        result["kept step"] = names(hub.Module(spec, name="stepping").variables)
    return result


@program()
def specs_of_kinds_of_variables(tf: Any, hub: Any, folder: str) -> dict:
    """Resource variables, unless the function asks for others."""

    def module_fn() -> None:
        x = tf.placeholder(tf.float32, [None, 3], name="x")
        y = tf.matmul(x, weights(tf, "plain", 3, 2))
        with tf.variable_scope("scope"):
            y += weights(tf, "scoped", 2)
        y += weights(tf, "reference", 2, use_resource=False)
        with tf.variable_scope("old", use_resource=False):
            y += weights(tf, "scoped", 2)
        hub.add_signature(inputs=x, outputs=y)

    with tf.Graph().as_default():
        module = hub.Module(hub.create_module_spec(module_fn))
        return {
            "kinds": ["%s %s" % (v.op.name, v.op.type) for v in module.variables],
            "y": evaluate(tf, module(numbers(1, 3))),
        }


@program()
def attached_messages(tf: Any, hub: Any, folder: str) -> dict:
    """Messages by variant, from specs and modules, before and after export."""
    from google.protobuf import struct_pb2, wrappers_pb2

    def module_fn(text: str) -> None:
        hub.attach_message("text", wrappers_pb2.StringValue(value="first"))
        hub.attach_message("text", wrappers_pb2.StringValue(value=text))
        if text == "train":
            number = struct_pb2.Value(number_value=2.5)
            hub.attach_message("Number_2", struct_pb2.ListValue(values=[number]))
        x = tf.placeholder(tf.float32, [], name="x")
        hub.add_signature(inputs=x, outputs=tf.negative(x))

    def text_of(source: Any, **kwargs: Any) -> str:
        return source.get_attached_message("text", wrappers_pb2.StringValue, **kwargs).value

    spec = hub.create_module_spec(
        module_fn, [(set(), {"text": "serve"}), ({"train"}, {"text": "train"})]
    )
    result: dict[str, Any] = {
        "spec": text_of(spec),
        "spec for training": text_of(spec, tags={"train"}),
        "list of tags": text_of(spec, tags=["train"], required=True),
        "none": spec.get_attached_message("none", wrappers_pb2.StringValue) is None,
        "other variant": spec.get_attached_message("Number_2", struct_pb2.ListValue) is None,
        "required": failure(
            spec.get_attached_message, "none", wrappers_pb2.StringValue, required=True
        ),
    }
    with tf.Graph().as_default():
        module = hub.Module(spec, tags={"train"})
        result["module"] = text_of(module)
        result["module requires"] = failure(
            module.get_attached_message, "none", wrappers_pb2.StringValue, required=True
        )
        with initialized(tf) as session:
            module.export(folder + "/module", session)
    loaded = hub.load_module_spec(folder + "/module")
    result["loaded"] = text_of(loaded)
    result["loaded for training"] = text_of(loaded, tags={"train"})
    numbers_message = loaded.get_attached_message("Number_2", struct_pb2.ListValue, tags={"train"})
    result["number"] = numbers_message.values[0].number_value

    def attach(key: str) -> Any:
        with tf.Graph().as_default():
            return failure(hub.attach_message, key, wrappers_pb2.StringValue(value="x"))

    for key in ("", "1a", "_a", "a-b", "a.b", "a b", "a/b", "\xe4"):
        result["key %r" % key] = attach(key)
    result["good key"] = attach("aB_9")
    return result


@program()
def image_modules(tf: Any, hub: Any, folder: str) -> dict:
    """Sizes and channels from the attached message, and from shapes."""

    def module_fn(
        shape: Any, size: Any = None, signature: Any = None, name: str = "images"
    ) -> None:
        images = tf.placeholder(tf.float32, shape, name="images")
        hub.add_signature(signature, {name: images}, tf.negative(images))
        if signature:
            hub.add_signature(inputs={"x": images}, outputs=images)
        if size:
            info = hub.ImageModuleInfo()
            info.default_image_size.height, info.default_image_size.width = size
            hub.attach_image_module_info(info)

    def spec(*args: Any, **kwargs: Any) -> Any:
        return hub.create_module_spec(lambda: module_fn(*args, **kwargs))

    info = hub.ImageModuleInfo()
    info.default_image_size.height = 224
    info.default_image_size.width = 160
    again = hub.ImageModuleInfo()
    again.ParseFromString(info.SerializeToString())
    result: dict[str, Any] = {
        "wire": info.SerializeToString().hex(),
        "parsed": [str(again.default_image_size.height), str(again == info)],
        "has size": str(hub.ImageModuleInfo().HasField("default_image_size")),
    }
    specs = {
        "shape": spec([None, 30, 40, 3]),
        "info": spec([None, None, None, 1], (50, 60)),
        "both": spec([None, 30, 40, 3], (50, 60)),
        "half info": spec([None, 30, 40, 3], (50, 0)),
        "unknown": spec([None, None, 40, None]),
        "rank": spec([None, 30, 40]),
        "no rank": spec(None),
        "other name": spec([None, 30, 40, 3], name="pictures"),
    }
    for key, each in specs.items():
        for name in ("get_expected_image_size", "get_num_image_channels"):
            function = getattr(hub, name)
            problem = failure(function, each)
            nothing = problem.families == ["nothing raised"]
            result["%s: %s" % (key, name)] = function(each) if nothing else problem
    other = spec([None, 10, 20, 4], signature="pictures", name="p")
    result["signature"] = hub.get_expected_image_size(other, signature="pictures", input_name="p")
    result["channels"] = hub.get_num_image_channels(other, signature="pictures", input_name="p")
    result["default"] = hub.get_expected_image_size(other, input_name="x")
    result["missing"] = failure(hub.get_expected_image_size, other)
    with tf.Graph().as_default():
        module = hub.Module(specs["info"])
        result["module"] = hub.get_expected_image_size(module)
        result["channels of module"] = hub.get_num_image_channels(module)
        with initialized(tf) as session:
            module.export(folder + "/module", session)
    result["loaded"] = hub.get_expected_image_size(hub.load_module_spec(folder + "/module"))
    return result


@program()
def specs_from_saved_models(tf: Any, hub: Any, folder: str) -> dict:
    """A SavedModel of TF1 as a module: its variables, tables, assets; other collections dropped."""
    path = words_file(folder, "source/words.txt", ["red", "green", "blue"])
    with tf.Graph().as_default():
        step = tf.train.get_or_create_global_step()
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
        table_of_weights = weights(tf, "w", 4, 2, use_resource=True)
        y = tf.nn.embedding_lookup(table_of_weights, table.lookup(words))
        y = tf.identity(y, name="y")
        tf.add_to_collection("mine", y)
        loss = tf.reduce_sum(tf.square(y))
        train = tf.train.GradientDescentOptimizer(0.1).minimize(loss, global_step=step)
        build = tf.saved_model.signature_def_utils.build_signature_def
        info = tf.saved_model.utils.build_tensor_info
        signature = build({"words": info(words)}, {"default": info(y)}, "any/method")
        with initialized(tf) as session:
            session.run(train, {words: ["red", "blue"]})
            expected = session.run(y, {words: ["blue", "mauve"]})
            builder = tf.saved_model.builder.SavedModelBuilder(folder + "/saved")
            builder.add_meta_graph_and_variables(
                session,
                ["serve"],
                signature_def_map={"serving_default": signature, "a:b": signature},
                assets_collection=tf.get_collection(tf.GraphKeys.ASSET_FILEPATHS),
                legacy_init_op=tf.tables_initializer(),
                # Ops of the optimizer need no place in a module.
                strip_default_attrs=True,
            )
            builder.save()
    from_saved_model = hub.create_module_spec_from_saved_model
    result: dict[str, Any] = {
        "expected": expected,
        "refused": failure(from_saved_model, folder + "/saved"),
    }
    spec = from_saved_model(folder + "/saved", drop_collections=["mine", "train_op"])
    result["tags"] = [sorted(tags) for tags in spec.get_tags()]
    result["signatures"] = sorted(spec.get_signature_names(tags={"serve"}))
    result["no default"] = failure(spec.get_input_info_dict, tags={"serve"})
    with tf.Graph().as_default():
        result["no tags"] = failure(hub.Module, spec)
        module = hub.Module(spec, tags={"serve"}, trainable=True)
        y = module(["blue", "mauve"], signature="serving_default")
        other = module({"words": ["blue"]}, signature="a:b", as_dict=True)["default"]
        result["names"] = names([y, other, *module.variables])
        result["trainable"] = names(tf.trainable_variables())
        result["collections"] = collections(tf, ["regularization", "update", "model"])
        with initialized(tf) as session:
            result["y"] = session.run(y)
            result["step"] = session.run(module.variable_map["global_step"])
            module.export(folder + "/module", session)
    result["files"] = files_in(folder + "/module")
    result["kept"] = Kept(
        "module",
        {"words": ["blue", "mauve"]},
        {"default": expected},
        signature="serving_default",
        tags=["serve"],
    )
    with tf.Graph().as_default():
        module = hub.Module(folder + "/module", tags={"serve"})
        result["again"] = evaluate(tf, module(["blue", "mauve"], signature="serving_default"))
    result["missing"] = failure(from_saved_model, folder + "/nothing")
    return result


@program()
def specs_are_reusable(tf: Any, hub: Any, folder: str) -> dict:
    """One spec in several graphs and many modules; later changes of a module leave it alone."""
    spec = linear(tf, hub)
    result: dict[str, Any] = {}
    for k in range(2):
        with tf.Graph().as_default():
            module = hub.Module(spec, name="m%d" % k)
            y = module(numbers(1, 3))
            with initialized(tf) as session:
                result["before %d" % k] = session.run(y)
                module.variable_map["w"].load(numbers(3, 2) * 0, session)
                result["after %d" % k] = session.run(y)
                module.export(folder + "/m%d" % k, session)
    with hub.eval_function_for_module(folder + "/m1") as function:
        result["exported"] = function(numbers(1, 3))
    with hub.eval_function_for_module(spec) as function:
        result["spec"] = function(numbers(1, 3))
    return result
