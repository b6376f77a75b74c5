"""Every use of a private name of TensorFlow or tf_keras, each with its reason.

All were seen in TensorFlow 2.16.2 and 2.21.0.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import threading
import traceback
import weakref
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeGuard, TypeVar

import tensorflow as tf
from tensorflow.core.protobuf import config_pb2, rewriter_config_pb2
from tensorflow.python import pywrap_tfe
from tensorflow.python.autograph.impl import api as autograph
from tensorflow.python.client import pywrap_tf_session
from tensorflow.python.distribute import load_context
from tensorflow.python.eager import (
    backprop_util,
    cancellation,
    context,
    execute,
    forwardprop_util,
    record,
)
from tensorflow.python.eager.polymorphic_function import (
    atomic_function,
    concrete_function,
    polymorphic_function,
)
from tensorflow.python.framework import (
    c_api_util,
    func_graph,
    importer,
    kernels,
    op_def_library,
    op_def_registry,
    ops,
)
from tensorflow.python.framework import function as defined_function
from tensorflow.python.ops import (
    default_gradient,
    gradients_util,
    handle_data_util,
    resource_variable_ops,
)
from tensorflow.python.saved_model import nested_structure_coder, save_context, utils_impl
from tensorflow.python.trackable import base as tracking_base
from tensorflow.python.trackable import data_structures as tracking_structures
from tensorflow.python.trackable import resource as tracking_resource
from tensorflow.python.util import tf_inspect

_T = TypeVar("_T")

# What tables derive from: a TrackableResource. Of those, tf_keras' `Model.export` keeps the ones
# that are of this class, or of `tf.lookup`, and lists no others.
RESOURCE_BASE: Any = tracking_resource.RestoredResource


def decode_type_spec(proto: Any) -> tf.TypeSpec:
    """A TypeSpec from its TypeSpecProto: there is no public decoder."""
    from tensorflow.core.protobuf import struct_pb2  # noqa: PLC0415

    return nested_structure_coder.decode_proto(struct_pb2.StructuredValue(type_spec_value=proto))


def tensor_info(value: Any) -> Any:
    """The TensorInfo of a tensor, dense or composite: the public function logs a deprecation."""
    return utils_impl.build_tensor_info_internal(value)


def is_registered_op(name: str) -> bool:
    """Whether this process knows the op; `tf.raw_ops` leaves out ops of extension libraries."""
    return op_def_registry.get(name) is not None


def makes_resource(name: str) -> bool:
    """Whether the op makes a resource out of nothing, as a table does; variables not counted."""
    op_def = op_def_registry.get(name)
    return (
        op_def is not None
        and op_def.is_stateful
        and not op_def.input_arg
        and [o.type for o in op_def.output_arg] == [tf.resource.as_datatype_enum]
        and name != "VarHandleOp"
    )


def is_state_op(name: str) -> bool:
    """Whether the op holds state that comes out of nothing: a variable, a table, an iterator.

    As tensorflow_hub tells what belongs to the state of a module.
    """
    op_def = op_def_registry.get(name)
    return op_def is not None and op_def.is_stateful and not op_def.input_arg


def make_resource(graph_def: Any) -> tf.Tensor:
    """The handle of a resource that one node makes out of nothing; any registered op may be it.

    `tf.raw_ops` has no ops of extension packages, and cannot be given functions.

    Args:
        graph_def: The node, and the functions that it needs.
    """
    (node,) = graph_def.node
    if not context.executing_eagerly():
        handles = tf.graph_util.import_graph_def(
            graph_def, return_elements=[f"{node.name}:0"], name="resource"
        )
        return handles[0]
    runtime: Any = context.context()
    for function in graph_def.library.function:
        runtime.add_function_def(function)
    attrs = [part for name, a in node.attr.items() for part in (name, _eager_attr(a))]
    return execute.execute(node.op.encode(), 1, inputs=[], attrs=tuple(attrs), ctx=runtime)[0]


def apply_op(name: str, inputs: Sequence[Any], attrs: Mapping[str, Any]) -> list[tf.Tensor]:
    """Adds a node of any registered op to the current graph.

    Args:
        name: The op.
        inputs: One value for each of its inputs.
        attrs: Attributes by name, where they do not follow from the inputs nor have their default.

    Returns:
        Its outputs.
    """
    definition: Any = op_def_registry.get(name)
    given = dict(zip([a.name for a in definition.input_arg], inputs, strict=True))
    inferred = {a.type_attr for a in definition.input_arg}
    defaults = {a.name: None for a in definition.attr if a.name not in inferred}
    result: Any = op_def_library.apply_op(name, **given, **{**defaults, **attrs})
    return list(result) if isinstance(result, list | tuple) else [result]


def _eager_attr(attr: Any) -> Any:
    """An AttrValue as the eager runtime takes it."""
    kind = attr.WhichOneof("value")
    if kind == "list":
        lists = attr.list
        shapes = [_eager_shape(shape) for shape in lists.shape]
        return [*lists.s, *lists.i, *lists.f, *lists.b, *lists.type, *shapes]
    if kind == "func":
        return attr.func.name
    return _eager_shape(attr.shape) if kind == "shape" else getattr(attr, kind)


def _eager_shape(shape: Any) -> list[int] | None:
    return None if shape.unknown_rank else [dim.size for dim in shape.dim]


def op_def(name: str) -> Any:
    """The OpDef of an op, or None: there is no public registry."""
    return op_def_registry.get(name)


@functools.cache
def xla_dtypes(op_name: str) -> dict[str, frozenset[int]] | None:
    """What XLA compiles of an op: for its attributes the numbers of dtypes, or None for nothing."""
    _register_xla_kernels()
    for kernel in kernels.get_registered_kernels_for_op(op_name).kernel:
        if kernel.device_type == "XLA_GPU_JIT":
            return {c.name: frozenset(c.allowed_values.list.type) for c in kernel.constraint}
    return None


@functools.cache
def _register_xla_kernels() -> None:
    """TensorFlow lists the kernels of XLA after something was compiled, and not before."""
    with tf.init_scope(), tf.device("CPU:0"):
        tf.function(tf.identity, jit_compile=True)(tf.constant(0.0))


def is_saving() -> bool:
    """Whether functions are being traced for a SavedModel."""
    return save_context.in_save_context()


def copy_handle_data(source: tf.Tensor, target: tf.Tensor) -> None:
    """Tells a resource placeholder the dtype and shape of the variable behind it.

    Without it shape inference stops at each read, and no gradient reaches the variable.
    """
    handle_data_util.copy_handle_data(source, target)


def handle_data(handle: tf.Tensor) -> tuple[Any, Any] | None:
    """The dtype and shape of the variable, or of a list's elements, behind a tensor in a graph."""
    data = handle_data_util.get_handle_data(handle)
    if not data.is_set or len(data.shape_and_type) != 1:
        return None
    return data.shape_and_type[0].dtype, data.shape_and_type[0].shape


def seed_epoch() -> Any:
    """An object that is another one after each `tf.random.set_seed`, None before the first."""
    current: Any = context.context()
    return None if context.global_seed() is None else current._rng


def operation_seed() -> int:
    """The next seed that follows from `tf.random.set_seed`, as an eager random op takes it."""
    return context.internal_operation_seed()


@contextlib.contextmanager
def outside_of_functions() -> Iterator[None]:
    """Is `tf.init_scope`, without what the functions that are being built do with new variables.

    In a `tf.function` they would be uninitialized, and there could be none in its second tracing.
    """
    with tf.init_scope():
        graph: Any = ops.get_default_graph()
        stack = graph._variable_creator_stack
        theirs = polymorphic_function.__name__
        if not any(creator.__module__ == theirs for _, creator in stack):
            yield
            return
        graph._variable_creator_stack = [c for c in stack if c[1].__module__ != theirs]
        try:
            yield
        finally:
            graph._variable_creator_stack = stack


def keep_with_functions(thing: Any) -> None:
    """Keeps an object for as long as the functions that are being built here."""
    graph: Any = ops.get_default_graph()
    while graph is not None and graph.building_function:
        graph.add_to_collection(("compat_hub", "kept"), thing)
        graph = graph.outer_graph


def make_variable(value: tf.Tensor, name: str, **options: Any) -> tf.Variable:
    """A `tf.Variable`; with the options of its constructor.

    TensorFlow builds a small program to make a variable's handle, and keeps it for the next one of
    the same name, shape and dtype: half a millisecond for each variable whose name is its own. The
    name that matters is on the Python object.
    """
    creators = ops.get_default_graph()._variable_creator_stack
    if creators or not tf.executing_eagerly() or tf.distribute.has_strategy():
        return tf.Variable(value, name=name, **options)
    variable: Any = tf.Variable(value, name="variable", **options)
    scope = variable.name.removesuffix("variable:0")
    variable._handle_name = f"{scope}{name}:0"
    return variable


def variable_accessed(variable: tf.Variable, watched: bool = True) -> None:
    """Reports a variable to the functions around, and to the tapes if it is to be watched.

    Reading it does both. What a function was not told of is missing where somebody saves it.
    """
    if watched:
        resource_variable_ops.variable_accessed(variable)
        return
    graph: Any = ops.get_default_graph()
    if hasattr(graph, "watch_variable"):
        graph.watch_variable(variable)


def as_called_here(function: Callable[..., _T]) -> Callable[..., _T]:
    """The function for other threads, where it runs eagerly, and on the device of this one's scope.

    A thread that is new has no device scope, and builds graphs where the program has disabled
    eager execution.
    """
    runtime: Any = context.context()
    device = runtime.device_name or None

    def call(*args: Any) -> _T:
        with context.eager_mode(), tf.device(device):
            return function(*args)

    return call


def is_eager_tensor(value: Any) -> TypeGuard[tf.Tensor]:
    """Whether it is a tensor with a value, and nothing that is to be converted to one."""
    return type(value) is ops.EagerTensor


def may_record() -> bool:
    """Whether somebody may watch what runs: a tape, or a function that is being built."""
    return not context.executing_eagerly() or record.could_possibly_record()


def is_recording_stopped() -> bool:
    """Whether tapes look away, as while `tf.recompute_grad` notes which variables a call uses."""
    return pywrap_tfe.TFE_Py_TapeSetIsStopped()


class _Fork:
    """What became of the runtime when this process was forked: a child has none of its threads."""

    lost_threads = False

    @classmethod
    def in_child(cls) -> None:
        """Notes whether the parent had started it."""
        runtime = context._context
        cls.lost_threads = runtime is not None and runtime._initialized


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_Fork.in_child)


def lost_threads() -> bool:
    """Whether functions would wait for ever for threads that only the parent process has."""
    return _Fork.lost_threads and ops.executing_eagerly_outside_functions()


class BareFunction:
    """A function of the runtime without a Python object for each of its nodes.

    Making these is most of what importing a graph costs. They are for those who look at the graph,
    tapes and functions around, so that only calls that nobody watches can use it.

    Args:
        name: The function's name in profiles.
        graph: A graph with the function's arguments and nothing else.
        arguments: These, in their order.
        graph_def: The nodes. It calls no functions.
        scope: The name that is put before the nodes' names.
        given: The tensors of `graph` that take the place of the graph's, by name.
        fetches: Names of the wanted tensors, those of `given` among them.
        targets: Names of nodes that run besides.

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


def build_gradients_one_by_one(function: Any) -> None:
    """Makes threads build the gradient of a ConcreteFunction one after the other.

    Meanwhile TensorFlow appends outputs to the function's graph, and changes its loops in place. It
    builds the gradient in a call under a tape of the eager program, and for calls in other
    functions when it is asked for. The lock is not held while anything runs.
    """
    lock = threading.RLock()
    select = function._select_forward_and_backward_functions
    pairs = function._delayed_rewrite_functions
    build_pair = pairs.forward_backward

    def select_and_build(*args: Any) -> Any:
        with lock:
            call = select(*args)
            call.forward()
            return call

    def build_pair_locked(*args: Any) -> Any:
        with lock:
            return build_pair(*args)

    function._select_forward_and_backward_functions = select_and_build
    pairs.forward_backward = build_pair_locked
    function.gradient_lock = lock


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
    """Runs a function, bare or wrapped, of tensors to a list of tensors, where nobody watches.

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


def unconverted(method: Any) -> Any:
    """A method that AutoGraph leaves alone, and what it calls.

    `do_not_convert` does so in eager calls, too, which need it not, and where it takes longer than
    a small function does.
    """
    inside = tf.autograph.experimental.do_not_convert(method)

    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        return (method if context.executing_eagerly() else inside)(*args, **kwargs)

    return autograph.autograph_artifact(call)


def set_initializer(variable: tf.Variable, operation: Any) -> None:
    """Gives an eager variable, which has none, an initializer for TF1's lists of them."""
    if variable.initializer is None:
        variable._initializer_op = operation


def has_training_argument(function: Any) -> bool:
    """Whether a callable takes `training`; `inspect` does not see through loaded functions."""
    for found in (function, function.__call__):
        try:
            spec = tf_inspect.getfullargspec(found)
        except TypeError:  # an object, whose __call__ comes next
            continue
        if "training" in (*spec.args, *spec.kwonlyargs):
            return True
    return False


def enter_control_flow(graph: Any, tensor: tf.Tensor) -> tf.Tensor:
    """A tensor as seen from inside the loop or branch of TF1 that is being built."""
    context = graph._get_control_flow_context()
    return tensor if context is None else context.AddValue(tensor)


def clear_attr(graph: tf.Graph, known: int, name: str, nodes: Container[str]) -> None:
    """Takes an attribute from the operations that came after `known`.

    From those with names in `nodes`, not counting the outermost scope, which is the import's.
    """
    added: list[Any] = graph.get_operations()[known:]
    for operation in added:
        if operation.name.partition("/")[2] in nodes:
            operation._clear_attr(name)


def set_colocation(operation: Any, groups: list[bytes], device: str) -> None:
    """Replaces the colocation groups of an op; `tf.colocate_with` only sets those of new ones."""
    others = [c for c in operation.get_attr("_class") if not c.startswith(b"loc:@")]
    value = tf.compat.v1.AttrValue()
    value.list.s.extend([*others, *groups])
    operation._set_attr("_class", value)
    operation._set_device(device)


def gradient_function(op_type: str) -> Any:
    """The gradient that TensorFlow has for a type of op."""
    return ops.gradient_registry.lookup(op_type)


def is_of_gradients(error: BaseException) -> bool:
    """Whether it was raised while a gradient was built: a call under a tape does that, too."""
    frames = traceback.walk_tb(error.__traceback__)
    return any(f.f_globals.get("__name__") == gradients_util.__name__ for f, _ in frames)


def gradient_name(operation: Any) -> str | None:
    """The name of the gradient that an op has instead of that of its type."""
    try:
        return operation.get_attr("_gradient_op_type").decode()
    except ValueError:
        return None


def set_gradient_name(operation: Any, name: str) -> None:
    """Gives an op another gradient; `tf.Graph.gradient_override_map` only gives new ones one."""
    operation._set_attr("_gradient_op_type", tf.compat.v1.AttrValue(s=name.encode()))


def loads_keras_file() -> bool:
    """Whether tf_keras makes layers for a file that is being loaded, which it shall not trust.

    With `safe_mode=False` it shall. The formats before `.keras` have no such argument.
    """
    from tf_keras.src.saving import serialization_lib  # noqa: PLC0415

    safe_mode = serialization_lib.in_safe_mode()
    return bool(load_context.in_load_context() if safe_mode is None else safe_mode)


def untracked(method: Any) -> Any:
    """Keeps what a Keras layer's method assigns to attributes out of its weights and children."""
    return tracking_base.no_automatic_dependency_tracking(method)


def dense_column_classes() -> tuple[Any, Any]:
    """What a feature column derives from, to be taken by the functions of either generation.

    The first is for Keras' DenseFeatures, the second for `tf.compat.v1.feature_column`.
    """
    from tensorflow.python.feature_column import feature_column, feature_column_v2  # noqa: PLC0415

    return feature_column_v2.DenseColumn, feature_column._DenseColumn


def register_feature_column(column_class: Any) -> Any:
    """Lets layers that were saved with such a column find its class without `custom_objects`."""
    from tensorflow.python.feature_column import serialization  # noqa: PLC0415

    return serialization.register_feature_column(column_class)


def serialize_feature_column(column: Any) -> Any:
    """A column, or the name of a feature, as a config: TensorFlow has this for Keras only."""
    from tensorflow.python.feature_column import serialization  # noqa: PLC0415

    return serialization.serialize_feature_column(column)


def deserialize_feature_column(config: Any, custom_objects: Any, columns_by_name: Any) -> Any:
    """A column, or the name of a feature, from its config."""
    from tensorflow.python.feature_column import serialization  # noqa: PLC0415

    return serialization.deserialize_feature_column(config, custom_objects, columns_by_name)


def is_feature_column_v2(column: Any) -> bool:
    """Whether a feature column is of the newer generation."""
    from tensorflow.python.feature_column import feature_column_v2  # noqa: PLC0415

    return feature_column_v2.is_feature_column_v2([column])


def makes_trainable_columns(state_manager: Any) -> bool:
    """Whether the layer that a feature column makes its state for is trainable."""
    return state_manager._trainable


def add_column_weights(
    state_manager: Any, column: Any, variables: Iterable[Any], trainable: Iterable[Any]
) -> None:
    """Makes variables of a column weights of the layer that the column is in.

    A column can make variables, but not bring them. Keras does not save the weights of what it is
    given as a column's resource in its own format, nor initialize them in a session.
    """
    trained = {id(v) for v in trainable}
    for k, variable in enumerate(variables):
        state_manager._layer.add_weight(
            # Checkpoints know it by this name; the variable's own depends on what else there is.
            name=f"{column.name}/{k}",
            shape=variable.shape,
            dtype=variable.dtype.base_dtype,
            trainable=id(variable) in trained,
            experimental_autocast=False,
            getter=lambda *_, variable=variable, **__: variable,
        )


def track(owner: Any, value: Any, name: str) -> None:
    """Makes an object, or a list of them, a part of another that checkpoints and SavedModels see.

    A Keras layer also takes the variables of what is assigned to its attributes for its weights.
    """
    tracked = tracking_structures.wrap_or_unwrap(value)
    if isinstance(tracked, tracking_base.Trackable):
        owner._track_trackable(tracked, name)


class AdoptedWeights:
    """What a Keras layer inherits from to have weights that it did not make.

    `add_weight` would put each into checkpoints once more, under the name that it has by chance.
    """

    @untracked
    def adopt_weights(
        self, trainable: Mapping[str, tf.Variable], frozen: Mapping[str, tf.Variable]
    ) -> None:
        """Makes variables weights of the layer."""
        self._adopted_weights = {**trainable, **frozen}
        self._trainable_weights = [*trainable.values()]
        self._non_trainable_weights = [*frozen.values()]

    def _trackable_children(self, save_type: str = "checkpoint", **kwargs: Any) -> dict[str, Any]:
        """Adds the weights to what is in a SavedModel.

        Where Keras loads one without the layer's class, the variables among the layer's attributes
        become its weights, and train if they say so.
        """
        parent: Any = super()
        children = parent._trackable_children(save_type, **kwargs)
        if save_type == "savedmodel":
            # No attribute has such a name.
            children.update({f"{name}:0": v for name, v in self._adopted_weights.items()})
            for variable in self._trainable_weights:
                _TrainableVote.cast(variable, True)
            for variable in self._non_trainable_weights:
                _TrainableVote.cast(variable, False)
        return children

    def _lookup_dependency(self, name: str, *args: Any) -> Any:
        """Finds the weights when a SavedModel is loaded into the layer."""
        parent: Any = super()
        found = parent._lookup_dependency(name, *args)
        return self._adopted_weights.get(name.removesuffix(":0")) if found is None else found


class _TrainableVote:
    """Whether the SavedModel that is being written has a variable as a trainable one.

    It does if some layer trains it. The variable itself cannot tell: a layer may freeze variables
    that the module trains. It takes the place of the variable's own method for one save.
    """

    def __init__(self, variable: Any) -> None:
        self.variable = variable
        self.save = save_context.get_save_options()
        self.trains = False

    @classmethod
    def cast(cls, variable: Any, trains: bool) -> None:
        """Adds a layer's vote."""
        if not save_context.in_save_context():
            return
        vote = vars(variable).get("_write_object_proto")
        if vote is None or vote.save is not save_context.get_save_options():
            vote = variable._write_object_proto = cls(variable)
        vote.trains |= trains

    def __call__(self, proto: Any, options: Any) -> None:
        del self.variable._write_object_proto
        self.variable._write_object_proto(proto, options)
        if options is self.save and not self.trains:
            proto.variable.trainable = False


class PartlyDifferentiated:
    """A function whose gradient is that of the outputs that a loss uses, and of no others.

    TensorFlow differentiates all outputs of a function at once: those that nobody uses get zeros
    for a gradient, and so does what they alone depend on. Here each output notes that a gradient
    came its way, before the function's own gradient is asked for. The forward pass stays one.

    Args:
        function: A ConcreteFunction that returns a list of tensors and captures nothing, and whose
            gradients are built one by one.
        reached: From the positions of outputs to those of the arguments that get a gradient of
            them. It raises an error where there is none.
        can_repeat: Whether the graph can be differentiated again and again. A gradient of a loop
            or conditional changes it in place: then what was not asked for at first gets zeros,
            outside of functions.
    """

    def __init__(
        self,
        function: Any,
        reached: Callable[[frozenset[int]], frozenset[int]],
        can_repeat: bool,
    ) -> None:
        self._function = function
        self._reached = reached
        self._can_repeat = can_repeat
        self._trainable = [k for k, t in enumerate(function.outputs) if _is_trainable(t)]
        self._count = len(function.outputs)
        self._local = threading.local()
        self._lock = function.gradient_lock
        self._build = function._select_forward_and_backward_functions
        self._backwards: dict[frozenset[int], Any] = {}
        self._forwards: list[Any] = []  # calls in graphs know them by name, and do not keep them
        # ConcreteFunction's call asks for both.
        function._select_forward_and_backward_functions = self._select
        function._get_gradient_function = self._gradient_function

    def __call__(self, arguments: list[tf.Tensor]) -> list[tf.Tensor]:
        """Calls it, where a tape, or a function that is being built, may see it."""
        if tf.executing_eagerly() and forwardprop_util.pack_tangents(arguments).tangents:
            self._local.used = None
            return self._function(*arguments)
        used = self._local.used = _Used()
        outputs = list(self._function(*arguments))
        if len(self._trainable) < 2:
            used.only = frozenset(self._trainable)
            return outputs
        for k in self._trainable:
            outputs[k] = _note_use(outputs[k], k, used)
        return outputs

    def _select(self, *args: Any) -> Any:
        call = self._build(*args)
        if self._local.used is not None:
            call._functions = _Noted(call._functions, self, self._local.used)
        return call

    def _gradient_function(self) -> Callable[..., Any]:
        used = self._local.used
        return lambda op, *grads: self.rewrite_and_call(used, op, grads)

    def rewrite_and_call(self, used: _Used, op: Any, grads: Sequence[Any]) -> Any:
        """The gradient of a call in a graph, which is made to give what that needs."""
        functions = self._function._delayed_rewrite_functions
        rewrite = functions._rewrite_forward_and_call_backward
        if not all(map(_is_unconnected, grads[self._count :])):
            return rewrite(op, *grads)  # a gradient of a gradient
        chosen = used.take()
        reached = self._reached(chosen)
        with self._lock:
            backward = self._backward(chosen)
            functions._cached_function_pairs[self._count] = self._latest_forward(), backward
            found = rewrite(op, *grads[: self._count])
        return _only(found, reached)

    def call_backward(
        self, used: _Used, outputs: Sequence[Any], backward: Any, grads: Sequence[Any]
    ) -> Any:
        """The gradient of a call that has given all that any gradient needs.

        Args:
            used: Which outputs of the call are used.
            outputs: What the call gave.
            backward: TensorFlow's gradient of all outputs at once.
            grads: The gradients of what TensorFlow recorded of `outputs`.
        """
        chosen = used.take()
        reached = self._reached(chosen)
        part = None
        if self._can_repeat and not used.recorded and chosen != frozenset(self._trainable):
            part = self._part(chosen, outputs, grads)
        return _only(backward(*grads) if part is None else part, reached)

    def _part(
        self, chosen: frozenset[int], outputs: Sequence[Any], grads: Sequence[Any]
    ) -> Any | None:
        with self._lock:
            backward = self._backward(chosen)
        given = {id(t): o for t, o in zip(self._function.graph.outputs, outputs, strict=False)}
        captured = [given.get(id(t)) for t in backward.captured_inputs]
        if any(c is None for c in captured):
            return None
        if not backward.outputs:
            return backward.structured_outputs
        upstream = [
            tf.zeros_like(outputs[k]) if grads[k] is None else tf.convert_to_tensor(grads[k])
            for k in self._trainable
        ]
        return backward._call_flat(upstream, captured)

    def _backward(self, chosen: frozenset[int]) -> Any:
        """The function of the gradients of all outputs, and of inner tensors, to those of inputs.

        The inner tensors become further outputs of the function's graph.
        """
        found = self._backwards.get(chosen)
        if found is not None:
            return found
        graph = self._function.graph
        outer = func_graph.FuncGraph(f"__backward_{graph.name}_{ops.uid()}")
        outputs = [graph.outputs[k] for k in self._trainable]
        with outer.as_default():
            grads = []
            for output in outputs:
                shape, dtype = default_gradient.shape_and_dtype(output)
                grads.append(tf.compat.v1.placeholder(dtype, shape))
            picked = [k for k, position in enumerate(self._trainable) if position in chosen]
            with ops.device(None):
                results = gradients_util._GradientsHelper(
                    [outputs[k] for k in picked],
                    graph.inputs,
                    grad_ys=[grads[k] for k in picked],
                    src_graph=graph,
                )
            known = {id(t) for t in graph.outputs}
            for tensor in outer.external_captures:
                if (
                    not is_eager_tensor(tensor)
                    and tensor.graph is graph
                    and id(tensor) not in known
                ):
                    graph.outputs.append(tensor)
        outer.inputs = grads + outer.internal_captures
        flat = tf.nest.flatten(results, expand_composites=True)
        outer.outputs.extend(g for g in flat if g is not None)
        outer.structured_outputs = results
        forward, found = concrete_function._create_forward_backward_with_graph(
            self._function._attrs, graph, outer
        )
        self._forwards.append(forward)
        self._backwards[chosen] = found
        return found

    def _latest_forward(self) -> Any:
        """The function that gives all inner tensors that any gradient so far needs."""
        graph, known = self._function.graph, self._forwards
        if not known or len(known[-1].function_type.flat_outputs) < len(graph.outputs):
            name = f"__forward_{graph.name}_{ops.uid()}"
            attrs = dict(self._function._attrs)
            known.append(atomic_function.from_func_graph(name, graph, attrs))
        return known[-1]


class _Used:
    """Which outputs of one call a gradient has come to."""

    def __init__(self) -> None:
        self.only: frozenset[int] | None = None  # there is but one
        self.noted: set[int] = set()
        self.recorded: frozenset[int] = frozenset()

    def take(self) -> frozenset[int]:
        """Those since the last time."""
        if self.only is not None:
            return self.only
        found = frozenset(self.noted)
        self.noted.clear()
        # A tape over the gradient: a gradient of that comes by way of inner tensors.
        if record.could_possibly_record():
            self.recorded |= found
        return found | self.recorded


class _Noted:
    """What TensorFlow makes of a function that is differentiated, with a say in the gradient."""

    def __init__(self, functions: Any, owner: PartlyDifferentiated, used: _Used) -> None:
        self._functions = functions
        self._owner = owner
        self._used = used

    def forward(self, *args: Any) -> Any:
        return self._functions.forward(*args)

    def record(self, outputs: list[Any], inputs: list[Any], _: Any) -> None:
        functions, owner, used = self._functions, self._owner, self._used
        if isinstance(functions, concrete_function._DelayedRewriteGradientFunctions):
            recorded = outputs

            def backward(*grads: Any) -> Any:
                return owner.rewrite_and_call(used, outputs[0].op, grads)

        else:
            every, recorded = functions._wrap_backward_function(
                functions._forward_graph, functions._backward, outputs
            )

            def backward(*grads: Any) -> Any:
                return owner.call_backward(used, outputs, every, grads)

        record.record_operation("CompatHubCall", recorded, inputs, backward)


def _note_use(tensor: tf.Tensor, position: int, used: _Used) -> tf.Tensor:
    """The tensor, such that its gradient notes that there is one."""

    def gradient(grad: Any) -> Any:
        used.noted.add(position)
        return grad

    with record.stop_recording():
        if tf.executing_eagerly():
            result = tf.identity(tensor)
        else:
            graph: Any = tensor.graph
            override = {"Identity": lambda _, grad: gradient(grad)}
            with graph._override_gradient_function(override):
                result = tf.identity(tensor)
    record.record_operation("CompatHubOutput", [result], [tensor], lambda grad: [gradient(grad)])
    return result


def _is_unconnected(grad: Any) -> bool:
    """Whether `tf.gradients` made it up for an output that no gradient came to."""
    if not isinstance(grad, tf.Tensor):
        return grad is None
    name = grad.op.name.rpartition("/")[2]
    return grad.op.type in {"ZerosLike", "Fill", "Const"} and name.startswith("zeros")


def _only(found: Any, reached: frozenset[int]) -> list[Any]:
    return [g if k in reached else None for k, g in enumerate(found)]


def _is_trainable(tensor: tf.Tensor) -> bool:
    return backprop_util.IsTrainable(tensor)
