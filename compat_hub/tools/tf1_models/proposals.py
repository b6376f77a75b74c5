"""Which tensors of a graph are probably its inputs and outputs: proposed, never chosen."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import types_pb2

from compat_hub.format.placeholders import PLACEHOLDERS
from compat_hub.format.tf1_models.tensors import Tensors
from compat_hub.format.tf1_models.variables import Variables
from compat_hub.graphdef.analysis.weights import find_weights
from compat_hub.graphdef.names import is_control, node_of
from compat_hub.graphdef.passes.references_to_resources import VARIABLE_OPS
from compat_hub.graphdef.subgraph import NodeIndex, ancestors, dependents

_MOST = 8
_DEQUEUE = re.compile(r"(Queue)?Dequeue|IteratorGetNext|Unstage")
# Words in the names of outputs, the best first.
_WORDS = (
    "logits",
    "prediction",
    "probabilit",
    "softmax",
    "score",
    "output",
    "sigmoid",
    "embedding",
)
_BESIDES = re.compile(
    r"(^|/)(gradients|save|train|training|optimizer|Adam|Momentum|RMSProp|report_uninitialized"
    r"|cond/gradients|accuracy|loss|losses|metrics|summar\w*|Initializer|init)(_\d+)?(/|$)",
    re.IGNORECASE,
)
_NO_OUTPUTS = re.compile(
    r"Assign|Summary|Save|Restore|Apply|Variable|VarHandle|Const|Placeholder|Shape|Switch|Merge|Enter"
    r"|NextIteration|LoopCond|TensorArray|Stack|Grad|NoOp|Assert|Iterator|Queue"
)
_GRADIENTS = re.compile(r"(^|/)gradients(_\d+)?/")
_RANDOM = re.compile(r"^(Stateless)?(Random|Multinomial|TruncatedNormal|ParameterizedTruncated)")
_RATE = re.compile(r"(keep_prob|rate)$")
_FLAG = re.compile(r"train|is_test|phase", re.IGNORECASE)
_KEEP = re.compile(r"keep", re.IGNORECASE)
_DROP = re.compile(r"drop|rate", re.IGNORECASE)
_FLOATS = frozenset({types_pb2.DT_FLOAT, types_pb2.DT_DOUBLE, types_pb2.DT_HALF})


@dataclasses.dataclass(frozen=True)
class Proposals:
    """What to pass to `load_tf1`, probably.

    Attributes:
        inputs: Names of tensors that lead to weights.
        feeds: Values of settings, as JSON, by the names of their tensors.
        training_feeds: The same in training.
        outputs: Names of tensors, the best first.
        labels: Names of placeholders that lead to no weight.
        random: What draws random numbers on the way to the first output, with a rate if one is
            known.
    """

    inputs: list[str]
    feeds: dict[str, str]
    training_feeds: dict[str, str]
    outputs: list[str]
    labels: list[str]
    random: dict[str, str]


def propose(meta_graph: Any, where: str) -> Proposals:
    """Looks for inputs and outputs in a graph.

    Args:
        meta_graph: The graph.
        where: How messages name it.
    """
    tensors = Tensors(meta_graph, where)
    nodes = tensors.nodes
    variables = [name for name, node in nodes.items() if node.op in VARIABLE_OPS]
    trainable = Variables(meta_graph, nodes, {}).trainable
    weights = [n for n in variables if n in trainable] or variables or list(find_weights(nodes))
    gradients = [n for n in nodes if _GRADIENTS.search(n)]
    besides = dependents(nodes, gradients).difference(variables)
    forward = {n for n in nodes if not _BESIDES.search(n)} - besides
    weighed = dependents(nodes, weights) & forward
    inputs, labels, settings = _sort_sources(tensors, weighed, forward)
    candidates = _candidates(nodes, inputs, labels, weighed, forward)
    outputs = sorted(candidates, key=lambda n: _score(nodes, n, candidates), reverse=True)[:_MOST]
    if not outputs:
        return Proposals(inputs, {}, {}, [], labels, {})
    needed = ancestors(nodes, outputs[:1], inputs)
    inputs = [t for t in inputs if node_of(t) in ancestors(nodes, outputs[:1])]
    used = {t: v for t, v in settings.items() if node_of(t) in needed}
    feeds = {t: inference for t, (inference, _) in used.items()}
    training = {t: value for t, (inference, value) in used.items() if value != inference}
    names = [f"{name}:0" for name in outputs]
    return Proposals(inputs, feeds, training, names, labels, _random(nodes, needed))


def _sort_sources(
    tensors: Tensors, weighed: set[str], forward: set[str]
) -> tuple[list[str], list[str], dict[str, tuple[str, str]]]:
    """Inputs, labels, and settings with their values in inference and in training."""
    nodes = tensors.nodes
    inputs: list[str] = []
    labels: list[str] = []
    settings: dict[str, tuple[str, str]] = {}
    for name, node in nodes.items():
        if name not in forward:
            continue
        if node.op in PLACEHOLDERS or _DEQUEUE.search(node.op):
            for tensor in _used_outputs(nodes, name):
                value = _setting(tensors, tensor) if node.op in PLACEHOLDERS else None
                if value is not None:
                    settings[tensor] = value
                elif _leads_to(nodes, tensor, weighed, forward):
                    inputs.append(tensor)
                else:
                    labels.append(tensor)
    return inputs, labels, settings


def _used_outputs(nodes: NodeIndex, name: str) -> list[str]:
    used = {s for s, _ in nodes.consumers(name) if not is_control(s)}
    return sorted({s if ":" in s else f"{s}:0" for s in used})


def _leads_to(nodes: NodeIndex, tensor: str, weighed: set[str], forward: set[str]) -> bool:
    """Whether something of weights is computed with a tensor, losses and metrics not counted."""
    reached = _reached(nodes, [tensor]) & forward
    return any(name in weighed and _is_weighing(nodes, name, weighed, reached) for name in reached)


def _reached(nodes: NodeIndex, tensors: Iterable[str]) -> set[str]:
    """The nodes that are computed with some tensors."""
    users = {
        consumer
        for tensor in tensors
        for source, consumer in nodes.consumers(node_of(tensor))
        if tensor in (source, f"{source}:0")
    }
    return dependents(nodes, users)


def _is_weighing(nodes: NodeIndex, name: str, weighed: set[str], reached: set[str]) -> bool:
    """Whether a weight itself, and not what was computed from inputs, meets the tensor here."""
    sources = [node for s, node in nodes.sources(name) if not is_control(s)]
    return any(
        s in weighed and s not in reached and not _has_source(nodes, s) for s in sources
    ) and any(
        s in reached or nodes[s].op in PLACEHOLDERS or _DEQUEUE.search(nodes[s].op) for s in sources
    )


def _has_source(nodes: NodeIndex, name: str) -> bool:
    needed = ancestors(nodes, [name])
    return any(nodes[n].op in PLACEHOLDERS or _DEQUEUE.search(nodes[n].op) for n in needed)


def _setting(tensors: Tensors, tensor: str) -> tuple[str, str] | None:
    """The values of a setting in inference and in training, by its dtype and name."""
    name, dtype, rank = node_of(tensor), tensors.dtype(tensor), tensors.shape(tensor).rank
    last = name.rpartition("/")[2]
    if dtype == tf.bool and rank in (0, None) and _FLAG.search(last):
        return ("true", "false") if "test" in last else ("false", "true")
    if dtype.is_floating and rank in (0, None) and _KEEP.search(last):
        return "1", "0.5"
    if dtype.is_floating and rank in (0, None) and _DROP.search(last) and "learning" not in last:
        return "0", "0.5"
    return None


def _candidates(
    nodes: NodeIndex,
    inputs: Iterable[str],
    labels: Iterable[str],
    weighed: set[str],
    forward: set[str],
) -> list[str]:
    fed = _reached(nodes, inputs)
    judged = _reached(nodes, labels)
    return [
        name
        for name in nodes
        if name in fed & weighed & forward
        and name not in judged
        and not _NO_OUTPUTS.search(nodes[name].op)
        and _is_float(nodes[name])
    ]


def _is_float(node: Any) -> bool:
    return "T" not in node.attr or node.attr["T"].type in _FLOATS


def _score(nodes: NodeIndex, name: str, candidates: list[str]) -> tuple[int, int, int]:
    """By its name; by whether nothing of the model comes after it; by its place."""
    last = name.lower()
    words = [len(_WORDS) - k for k, word in enumerate(_WORDS) if word in last.rpartition("/")[2]]
    words += [(len(_WORDS) - k) // 2 for k, word in enumerate(_WORDS) if word in last]
    op = nodes[name].op.lower()
    words += [len(_WORDS) - _WORDS.index(op)] if op in _WORDS else []
    known = set(candidates)
    after = [c for s, c in nodes.consumers(name) if not is_control(s) and c in known]
    return (0 if after else 4) + max(words, default=0), -len(after), candidates.index(name)


def _random(nodes: NodeIndex, needed: set[str]) -> dict[str, str]:
    """What draws random numbers, each with the rate that a constant beside it gives."""
    found: dict[str, str] = {}
    for name in sorted(needed):
        if not _RANDOM.search(nodes[name].op):
            continue
        scope = name.rpartition("/random_uniform")[0]
        rates = [n for n in nodes if n.rpartition("/")[0] == scope and _RATE.search(n)]
        constants = [n for n in rates if nodes[n].op == "Const"]
        value = (
            f"{node_of(constants[0]).rpartition('/')[2]} "
            f"{float(tf.make_ndarray(nodes[constants[0]].attr['value'].tensor)):.3g}"
            if constants and scope
            else ""
        )
        found[name] = value
    return found
