"""Running graphs with modules: what runs, in which kind of session; evaluation functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from .building import dense, evaluate, initialized, linear, names, network, numbers, words_file
from .registry import STEPS, failure, program


@program()
def only_what_is_fetched_runs(tf: Any, hub: Any, folder: str) -> dict:
    """A check that fails, a count, what is of another signature: only where they are fetched."""

    def module_fn() -> None:
        x = tf.placeholder(tf.float32, [None], name="x")
        count = tf.get_variable("count", [], initializer=tf.zeros_initializer())
        with tf.control_dependencies([count.assign_add(1.0)]):
            counted = tf.identity(x, name="counted")
        with tf.control_dependencies([tf.Assert(tf.reduce_all(x > 0), ["not positive"])]):
            checked = tf.identity(x, name="checked")
        unfed = tf.placeholder(tf.float32, [None], name="unfed")
        outputs = {"default": x * 2, "counted": counted, "checked": checked}
        hub.add_signature(inputs=x, outputs=outputs)
        hub.add_signature("unfed", {"x": x, "unfed": unfed}, tf.subtract(x, unfed))

    with tf.Graph().as_default():
        module = hub.Module(hub.create_module_spec(module_fn))
        outputs = module([-1.0, 2.0], as_dict=True)
        other = module({"x": [1.0], "unfed": [5.0]}, signature="unfed")
        count = module.variable_map["count"]
        with initialized(tf) as session:
            result = {"default": session.run(outputs["default"]), "other": session.run(other)}
            result["not counted"] = session.run(count)
            session.run([outputs["counted"], outputs["default"]])
            session.run(outputs["counted"])
            result["counted"] = session.run(count)
            result["checked"] = failure(session.run, outputs["checked"])
            result["still counted"] = session.run(count)
        return result


@program(tolerance=STEPS)
def monitored_sessions(tf: Any, hub: Any, folder: str) -> dict:
    """Initialized without asking, saved, found again, with a Scaffold and hooks."""
    path = words_file(folder, "words.txt", ["one", "two", "three"])

    def words_fn() -> None:
        words = tf.placeholder(tf.string, [None], name="words")
        initializer = tf.lookup.TextFileInitializer(
            path, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, -1
        )
        table = tf.lookup.StaticVocabularyTable(initializer, 1)
        hub.add_signature(inputs=words, outputs=table.lookup(words))

    result: dict[str, Any] = {}
    for turn in range(2):
        with tf.Graph().as_default():
            module = hub.Module(network(tf, hub), trainable=True, tags={"train"})
            words = hub.Module(hub.create_module_spec(words_fn), name="words")
            ids = words(["three", "two", "five"])
            loss = tf.reduce_sum(tf.square(module(numbers(4, 4, scale=2.0))))
            step = tf.train.get_or_create_global_step()
            with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
                train = tf.train.GradientDescentOptimizer(0.05).minimize(loss, global_step=step)
            hooks = [tf.train.StopAtStepHook(num_steps=2)]
            with tf.train.MonitoredTrainingSession(
                checkpoint_dir=folder + "/checkpoints",
                hooks=hooks,
                save_checkpoint_steps=1,
                save_summaries_steps=0,
                log_step_count_steps=0,
            ) as session:
                result["ids %d" % turn] = session.run(ids)
                while not session.should_stop():
                    session.run(train)
    latest = tf.train.latest_checkpoint(folder + "/checkpoints")
    saved = tf.train.list_variables(latest)
    result["saved"] = [name for name, _ in saved]
    result["kernel"] = tf.train.load_variable(latest, "module/hidden/kernel")
    result["mean"] = tf.train.load_variable(latest, "module/norm/moving_mean")
    result["step"] = tf.train.load_variable(latest, "global_step")
    with tf.Graph().as_default():
        y = hub.Module(linear(tf, hub))(numbers(1, 3))
        with tf.train.SingularMonitoredSession() as session:
            result["single"] = session.run(y)
    return result


@program()
def eval_functions(tf: Any, hub: Any, folder: str) -> dict:
    """All signatures of a module, of a spec or a path, evaluated without a graph of one's own."""
    path = words_file(folder, "words.txt", ["one", "two", "three"])

    def module_fn(offset: int) -> None:
        words = tf.placeholder(tf.string, [None], name="words")
        initializer = tf.lookup.TextFileInitializer(
            path, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, -1
        )
        table = tf.lookup.StaticVocabularyTable(initializer, 1)
        ids = table.lookup(words) + offset
        hub.add_signature(inputs=words, outputs={"default": ids, "words": words})
        a = tf.placeholder(tf.float32, [None, 2], name="a")
        b = tf.placeholder(tf.float32, [2], name="b")
        hub.add_signature("sum", {"a": a, "b": b}, a + b)
        sparse = tf.sparse.placeholder(tf.int64, [None, None], name="sparse")
        doubled = tf.SparseTensor(sparse.indices, sparse.values * 2, sparse.dense_shape)
        loose = tf.sparse.placeholder(tf.float32, name="loose")
        hub.add_signature("sparse", {"sparse": sparse}, doubled)
        hub.add_signature("loose", {"loose": loose}, loose.values)
        hub.add_signature("nothing", {}, {"numbers": tf.constant([1, 2])})

    spec = hub.create_module_spec(module_fn, [(set(), {"offset": 0}), (["t"], {"offset": 100})])
    result: dict[str, Any] = {}
    with tf.Graph().as_default() as graph:
        module = hub.Module(spec)
        with initialized(tf) as session:
            module.export(folder + "/module", session)
        count = len(graph.get_operations())
        with hub.eval_function_for_module(spec) as function:
            result["words"] = function(["two", "none"])
            result["by name"] = function({"default": ["two", "none"]})
            result["as dict"] = function(["one"], as_dict=True)
            result["sum"] = function({"a": [[1, 2]], "b": np.float32([3, 4])}, signature="sum")
            value = tf.SparseTensorValue([[0, 1]], [4], [1, 2])
            sparse = function(value, signature="sparse")
            result["sparse"] = [str(type(sparse).__name__), str(sparse.values.tolist())]
            loose = tf.SparseTensorValue([[0]], [4.0], [1])
            result["loose"] = function(loose, signature="loose")
            result["nothing"] = function(signature="nothing", as_dict=True)
            result["no default"] = failure(function, signature="nothing")
            result["missing"] = failure(function, {"a": [[1, 2]]}, signature="sum")
            result["unknown"] = failure(function, signature="other")
            result["same graph"] = tf.get_default_graph() is graph
        with hub.eval_function_for_module(folder + "/module", tags={"t"}) as function:
            result["tags"] = function(["three"])
        result["ops"] = len(graph.get_operations()) - count
    result["unknown tags"] = failure(hub.eval_function_for_module(spec, tags={"none"}).__enter__)
    return result


@program()
def graphs_copied(tf: Any, hub: Any, folder: str) -> dict:
    """A graph with a module as a MetaGraph and as a frozen graph."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 4], name="x")
        module = hub.Module(network(tf, hub), trainable=True)
        tf.identity(module(x), name="y")
        with initialized(tf) as session:
            expected = session.run("y:0", {"x:0": numbers(2, 4)})
            frozen = tf.graph_util.convert_variables_to_constants(
                session, graph.as_graph_def(), ["y"]
            )
            meta_graph = tf.train.export_meta_graph()
    result = {"expected": expected}
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(frozen, name="")
        result["frozen"] = session.run("y:0", {"x:0": numbers(2, 4)})
        result["kinds"] = sorted({n.op for n in frozen.node} & {"VarHandleOp", "RestoreV2"})
    with tf.Graph().as_default():
        tf.train.import_meta_graph(meta_graph, import_scope="copy")
        result["copied"] = evaluate(tf, "copy/y:0", {"copy/x:0": numbers(2, 4)})
        result["names"] = names(tf.trainable_variables())
    return result


@program()
def exported_values_survive(tf: Any, hub: Any, folder: str) -> dict:
    """The initializers of a loaded module read its checkpoint, each time that they run."""
    with tf.Graph().as_default():
        module = hub.Module(network(tf, hub))
        with initialized(tf) as session:
            for variable in module.variables:
                variable.load(session.run(variable) + 1, session)
            module.export(folder + "/module", session)
    with tf.Graph().as_default():
        module = hub.Module(folder + "/module")
        head = dense(tf, module(numbers(2, 4)), 1, "head")
        kernel = module.variable_map["hidden/kernel"]
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            result = {"head": session.run(head)}
            kernel.load(numbers(4, 3) * 0, session)
            result["changed"] = session.run(head)
            session.run(kernel.initializer)
            result["again"] = session.run(head)
            result["unknown"] = [
                name.decode() for name in session.run(tf.report_uninitialized_variables())
            ]
        return result
