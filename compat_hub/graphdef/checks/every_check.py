"""All checks of a graph that was read, in the order in which they are made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from compat_hub.graphdef.checks.call_depth import find_deep_call
from compat_hub.graphdef.checks.constants import find_bad_constant
from compat_hub.graphdef.checks.function_calls import find_bad_call
from compat_hub.graphdef.checks.handles import find_foreign_handle
from compat_hub.graphdef.checks.loops import find_bad_iteration
from compat_hub.graphdef.checks.shapes import find_bad_shape
from compat_hub.graphdef.checks.table_files import find_bad_column

GraphDef = Any


def find_problem(
    graph_def: GraphDef, most_constant_bytes: float, op_def: Callable[[str], Any]
) -> str | None:
    """A message on what of a graph cannot be, and would end the process; None where all can.

    Args:
        graph_def: The graph; its functions are looked at, too.
        most_constant_bytes: What its constants may take in memory beyond what is in the file.
        op_def: Gives the OpDef of a registered op, or None.
    """
    return (
        find_bad_constant(graph_def, most_constant_bytes)
        or find_bad_shape(graph_def)
        or find_bad_column(graph_def)
        or find_bad_iteration(graph_def)
        or find_bad_call(graph_def, lambda name: op_def(name) is not None)
        or find_deep_call(graph_def)
        or find_foreign_handle(graph_def, op_def)
    )
