"""Graph functions: one callable of TensorFlow 2 for a part of a graph variant."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import tensorflow as tf

from compat_hub import _tensorflow
from compat_hub.custom_gradients import function_gradients, replace_lost_gradients
from compat_hub.errors import HubError, ModuleFormatError
from compat_hub.graph.inline import inline_calls
from compat_hub.graph.library import rename_functions
from compat_hub.graph.resource_variables import (
    VARIABLE_OPS,
    UnknownReferenceOpError,
    to_resource_variables,
)
from compat_hub.graph.subgraph import consumed_tensors
from compat_hub.variant import CONTROL_FLOW_V1, GraphVariant

# Node names of the module come after it in the messages of TensorFlow's runtime.
_IMPORT_SCOPE = "module"


class StateTensor(Protocol):
    """What stands for a tensor that the module's state gives: a variable's handle, say."""

    def tensor(self) -> tf.Tensor:
        """The tensor to pass in this context: eager, tf.function or replica."""
        ...

    def prepare(self, placeholder: tf.Tensor) -> None:
        """Tells the placeholder that will receive `tensor()` what it needs to know."""
        ...

    def accessed(self) -> None:
        """Reports to tapes and surrounding functions that a call uses it."""
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
    ) -> None:
        self._variant = variant
        self._feeds = dict(feeds)
        self._fetches = list(fetches)
        self._targets = list(targets)
        self._tensors: list[str] = []  # the fetches, as the rewritten graph names them
        self._graph_def = self._prepare_graph(state)
        used = consumed_tensors(self._graph_def, state.keys()) | (set(self._tensors) & state.keys())
        self._state = {tensor: state[tensor] for tensor in state if tensor in used}
        self._shapes: dict[Any, list[tf.TensorShape]] = {}
        specs = [*self._feeds.values(), *(_spec_of(s) for s in self._state.values())]
        with tf.init_scope():
            self._function = tf.compat.v1.wrap_function(self._import, specs, name=name)

    def __call__(
        self,
        inputs: Sequence[tf.Tensor],
        is_watched: Callable[[StateTensor], bool] = lambda _: True,
    ) -> list[tf.Tensor]:
        """Runs it.

        Args:
            inputs: One tensor for each of `feeds`, in their order.
            is_watched: Which of the state a gradient tape shall see.
        """
        for state in self._state.values():
            if is_watched(state):
                state.accessed()
        outputs = self._run([*inputs, *(s.tensor() for s in self._state.values())])
        if not tf.executing_eagerly():
            self._refine_shapes(inputs, outputs)
        return outputs

    def _run(self, arguments: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        try:
            return self._function(*arguments)
        except (AttributeError, NotImplementedError, TypeError, ValueError) as error:
            ops = sorted({n.op for n in self._graph_def.node} & CONTROL_FLOW_V1)
            if not ops:
                raise
            raise HubError(
                f"In {self._variant.where}: no gradient can be computed through the loops and "
                f"conditionals of this graph ({', '.join(ops)}). Call it outside of a gradient "
                "tape, or use a layer with trainable=False."
            ) from error

    @property
    def graph_def(self) -> Any:
        """The graph that it runs."""
        return self._graph_def

    def _prepare_graph(self, state: Mapping[str, StateTensor]) -> Any:
        """Cuts the graph and rewrites what TensorFlow 2 cannot run or train."""
        variant = self._variant
        graph_def = variant.subgraph([*self._fetches, *self._targets], [*self._feeds, *state])
        replace_lost_gradients(graph_def, variant.where)
        graph_def = inline_calls(
            graph_def,
            _tensorflow.op_def,
            function_gradients(variant.meta_graph.graph_def, variant.library_digest),
        )
        try:
            graph_def, self._tensors = to_resource_variables(
                graph_def, variant.reference_variables, self._fetches
            )
        except UnknownReferenceOpError as error:
            raise ModuleFormatError(f"In {variant.where}: {error}.") from error
        homeless = [n.name for n in graph_def.node if n.op in VARIABLE_OPS]
        if homeless:
            raise ModuleFormatError(
                f"In {variant.where}: the variable {homeless[0]!r} is not in the collection of the "
                "module's variables, so no checkpoint holds its value. The module's author has to "
                "export it again with that variable in tf.GraphKeys.GLOBAL_VARIABLES."
            )
        rename_functions(graph_def, f"__{variant.library_digest}")
        return graph_def

    def _import(self, *arguments: tf.Tensor) -> list[tf.Tensor]:
        """The body: imports the graph into the current one and returns the fetches."""
        given = dict(zip([*self._feeds, *self._state], arguments, strict=True))
        for tensor, state in self._state.items():
            state.prepare(given[tensor])
        consumed = consumed_tensors(self._graph_def, given.keys())
        computed = [name for name in self._tensors if name not in given]
        try:
            elements = tf.graph_util.import_graph_def(
                self._graph_def,
                input_map={name: given[name] for name in consumed},
                return_elements=[*computed, *self._targets],
                name=_IMPORT_SCOPE,
                producer_op_list=self._variant.meta_graph.meta_info_def.stripped_op_list,
            )
        except (ValueError, tf.errors.OpError) as error:
            raise ModuleFormatError(
                f"In {self._variant.where}: TensorFlow {tf.__version__} cannot import the graph: "
                f"{error}"
            ) from error
        assert elements is not None
        tf.compat.v1.get_default_graph().control_outputs.extend(elements[len(computed) :])
        given.update(zip(computed, elements, strict=False))
        return [given[name] for name in self._tensors]

    def _refine_shapes(self, inputs: Sequence[tf.Tensor], outputs: Sequence[tf.Tensor]) -> None:
        """Gives outputs the static shapes that follow from these inputs' static shapes.

        A graph function is built once, for the declared shapes. In a graph hub.Module told more:
        a convolution over images of a known size has a known size, and a Dense layer needs it.
        """
        if all(o.shape.is_fully_defined() for o in outputs):
            return
        shapes = [i.shape for i in inputs]
        if all(
            s.rank == d.shape.rank and s.as_list() == d.shape.as_list()
            for s, d in zip(shapes, self._feeds.values(), strict=True)
            if s.rank is not None
        ):
            return
        key = tuple(None if s.rank is None else tuple(s.as_list()) for s in shapes)
        if key not in self._shapes:
            self._shapes[key] = self._infer_shapes(shapes)
        for output, shape in zip(outputs, self._shapes[key], strict=True):
            output.set_shape(shape)

    def _infer_shapes(self, shapes: Iterable[tf.TensorShape]) -> list[tf.TensorShape]:
        specs = [
            tf.TensorSpec(_merged(spec.shape, shape), spec.dtype)
            for spec, shape in zip(self._feeds.values(), shapes, strict=True)
        ]
        specs.extend(_spec_of(s) for s in self._state.values())
        with tf.init_scope():
            function = tf.compat.v1.wrap_function(self._import, specs, name="shapes")
        return [output.shape for output in function.outputs]


def _merged(declared: tf.TensorShape, given: tf.TensorShape) -> tf.TensorShape:
    return given if declared.rank is None else declared.merge_with(given)


def _spec_of(state: StateTensor) -> tf.TensorSpec:
    tensor = state.tensor()
    return tf.TensorSpec(tensor.shape, tensor.dtype)
