"""The copies of a variable that the replicas of a `tf.distribute` strategy have."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import tensorflow as tf

from compat_hub.errors import GraphError, HubError
from compat_hub.format.variant import GraphVariant, VariableInfo
from compat_hub.graphdef.analysis.variable_writes import written_variables
from compat_hub.programs.state_tensor import StateTensor
from compat_hub.tf_private import graph_internals, op_registry, variable_internals

_T = TypeVar("_T")


def written_in_calls(variants: Iterable[GraphVariant]) -> frozenset[str]:
    """The names of the variables that calls of some variant write to, update ops included."""
    found: set[str] = set()
    for variant in variants:
        nodes = [variant.nodes[name] for name in variant.needed_without_initializers()]
        names = [info.name for info in variant.variables]
        library = variant.meta_graph.graph_def.library
        found |= written_variables(nodes, names, library, op_registry.op_def)
    return frozenset(found)


def make_variable(info: VariableInfo, value: tf.Tensor, written: bool, where: str) -> tf.Variable:
    """A variable of the strategy whose scope this is, or an ordinary one.

    What calls write to, each replica has for itself, as tf_keras' BatchNormalization does with its
    moving averages: elsewhere it is their mean. A mean of anything but floats of one shape makes
    no sense: there the first replica's value counts.

    Args:
        info: What the module says of it.
        value: Its value.
        written: Whether calls write to it.
        where: How messages name it.

    Raises:
        HubError: The strategy cannot have such a variable.
    """
    aggregation = tf.VariableAggregation
    own: dict[str, Any] = {}
    if written and not info.trainable:
        continuous = info.dtype.is_floating or info.dtype.is_complex
        has_mean = continuous and info.shape.is_fully_defined()
        own = {
            "synchronization": tf.VariableSynchronization.ON_READ,
            "aggregation": aggregation.MEAN if has_mean else aggregation.ONLY_FIRST_REPLICA,
        }
    try:
        variable = variable_internals.make_variable(
            value,
            info.name,
            trainable=info.trainable,
            dtype=info.dtype,
            shape=None if info.shape.is_fully_defined() else info.shape,
            **own,
        )
    except (TypeError, ValueError, tf.errors.OpError) as error:
        if not tf.distribute.has_strategy():
            raise
        raise HubError(
            f"In {where}: the strategy cannot have a variable of dtype {info.dtype.name} and shape "
            f"{info.shape}. Use the module in a strategy of one process, or without one.\n{error}"
        ) from error
    if not isinstance(variable, tf.Variable):
        raise HubError(
            f"In {where}: the strategy's variable_partitioner splits this variable of shape "
            f"{info.shape}, which the module's graph takes as a whole. Give the strategy a "
            "variable_partitioner that leaves this shape whole, or none. Variables that the module "
            "has in parts are placed on different servers without one."
        )
    return variable


class StateVariable(StateTensor):
    """A variable of the module as an argument of graph functions.

    In a replica a call reads and writes the replica's copy. Elsewhere it reads what the variable is
    there, and what it writes goes to all copies.
    """

    def __init__(self, variable: tf.Variable, where: str) -> None:
        self.variable = variable
        self._where = where
        self._lock = threading.Lock()
        self._stand_in: tf.Variable | None = None

    def spec(self) -> tf.TensorSpec:
        """The spec of the handle."""
        return tf.TensorSpec([], tf.resource)

    def tensor(self) -> tf.Tensor:
        """The handle; where there are copies, that of the first one."""
        return self._first.handle

    def argument(self, writes: bool = False) -> tf.Tensor:
        """The handle of the copy to use here.

        Raises:
            GraphError: A call in one of several replicas would write to a variable of which all
                copies have to be the same.
        """
        variable: Any = self.variable
        if not self._has_copies:
            return variable.handle
        if _in_replica():
            if (
                writes
                and not self._is_own
                and variable.distribute_strategy.num_replicas_in_sync > 1
            ):
                raise GraphError(
                    f"In {self._where}: the call writes to this trainable variable. In the "
                    "replicas of a strategy its copies would no longer be the same. Call the "
                    "module without training=True, load it with the tags of a variant that does "
                    "not write to it, or train it without a strategy."
                )
            return variable.handle
        if not self._is_mean:
            return self._first.handle
        stand_in = self._make_stand_in()
        stand_in.assign(variable.read_value())
        return stand_in.handle

    def prepare(self, placeholder: tf.Tensor) -> None:
        """Tells the placeholder the variable's dtype and shape."""
        graph_internals.copy_handle_data(self.tensor(), placeholder)

    def accessed(self, watched: bool = True) -> None:
        """Reports the variable to surrounding functions, and to tapes if it is watched."""
        variable_internals.variable_accessed(self.variable, watched)

    def written(self) -> None:
        """Outside of replicas: gives all copies the value that a call has written."""
        if self._has_copies and not _in_replica():
            source = self._make_stand_in() if self._is_mean else self._first
            self.variable.assign(source.read_value())

    @property
    def _has_copies(self) -> bool:
        return isinstance(self.variable, tf.distribute.DistributedValues)

    @property
    def _first(self) -> Any:
        variable: Any = self.variable
        return variable.values[0] if self._has_copies else variable

    @property
    def _is_own(self) -> bool:
        """Whether each replica has its own value."""
        return self.variable.synchronization == tf.VariableSynchronization.ON_READ

    @property
    def _is_mean(self) -> bool:
        return self._is_own and self.variable.aggregation == tf.VariableAggregation.MEAN

    def _make_stand_in(self) -> tf.Variable:
        """Takes the mean, since a graph function takes variables, not values."""
        with self._lock:
            if self._stand_in is None:
                first = self._first

                def make() -> tf.Variable:
                    with tf.device(first.device):
                        return tf.Variable(first.read_value(), trainable=False)

                self._stand_in = _outside_of_strategies(make)
        return self._stand_in


def _in_replica() -> bool:
    return tf.distribute.has_strategy() and not tf.distribute.in_cross_replica_context()


def _outside_of_strategies(make: Callable[[], _T]) -> _T:
    """Calls a function in a new thread, which is outside of all scopes."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(make).result()
