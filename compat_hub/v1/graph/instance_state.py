"""What an instance of a module holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class InstanceState:
    """The state of one instance.

    Attributes:
        tensors: The state tensors, by the name of the variant's tensor that they stand for.
        values: What functions take besides: values of reference variables, which no function can
            take, and paths of assets.
        variable_map: By the name in the checkpoint, a variable, or the parts of a partitioned one.
        eager_variables: The variables of an eager program, whose use tapes and functions are told.
    """

    tensors: Mapping[str, tf.Tensor]
    values: Mapping[str, tf.Tensor]
    variable_map: Mapping[str, Any]
    eager_variables: tuple[Any, ...] = ()
