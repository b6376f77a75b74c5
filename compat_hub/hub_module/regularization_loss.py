"""A regularization loss of a loaded module as a callable."""

from __future__ import annotations

import threading

import tensorflow as tf

from compat_hub.format.variant import GraphVariant
from compat_hub.programs.gaps import check_gap
from compat_hub.programs.graph_function import GraphFunction
from compat_hub.programs.program import Program, shared_program
from compat_hub.state.module_state import ModuleState
from compat_hub.tf_private import autograph_marks, saved_models


class RegularizationLoss:
    """A callable without arguments that gives one regularization loss, a differentiable scalar.

    Attributes:
        name: The name of the loss tensor in the module's graph.
    """

    def __init__(self, state: ModuleState, variant: GraphVariant, name: str) -> None:
        self.name = name
        self._state = state
        self._variant = variant
        self._lock = threading.Lock()
        self._functions: dict[bool, GraphFunction] = {}

    @autograph_marks.unconverted
    def __call__(self, portable: bool = False) -> tf.Tensor:
        """Computes the loss for the current values of the variables.

        Args:
            portable: As for `HubModule.call_signature`.
        """
        portable = portable or saved_models.is_saving()
        with self._lock:
            if portable not in self._functions:
                self._functions[portable] = self._make_function(portable)
        return self._functions[portable]([])[0]

    def _make_function(self, portable: bool) -> GraphFunction:
        tensors = self._state.tensors(self._variant)
        where = f"{self._variant.where}, regularization loss {self.name!r}"
        check_gap(self._variant, [self.name], [], self._state.lacking, where)

        def build() -> Program:
            name = "regularization_loss"
            return Program(self._variant, {}, tensors, [self.name], (), name, portable)

        key = ("regularization loss", self.name, portable)
        return GraphFunction(lambda: shared_program(self._variant, key, build), tensors)

    def __repr__(self) -> str:
        return f"<compat_hub regularization loss {self.name!r}>"
