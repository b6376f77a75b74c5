"""A variant's graph on its way through the passes, with all that they need to know of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import tensorflow as tf

from compat_hub.format.spec import ModuleSpec
from compat_hub.format.variant import GraphVariant
from compat_hub.graphdef.run_passes import Mode
from compat_hub.tf_private import op_registry


@dataclasses.dataclass
class Rewrite:
    """A graph on its way through the passes. The first attributes are what it is made from.

    Attributes:
        variant: Where the graph comes from.
        mode: What it is rewritten for.
        graph_def: The graph as it is now, a copy: passes change it, or put another in its place.
        fetches: The names of the wanted tensors in it.
        targets: The names of the nodes that run besides, because they were asked for.
        given: Specs of the tensors whose values are given, inputs and state, by name.
        handles: For those that are variables' handles, a tensor that knows the variable's shape.
        dtypes: The dtypes of the given tensors, as the nodes that take them have them now.
        effects: The names of further nodes that do something besides computing: an assignment, say.
        refused: By the name of a fetch whose control flow runs as it is: why no gradient can be
            computed of it.
        draws: Whether the graph draws random numbers that `tf.random.set_seed` decides.
    """

    variant: GraphVariant
    mode: Mode
    graph_def: Any
    fetches: list[str] = dataclasses.field(default_factory=list)
    targets: list[str] = dataclasses.field(default_factory=list)
    given: Mapping[str, tf.TypeSpec] = dataclasses.field(default_factory=dict)
    handles: Mapping[str, tf.Tensor] = dataclasses.field(default_factory=dict)
    dtypes: dict[str, int] = dataclasses.field(default_factory=dict)
    effects: list[str] = dataclasses.field(default_factory=list)
    refused: dict[str, str] = dataclasses.field(default_factory=dict)
    draws: bool = False

    def __post_init__(self) -> None:
        if not self.dtypes:
            references = self.variant.reference_variables
            self.dtypes = {
                name: references.get(name) or spec.dtype.as_datatype_enum
                for name, spec in self.given.items()
            }

    @property
    def where(self) -> str:
        """How messages name where the graph comes from."""
        return self.variant.where

    def op_def(self, op: str, /) -> Any:
        """The OpDef of a registered op, or None."""
        return op_registry.op_def(op)

    @property
    def is_portable(self) -> bool:
        """Whether the graph has to run and train where compat_hub is not."""
        return self.mode is Mode.PORTABLE

    @property
    def variables_as_values(self) -> set[str]:
        """The reference variables that are given as values, and not as handles of resources."""
        references = self.variant.reference_variables
        return {n for n, s in self.given.items() if n in references and s.dtype != tf.resource}

    def put(self, graph_def: Any) -> None:
        """Puts a graph in the place of the one so far."""
        self.graph_def = graph_def


@dataclasses.dataclass
class MetaGraphRewrite(Rewrite):
    """A whole MetaGraph on its way into a program's `tf.Graph`; `graph_def` is a part of it.

    Attributes:
        spec: The module.
        meta_graph: The MetaGraph, a copy.
        collections: The collections that are kept: all of one where there is None, else the entries
            of a list of nodes.
        fed: Names of the tensors that others will take the place of.
        from_checkpoint: Whether variables' initializers read the module's checkpoint.
        restoring: The names of the nodes that read it.
    """

    spec: ModuleSpec = dataclasses.field(kw_only=True)
    meta_graph: Any = dataclasses.field(kw_only=True)
    collections: Mapping[str, Sequence[str] | None] = dataclasses.field(kw_only=True)
    fed: Collection[str] = ()
    from_checkpoint: bool = False
    restoring: Collection[str] = ()

    def __post_init__(self) -> None:
        self.dtypes = dict.fromkeys(self.fed, 0)  # DT_INVALID: nobody has said what they have

    def put(self, graph_def: Any) -> None:
        """As in `Rewrite`; the graph stays a part of the MetaGraph."""
        if graph_def is not self.graph_def:
            self.graph_def.CopyFrom(graph_def)
