"""Graph functions: a program with a module's state, one callable of TensorFlow 2."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import tensorflow as tf

from compat_hub.programs.program import Program
from compat_hub.programs.state_tensor import StateTensor
from compat_hub.programs.tensorflow_errors import check_process
from compat_hub.tf_private import eager_runtime


class _Bound(NamedTuple):
    """A program, and the state that it takes; `uses` also says whether it writes to it."""

    program: Program
    uses: list[tuple[StateTensor, bool]]
    states: list[StateTensor]
    written: list[StateTensor]


class GraphFunction:
    """A callable from a list of tensors to a list of tensors: a program, and a module's state.

    The state enters as arguments at each call, not as captures: so one program serves the eager
    program, a `tf.function`, every replica of a strategy, and other modules.

    Args:
        make_program: Makes what it runs: at once, and after each `tf.random.set_seed` for a program
            that draws random numbers.
        state: The state tensors of the variant, by the name of the graph's tensor.
    """

    def __init__(
        self, make_program: Callable[[], Program], state: Mapping[str, StateTensor]
    ) -> None:
        self._make_program = make_program
        self._state = state
        self._lock = threading.Lock()
        self._bound = self._bind(make_program())

    @property
    def program(self) -> Program:
        """The program that it runs now."""
        return self._current().program

    def __call__(
        self,
        inputs: Sequence[tf.Tensor],
        is_watched: Callable[[StateTensor], bool] = lambda _: True,
    ) -> list[tf.Tensor]:
        """Runs it.

        Args:
            inputs: One tensor for each of the program's feeds, in their order.
            is_watched: Tells for each state tensor whether a gradient tape sees it.

        Raises:
            HubError: A gradient is asked for and cannot be computed; or the graph failed, over a
                string that is not UTF-8.
            GraphError: The process was forked from one that had used TensorFlow.
        """
        check_process()
        program, uses, all_states, written = self._current()
        # A program that is saved knows no tf.distribute strategy.
        states = [s.tensor() if program.portable else s.argument(w) for s, w in uses]
        recorded = eager_runtime.may_record()
        if recorded or eager_runtime.is_recording_stopped():
            for state in all_states:
                state.accessed(is_watched(state))
        outputs = program.run([*inputs, *states], recorded, all_states)
        if not program.portable:
            for state in written:
                state.written()
        if recorded and not tf.executing_eagerly():
            program.refine_shapes(inputs, outputs, all_states)
        return outputs

    def _current(self) -> _Bound:
        """The program with its state; the one place where a stale program is replaced."""
        bound = self._bound
        if bound.program.is_stale:
            with self._lock:
                if self._bound.program.is_stale:
                    self._bound = self._bind(self._make_program())
                bound = self._bound
        return bound

    def _bind(self, program: Program) -> _Bound:
        uses = [(self._state[tensor], writes) for tensor, writes in program.uses.items()]
        return _Bound(
            program, uses, [state for state, _ in uses], [state for state, w in uses if w]
        )
