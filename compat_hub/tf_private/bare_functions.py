"""Functions of the runtime without Python's graph (`pywrap_tf_session`, `atomic_function`).

All of it was seen in TensorFlow 2.16.2 and 2.21.0.
"""

from __future__ import annotations

import functools
import re
import weakref
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import config_pb2, rewriter_config_pb2
from tensorflow.python.client import pywrap_tf_session
from tensorflow.python.eager import (
    cancellation,
    context,
    execute,
)
from tensorflow.python.eager.polymorphic_function import (
    atomic_function,
)
from tensorflow.python.framework import (
    c_api_util,
    importer,
    ops,
)
from tensorflow.python.framework import function as defined_function


class BareFunction:
    """A function of the runtime without a Python object for each of its nodes.

    Making these is most of what importing a graph costs. They are for those who look at the graph,
    tapes and functions around, so only calls that no tape and no function records can use it.

    Args:
        name: The function's name in profiles.
        graph: A graph with the function's arguments and nothing else.
        arguments: These, in their order.
        graph_def: The nodes. It calls no functions.
        scope: The name that is put before the nodes' names.
        given: The tensors of `graph` that take the place of the graph's, by name.
        fetches: Names of the wanted tensors, those of `given` among them.
        targets: Names of further nodes that run.

    Raises:
        ValueError: TensorFlow cannot import the graph.
    """

    def __init__(
        self,
        name: str,
        graph: tf.Graph,
        arguments: Iterable[tf.Tensor],
        graph_def: Any,
        scope: str,
        given: Mapping[str, tf.Tensor],
        fetches: Sequence[str],
        targets: Sequence[str],
    ) -> None:
        self.op_name = f"__bare_{re.sub(r'[^A-Za-z0-9_]', '_', name)}_{ops.uid()}"
        self.count = len(fetches)
        scoped = c_api_util.ScopedTFImportGraphDefOptions()
        computed = [fetch for fetch in fetches if fetch not in given]
        importer._PopulateTFImportGraphDefOptions(
            scoped.options, scope, given, [*computed, *targets], False
        )
        buffer = pywrap_tf_session.TF_NewBufferFromString(graph_def.SerializeToString())
        try:
            with graph._c_graph.get() as c_graph:
                results = c_api_util.ScopedTFImportGraphDefResults(
                    pywrap_tf_session.TF_GraphImportGraphDefWithResults(
                        c_graph, buffer, scoped.options
                    )
                )
                tensors = iter(
                    pywrap_tf_session.TF_ImportGraphDefResultsReturnOutputs(results.results)
                )
                function = pywrap_tf_session.TF_GraphToFunction_wrapper(
                    c_graph,
                    self.op_name,
                    False,
                    None,  # all nodes
                    [argument._as_tf_output() for argument in arguments],
                    [given[f]._as_tf_output() if f in given else next(tensors) for f in fetches],
                    [],
                    pywrap_tf_session.TF_ImportGraphDefResultsReturnOperations(results.results),
                    [],
                    None,
                    "",
                )
        except tf.errors.InvalidArgumentError as error:
            raise ValueError(str(error)) from error
        finally:
            pywrap_tf_session.TF_DeleteBuffer(buffer)
        runtime: Any = context.context()
        runtime.add_c_function(function)
        weakref.finalize(self, _remove_function, runtime, self.op_name.encode())


def unregister_with(graph: tf.Graph) -> None:
    """Has the runtime forget a `wrap_function`'s imported functions when nothing calls them.

    TensorFlow registers them, and leaves them there for good. The objects that stand for them are
    held by each graph and function that calls one of them, directly or not.
    """
    runtime: Any = context.context()
    for name, imported in _imported_functions(graph).items():
        finalizer = weakref.finalize(imported, _remove_function, runtime, name.encode())
        finalizer.atexit = False


def register_functions(graph: tf.Graph) -> None:
    """Tells the runtime of functions that were imported into a graph of a function, for as long.

    TensorFlow does so for `wrap_function` only.
    """
    for imported in _imported_functions(graph).values():
        if imported._function_deleter is None:
            # Reading it registers the function, until the object is gone.
            assert imported.definition is not None


def _imported_functions(graph: Any) -> dict[str, Any]:
    kind = defined_function._DefinedFunction
    return {name: f for name, f in graph._functions.items() if isinstance(f, kind)}


def _remove_function(runtime: Any, name: bytes) -> None:
    if runtime is context.context():  # and not another one, of a test
        runtime.remove_function(name)


def call_unrecorded(
    function: Any, arguments: list[tf.Tensor], fusible: bool = True
) -> list[tf.Tensor]:
    """Runs a function of tensors to a list of tensors, if no tape or function records the call.

    A ConcreteFunction's own call looks at each argument and packs the outputs first, which takes
    longer than a small function does; and it has TensorFlow's graph optimizer go over the graph in
    the first call, for longer than that call takes.

    Args:
        function: The function.
        arguments: What it is called with.
        fusible: Whether the graph has ops that run faster where the optimizer fuses them.
    """
    if isinstance(function, BareFunction):
        called, name, count = function, function.op_name, function.count
    else:
        called = function._inference_function
        name, count = called.name.decode(), len(called.function_type.flat_outputs)
    runtime: Any = context.context()
    options = runtime.function_call_options
    attrs = _lean_attrs(options.config_proto_serialized, options.executor_type, fusible)
    cancellation_manager = cancellation.context()
    try:
        if cancellation_manager is None:
            return execute.execute(name, count, arguments, attrs, runtime)
        return execute.execute_with_cancellation(
            name, count, arguments, attrs, runtime, cancellation_manager
        )
    except tf.errors.OpError:
        if called is function:
            raise
        with atomic_function.InterpolateRuntimeError(called):  # says where in the graph
            raise


# Never stale: its arguments are all that it depends on.
@functools.lru_cache(maxsize=32)
def _lean_attrs(serialized: bytes, executor: str | None, fusible: bool) -> tuple[Any, ...]:
    """Names and values of attributes of a call in which little time goes into a faster graph.

    On CPUs, what the optimizer does for inference is to fuse convolutions with what follows: the
    runtime itself finds constants and common parts of the graph. Elsewhere, and where the program
    has a say in it, the options stay as they are.
    """
    config = config_pb2.ConfigProto.FromString(serialized)
    only_cpus = all(kind == "CPU" or not count for kind, count in config.device_count.items())
    if only_cpus and not config.HasField("graph_options"):
        rewriting = config.graph_options.rewrite_options
        if fusible:
            for field in rewriting.DESCRIPTOR.fields:
                if field.enum_type is not None and field.enum_type.name == "Toggle":
                    setattr(rewriting, field.name, rewriter_config_pb2.RewriterConfig.OFF)
            rewriting.remapping = rewriter_config_pb2.RewriterConfig.ON
            rewriting.memory_optimization = rewriter_config_pb2.RewriterConfig.NO_MEM_OPT
            rewriting.meta_optimizer_iterations = rewriter_config_pb2.RewriterConfig.ONE
        else:
            rewriting.disable_meta_optimizer = True
    return ("executor_type", executor or "", "config_proto", config.SerializeToString())
