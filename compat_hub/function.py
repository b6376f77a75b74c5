"""Graph functions: one callable of TensorFlow 2 for a part of a graph variant."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import tensorflow as tf

from compat_hub import _tensorflow
from compat_hub.building import building
from compat_hub.custom_gradients import bind_gradients
from compat_hub.errors import HubError
from compat_hub.graph.names import node_of
from compat_hub.graph.subgraph import consumed_tensors
from compat_hub.graph.written import written_variables
from compat_hub.rewrite import complete_handle_data, import_graph, rewrite
from compat_hub.variant import GraphVariant


class StateTensor(Protocol):
    """What stands for a tensor that the module's state gives: a variable's handle, say."""

    def tensor(self) -> tf.Tensor:
        """One such tensor, with its dtype and what is known of what is behind it."""
        ...

    def argument(self, writes: bool) -> tf.Tensor:
        """The tensor to pass in this context, eager, tf.function or replica, to a call."""
        ...

    def prepare(self, placeholder: tf.Tensor) -> None:
        """Tells the placeholder that will receive `tensor()` what it needs to know."""
        ...

    def accessed(self) -> None:
        """Reports to tapes and surrounding functions that a call uses it."""
        ...

    def written(self) -> None:
        """Makes what a call has written to `argument()` known to all replicas."""
        ...


class GraphFunction:
    """A callable from a list of tensors to a list of tensors.

    The state it uses enters as arguments at each call, not as captures: so one graph function
    serves the eager program, a `tf.function` and every replica of a strategy.

    Args:
        variant: Where the graph comes from.
        feeds: Specs of the arguments, by the name of the graph's tensor that each is fed to.
        state: The state tensors of the variant, by the name of the graph's tensor.
        fetches: Names of the tensors to return.
        targets: Names of nodes that run at each call besides.
        name: What the function is called in graphs and profiles.
        portable: Whether it has to run and train where compat_hub is not.

    Raises:
        ModuleFormatError: The graph cannot be imported into this TensorFlow.
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
        self._seed_epoch = _tensorflow.seed_epoch()
        specs = {tensor: _spec_of(s) for tensor, s in state.items()}
        handles = {t: state[t].tensor() for t in variant.variable_tensors if t in state}
        given = {**specs, **self._feeds}
        self._portable = portable
        with building(variant.where):
            self._graph = rewrite(variant, fetches, targets, given, handles, portable)
        if portable and self._graph.no_gradient is not None:
            raise HubError(
                f"{self._graph.no_gradient} Nor can it be written as a SavedModel, which others "
                "train; HubModule.export() writes TF1 Hub format."
            )
        used = consumed_tensors(self._graph.graph_def, state.keys())
        used.update(state.keys() & set(self._graph.fetches))
        self._state = {tensor: state[tensor] for tensor in state if tensor in used}
        self._written = self._find_written()
        self._uses = [(s, tensor in self._written) for tensor, s in self._state.items()]
        self._shapes: dict[Any, list[tf.TensorShape]] = {}
        self._specs = [*self._feeds.values(), *(specs[tensor] for tensor in self._state)]
        with building(variant.where), tf.init_scope():
            self._function = tf.compat.v1.wrap_function(self._import, self._specs, name=name)

    def __call__(
        self,
        inputs: Sequence[tf.Tensor],
        is_watched: Callable[[StateTensor], bool] = lambda _: True,
    ) -> list[tf.Tensor]:
        """Runs it.

        Args:
            inputs: One tensor for each of `feeds`, in their order.
            is_watched: Which of the state a gradient tape shall see.

        Raises:
            HubError: A gradient is asked for and cannot be computed; or the graph failed, over a
                string that is no text.
        """
        # In a program that is written there is no strategy.
        states = [s.tensor() if self._portable else s.argument(w) for s, w in self._uses]
        try:
            if _tensorflow.may_record():
                outputs = self._call_recorded([*inputs, *states], is_watched)
            else:
                outputs = _tensorflow.call_unrecorded(self._function, [*inputs, *states])
        except UnicodeDecodeError as error:  # in place of TensorFlow's error
            raise HubError(
                f"In {self._variant.where}: the graph failed on the values of this call, and what "
                f"TensorFlow says of it is no text: {error.object!r:.500}. Check these values."
            ) from error
        if not self._portable:
            for tensor in self._written:
                self._state[tensor].written()
        if not tf.executing_eagerly():
            self._refine_shapes(inputs, outputs)
        return outputs

    def _call_recorded(
        self, arguments: list[tf.Tensor], is_watched: Callable[[StateTensor], bool]
    ) -> list[tf.Tensor]:
        """Calls where a tape or a function that is being built may see it."""
        for state, _ in self._uses:
            if is_watched(state):
                state.accessed()
        if self._graph.no_gradient is None:
            return self._function(*arguments)
        return _without_gradient(self._function, arguments, self._graph.no_gradient)

    @property
    def graph_def(self) -> Any:
        """The graph that it runs."""
        return self._graph.graph_def

    @property
    def is_stale(self) -> bool:
        """Whether it draws random numbers by an older `tf.random.set_seed` than the last."""
        return self._graph.draws and self._seed_epoch is not _tensorflow.seed_epoch()

    def _import(self, *arguments: tf.Tensor) -> list[tf.Tensor]:
        """The body: imports the graph into the current one and returns the fetches."""
        given = dict(zip([*self._feeds, *self._state], arguments, strict=True))
        for tensor, state in self._state.items():
            state.prepare(given[tensor])
        computed = [name for name in self._graph.fetches if name not in given]
        elements = import_graph(
            self._variant,
            self._graph.graph_def,
            given,
            [*computed, *self._graph.targets, *self._graph.effects],
        )
        graph: Any = tf.compat.v1.get_default_graph()
        graph.control_outputs.extend(elements[len(computed) :])
        complete_handle_data(graph)
        if self._portable:
            bind_gradients(graph)
        given.update(zip(computed, elements, strict=False))
        return [given[name] for name in self._graph.fetches]

    def _find_written(self) -> list[str]:
        """Which of the state the graph writes to."""
        graph_def = self._graph.graph_def
        names = [node_of(t) for t in self._state if t in self._variant.variable_tensors]
        found = written_variables(graph_def.node, names, graph_def.library, _tensorflow.op_def)
        return [tensor for tensor in self._state if node_of(tensor) in found]

    def _refine_shapes(self, inputs: Sequence[tf.Tensor], outputs: Sequence[tf.Tensor]) -> None:
        """Gives outputs the static shapes that follow from these inputs' static shapes.

        A graph function is built once, for the declared shapes. In a graph hub.Module told more:
        a convolution over images of a known size has a known size, and a Dense layer needs it.
        """
        if all(o.shape.is_fully_defined() for o in outputs):
            return
        shapes = [_merged(s.shape, i.shape) for s, i in zip(self._specs, inputs, strict=False)]
        key = tuple(_dims(shape) for shape in shapes)
        if key == tuple(_dims(spec.shape) for spec in self._feeds.values()):
            return
        if key not in self._shapes:
            self._shapes[key] = self._infer_shapes(shapes)
        for output, shape in zip(outputs, self._shapes[key], strict=True):
            output.set_shape(shape)

    def _infer_shapes(self, shapes: Iterable[tf.TensorShape]) -> list[tf.TensorShape]:
        specs = list(self._specs)
        for k, shape in enumerate(shapes):
            specs[k] = tf.TensorSpec(shape, specs[k].dtype)
        with tf.init_scope():
            function = tf.compat.v1.wrap_function(self._import, specs, name="shapes")
        return [output.shape for output in function.outputs]


def _without_gradient(
    function: Callable[..., list[tf.Tensor]], arguments: Sequence[tf.Tensor], message: str
) -> list[tf.Tensor]:
    """Calls a function such that a gradient through it is a clear error."""

    @tf.custom_gradient
    def call(*tensors: tf.Tensor) -> Any:
        def gradient(*_: tf.Tensor) -> None:
            raise HubError(message)

        # The tape of custom_gradient would look for the gradient that there is not.
        return function(*map(tf.stop_gradient, tensors)), gradient

    return call(*arguments)


def _dims(shape: tf.TensorShape) -> tuple[int | None, ...] | None:
    return None if shape.rank is None else tuple(shape.as_list())


def _merged(declared: tf.TensorShape, given: tf.TensorShape) -> tf.TensorShape:
    return given if declared.rank is None else declared.merge_with(given)


def _spec_of(state: StateTensor) -> tf.TensorSpec:
    tensor = state.tensor()
    return tf.TensorSpec(tensor.shape, tensor.dtype)
