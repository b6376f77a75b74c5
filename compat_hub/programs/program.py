"""A part of a graph variant, rewritten for TensorFlow 2 and imported."""

from __future__ import annotations

import dataclasses
import functools
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import tensorflow as tf

from compat_hub.errors import HubError
from compat_hub.format.variant import GraphVariant
from compat_hub.graphdef.analysis.gradient_flow import Gradient
from compat_hub.graphdef.analysis.op_counts import CONVOLUTIONS, FUNCTIONAL_CONTROL_FLOW, count_ops
from compat_hub.graphdef.analysis.variable_writes import written_variables
from compat_hub.graphdef.names import node_of
from compat_hub.graphdef.passes.own_resources import runs_calls_together
from compat_hub.graphdef.passes.random_seeds import draws
from compat_hub.graphdef.subgraph import consumed_tensors
from compat_hub.programs.gradients.custom import bind_gradients
from compat_hub.programs.gradients.outputs import (
    OutputGradients,
    find_output_gradients,
    gradient_of,
    warn_of_refusal,
)
from compat_hub.programs.importing import (
    complete_handle_data,
    has_newer_attrs,
    import_bare,
    import_graph,
)
from compat_hub.programs.pipeline import rewrite
from compat_hub.programs.state_tensor import StateTensor
from compat_hub.programs.tensorflow_errors import building, differentiating
from compat_hub.tf_private import (
    bare_functions,
    eager_runtime,
    graph_internals,
    op_registry,
    partly_differentiated,
)

# Who calls a program; each has an import of the graph for itself. Eager tapes and functions that
# are being built differ in how they take gradients, and both change loops and conditionals in
# place, under fixed names: the second would find what the first has left, and miss some gradients.
# A graph without any has one import for both. Calls that nobody records need no Python graph.
Use = Literal["unrecorded", "eager", "function"]


@dataclasses.dataclass
class Import:
    """The graph as a function of TensorFlow.

    Attributes:
        function: A ConcreteFunction, or a BareFunction.
        recorded: The same for calls that a tape, or a function that is being built, may see; made
            with the first such call.
    """

    function: Any
    recorded: Callable[[list[tf.Tensor]], list[tf.Tensor]] | None = None


class Program:
    """The part of a variant that a graph function runs, rewritten and imported once.

    It knows no variables, only what kind they are: all modules that are loaded from one description
    share it.

    Args:
        variant: Where the graph comes from.
        feeds: Specs of the arguments, by the name of the graph's tensor that each is fed to.
        state: The state tensors of a module, by the name of the graph's tensor.
        fetches: Names of the tensors to return.
        targets: Names of further nodes that run at each call.
        name: What the function is called in graphs and profiles.
        portable: Whether it has to run and train where compat_hub is not.

    Raises:
        ModuleFormatError: The graph cannot be imported into this TensorFlow.

    Attributes:
        graph_def: The graph that it runs.
        draws: Whether it draws random numbers.
        uses: The names of the state tensors that it takes, and whether it writes to them.
        portable: As the argument.
    """

    def __init__(
        self,
        variant: GraphVariant,
        feeds: Mapping[str, tf.TensorSpec],
        state: Mapping[str, StateTensor],
        fetches: Sequence[str],
        targets: Sequence[str] = (),
        name: str = "compat_hub",
        portable: bool = False,
    ) -> None:
        self._variant = variant
        self._feeds = dict(feeds)
        self._fetches = list(fetches)
        self._seed_epoch = eager_runtime.seed_epoch()
        specs = {tensor: s.spec() for tensor, s in state.items()}
        handles = {t: state[t].tensor() for t in variant.variable_tensors if t in state}
        given = {**specs, **self._feeds}
        self.portable = portable
        with building(variant.where):
            self._graph = rewrite(variant, fetches, targets, given, handles, portable)
        self.graph_def = self._graph.graph_def
        self.draws = draws(self.graph_def, op_registry.op_def)
        used = consumed_tensors(self.graph_def, state.keys())
        used.update(state.keys() & set(self._graph.fetches))
        names = [tensor for tensor in state if tensor in used]
        written = self._find_written(names)
        self.uses = {tensor: tensor in written for tensor in names}
        self._specs = [*self._feeds.values(), *(specs[tensor] for tensor in names)]
        self._name = name
        self._lock = threading.Lock()
        # Neither becomes stale: a program has one graph, and arguments of the same kinds.
        self._imports: dict[Use, Import] = {}
        self._shapes: dict[Any, list[tf.TensorShape]] = {}  # of the outputs, by those of the inputs
        self._import_for([state[tensor] for tensor in names], eager_runtime.may_record())

    @property
    def is_stale(self) -> bool:
        """Whether it draws random numbers by an older `tf.random.set_seed` than the last."""
        return self._graph.draws and self._seed_epoch is not eager_runtime.seed_epoch()

    def run(
        self, arguments: list[tf.Tensor], recorded: bool, states: Sequence[StateTensor]
    ) -> list[tf.Tensor]:
        """Runs it.

        Args:
            arguments: One tensor for each of the feeds, and for each of `uses`.
            recorded: Whether a tape, or a function that is being built, may see it.
            states: What gave the tensors for `uses`.

        Raises:
            HubError: A gradient is asked for and cannot be built; or the graph failed, over a
                string that is not UTF-8.
        """
        try:
            if not recorded:
                found = self._imports.get("unrecorded") or self._import_for(states, recorded)
                return bare_functions.call_unrecorded(found.function, arguments, self._fusible)
            with differentiating(self._variant.where):
                return self._recorded(states)(arguments)
        except UnicodeDecodeError as error:  # in place of TensorFlow's error
            raise HubError(
                f"In {self._variant.where}: the graph failed on the values of this call, and "
                f"TensorFlow's message is not UTF-8: {error.object!r:.500}. Check these values."
            ) from error

    @functools.cached_property
    def _is_partly_differentiated(self) -> bool:
        """Whether TensorFlow's gradient of all outputs would do too much.

        A loop or a conditional gives zeros to all that goes into it.
        """
        several = len(self._graph.fetches) > 1
        return not self.portable and (several or self._has_control_flow or self._may_refuse)

    @functools.cached_property
    def _may_refuse(self) -> bool:
        """Whether some output may have no gradient."""
        missing = (op for op in self._ops if gradient_of(op) is Gradient.MISSING)
        return bool(self._graph.refused) or any(missing)

    @functools.cached_property
    def _output_gradients(self) -> OutputGradients:
        names = [*self._feeds, *self.uses]
        dtypes = [spec.dtype.as_datatype_enum for spec in self._specs]
        given = dict(zip(names, dtypes, strict=True))
        found = find_output_gradients(
            self.graph_def, self._graph.fetches, given, self._graph.refused
        )
        advice = (
            ""
            if self.portable
            else (
                " Leave it out of the loss, call the module outside of the gradient tape, or use a "
                "layer with trainable=False."
            )
        )
        refused = {
            k: f"In {self._variant.where}, {self._name!r}: no gradient can be computed of the "
            f"output {self._fetches[k]!r}: {why}.{advice}"
            for k, why in found.refused.items()
        }
        return OutputGradients(found.reached, refused)

    def _stop_gradients(self, outputs: list[tf.Tensor]) -> list[tf.Tensor]:
        """The outputs, such that TensorFlow can differentiate all of them at once."""
        refused = self._output_gradients.refused if self._may_refuse else {}
        if self.portable and refused:
            warn_of_refusal([*refused.values()])
        return [_constant_to_gradients(o) if k in refused else o for k, o in enumerate(outputs)]

    def refine_shapes(
        self,
        inputs: Sequence[tf.Tensor],
        outputs: Sequence[tf.Tensor],
        states: Sequence[StateTensor],
    ) -> None:
        """Gives outputs the static shapes that follow from these inputs' static shapes.

        A program is built once, for the declared shapes. In a graph hub.Module told more: a
        convolution over images of a known size has a known size, and a Dense layer needs it.
        """
        if all(o.shape.is_fully_defined() for o in outputs):
            return
        shapes = [_merged(s.shape, i.shape) for s, i in zip(self._specs, inputs, strict=False)]
        key = tuple(_dims(shape) for shape in shapes)
        if key == tuple(_dims(spec.shape) for spec in self._feeds.values()):
            return
        if key not in self._shapes:
            self._shapes[key] = self._infer_shapes(shapes, states)
        for output, shape in zip(outputs, self._shapes[key], strict=True):
            output.set_shape(shape)

    def _import_for(self, states: Sequence[StateTensor], recorded: bool) -> Import:
        """The import of the graph that calls in this context use."""
        in_graph = recorded and not tf.executing_eagerly() and self._has_control_flow
        use: Use = "function" if in_graph else "eager" if recorded else "unrecorded"
        found = self._imports.get(use)
        if found is None:
            with self._lock, building(self._variant.where):
                found = self._imports.get(use) or self._make_import(use, states)
                self._imports[use] = found
        return found

    def _make_import(self, use: Use, states: Sequence[StateTensor]) -> Import:
        if use == "unrecorded":
            if "eager" not in self._imports and self._can_be_bare:
                return Import(self._make_bare(states))
            return self._imports.get("eager") or self._imports.setdefault(
                "eager", self._make_import("eager", states)
            )
        return Import(self._wrap(self._specs, states, self._name))

    def _recorded(self, states: Sequence[StateTensor]) -> Callable[[list[Any]], list[tf.Tensor]]:
        """The function such that the outputs that a loss uses are differentiated, no others."""
        found = self._import_for(states, recorded=True)
        if found.recorded is None:
            with self._lock:
                if found.recorded is None:
                    found.recorded = self._differentiate(found.function)
        return found.recorded

    def _differentiate(self, function: Any) -> Callable[[list[Any]], list[tf.Tensor]]:
        if not self._is_partly_differentiated:
            return lambda arguments: function(*arguments)
        return partly_differentiated.PartlyDifferentiated(
            function, self._output_gradients.of, not self._has_control_flow
        )

    @functools.cached_property
    def _ops(self) -> Mapping[str, int]:
        return count_ops(self.graph_def)

    @functools.cached_property
    def _has_control_flow(self) -> bool:
        return not FUNCTIONAL_CONTROL_FLOW.isdisjoint(self._ops)

    @functools.cached_property
    def _fusible(self) -> bool:
        return not CONVOLUTIONS.isdisjoint(self._ops)

    @functools.cached_property
    def _can_be_bare(self) -> bool:
        """Whether nothing but the nodes needs to be imported, and those as they are."""
        return not (
            self.portable
            or self.graph_def.library.function
            or has_newer_attrs(self._variant, self._ops)
        )

    def _make_bare(self, states: Sequence[StateTensor]) -> Any:
        with tf.init_scope(), tf.Graph().as_default() as graph:
            arguments = [tf.compat.v1.placeholder(s.dtype, s.shape) for s in self._specs]
            self._prepare(states, arguments)
            given = dict(zip([*self._feeds, *self.uses], arguments, strict=True))
        targets = [*self._graph.targets, *self._graph.effects]
        return import_bare(
            self._variant, self.graph_def, self._name, graph, given, self._graph.fetches, targets
        )

    def _infer_shapes(
        self, shapes: Iterable[tf.TensorShape], states: Sequence[StateTensor]
    ) -> list[tf.TensorShape]:
        specs = list(self._specs)
        for k, shape in enumerate(shapes):
            specs[k] = tf.TensorSpec(shape, specs[k].dtype)
        return [output.shape for output in self._wrap(specs, states, "shapes").outputs]

    def _wrap(
        self, specs: Sequence[tf.TensorSpec], states: Sequence[StateTensor], name: str
    ) -> Any:
        def body(*arguments: tf.Tensor) -> list[tf.Tensor]:
            self._prepare(states, arguments)
            return self._import(arguments)

        with tf.init_scope():
            function: Any = tf.compat.v1.wrap_function(body, specs, name=name)
        bare_functions.unregister_with(function.graph)
        partly_differentiated.build_gradients_one_by_one(function)
        return function

    def _prepare(self, states: Sequence[StateTensor], arguments: Sequence[tf.Tensor]) -> None:
        """Tells the arguments that receive state what they need to know of it."""
        for state, placeholder in zip(states, arguments[len(self._feeds) :], strict=True):
            state.prepare(placeholder)

    def _import(self, arguments: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """The body: imports the graph into the current one and returns the fetches."""
        given = dict(zip([*self._feeds, *self.uses], arguments, strict=True))
        computed = [name for name in self._graph.fetches if name not in given]
        elements = import_graph(
            self._variant,
            self.graph_def,
            given,
            [*computed, *self._graph.targets, *self._graph.effects],
        )
        graph: Any = tf.compat.v1.get_default_graph()
        graph_internals.always_run(graph, elements[len(computed) :])
        complete_handle_data(graph)
        if self.portable:
            bind_gradients(graph)
        given.update(zip(computed, elements, strict=False))
        return self._stop_gradients([given[name] for name in self._graph.fetches])

    def _find_written(self, names: Sequence[str]) -> set[str]:
        """Which of the state tensors the graph writes to."""
        nodes = {node_of(t): t for t in names if t in self._variant.variable_tensors}
        library = self.graph_def.library
        found = written_variables(self.graph_def.node, list(nodes), library, op_registry.op_def)
        return {nodes[name] for name in found if name in nodes}


def shared_program(variant: GraphVariant, key: Any, build: Callable[[], Program]) -> Program:
    """The program of that key, which all modules of one description share.

    One that draws random numbers is not shared: a module's numbers would depend on the others'. Nor
    is one that runs calls together: rows of one module would meet the variables of another.
    """
    program = variant.programs.get(key)
    if program is None:
        program = build()
        if not (program.draws or runs_calls_together(program.graph_def)):
            variant.programs[key] = program
    return program


def _constant_to_gradients(tensor: tf.Tensor) -> tf.Tensor:
    """The tensor, such that TensorFlow does not look behind it for ways of gradients.

    It follows all that floats go into, also what passes no gradient on, and raises an error where
    it meets a loop of TF1.
    """
    if not tensor.dtype.is_floating and not tensor.dtype.is_complex:
        return tensor
    size = min(tensor.dtype.size, 8)
    return tf.bitcast(tf.bitcast(tensor, getattr(tf, f"int{8 * size}")), tensor.dtype)


def _dims(shape: tf.TensorShape) -> tuple[int | None, ...] | None:
    return None if shape.rank is None else tuple(shape.as_list())


def _merged(declared: tf.TensorShape, given: tf.TensorShape) -> tf.TensorShape:
    return given if declared.rank is None else declared.merge_with(given)
