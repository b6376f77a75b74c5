"""A function of which only the outputs that a loss uses are differentiated.

All of it was seen in TensorFlow 2.16.2 and 2.21.0.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import (
    backprop_util,
    forwardprop_util,
    record,
)
from tensorflow.python.eager.polymorphic_function import (
    atomic_function,
    concrete_function,
)
from tensorflow.python.framework import (
    func_graph,
    ops,
)
from tensorflow.python.ops import (
    default_gradient,
    gradients_util,
)

from compat_hub.tf_private.eager_runtime import is_eager_tensor


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


class PartlyDifferentiated:
    """A function whose gradient is that of the outputs that a loss uses, and of no others.

    TensorFlow differentiates all outputs of a function at once: those that no loss uses get zeros
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
    """The outputs of one call that received a gradient."""

    def __init__(self) -> None:
        self.only: frozenset[int] | None = None  # there is but one
        self.noted: set[int] = set()
        self.recorded: frozenset[int] = frozenset()

    def take(self) -> frozenset[int]:
        """The outputs that received one since the last time."""
        if self.only is not None:
            return self.only
        found = frozenset(self.noted)
        self.noted.clear()
        # A tape over the gradient: a gradient of that comes by way of inner tensors.
        if record.could_possibly_record():
            self.recorded |= found
        return found | self.recorded


class _Noted:
    """TensorFlow's forward and backward functions of a call, with our choice of gradients."""

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
