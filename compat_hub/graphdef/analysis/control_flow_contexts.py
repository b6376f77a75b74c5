"""Whether a tensor is inside of a loop or conditional of TF1: no run gives it one value."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from compat_hub.graphdef.names import node_of
from compat_hub.graphdef.subgraph import NodeIndex, given_inputs

_ENTER = frozenset({"Enter", "RefEnter"})
_EXIT = frozenset({"Exit", "RefExit"})
_SWITCH = frozenset({"Switch", "RefSwitch"})
_MERGE = frozenset({"Merge", "RefMerge"})
_NEXT_ITERATION = frozenset({"NextIteration", "RefNextIteration"})


def find_context(
    nodes: NodeIndex, tensor: str, fed: Collection[str] = ()
) -> Literal["a loop", "a branch of a conditional"] | None:
    """What a tensor is inside of, or None.

    On the way to it there is an Enter more than there are Exits, or a Switch more than Merges.

    Args:
        nodes: The graph's nodes by name.
        tensor: The tensor's name.
        fed: Names of tensors whose values are given.
    """
    given = given_inputs(fed)
    seen: set[str] = set()
    stack = [] if tensor in given else [(node_of(tensor), 0, 0)]
    is_in_branch = False
    while stack:
        name, loops, branches = stack.pop()
        if name in seen or name not in nodes:
            continue
        seen.add(name)
        op = nodes[name].op
        sources = [(i, node) for i, node in nodes.sources(name) if i not in given]
        ops = {nodes[node].op for _, node in sources if node in nodes}
        if op in _ENTER:
            if not loops:
                return "a loop"
            loops -= 1
        elif op in _EXIT:
            loops += 1
        elif op in _MERGE and ops.isdisjoint(_NEXT_ITERATION):
            branches += 1
        elif op in _SWITCH and "LoopCond" not in ops:
            is_in_branch = is_in_branch or not branches
            branches -= 1
        stack += [(node, loops, branches) for _, node in sources]
    return "a branch of a conditional" if is_in_branch else None
