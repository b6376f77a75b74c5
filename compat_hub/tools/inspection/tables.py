"""The facts as titled tables of words, which the console, a notebook and a page show alike."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

from compat_hub.common.words import count, human
from compat_hub.format.documented_signatures import COMMON_SIGNATURES
from compat_hub.format.variant import format_tags
from compat_hub.tools.inspection.facts import (
    Finding,
    ModuleFacts,
    SignatureFacts,
    SizeOnDisk,
    TensorFacts,
    VariantFacts,
    WeightFacts,
    format_shape,
)
from compat_hub.tools.inspection.scopes import Scope, open_scopes, tree_of, walk_open

_NAMES = 5
_OPS = 12
_TREE_LINES = 40
_ROWS = 20

Row = tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Block:
    """A titled table.

    Attributes:
        title: Its title.
        columns: The heads of its columns, all empty where it needs none.
        rows: Its rows.
        more: What was left out: `"214 more"`, or `""`.
        numbers: The columns that hold numbers, from 0.
        is_of_signatures: Whether it is about what signatures take and give.
    """

    title: str
    columns: Row
    rows: tuple[Row, ...]
    more: str = ""
    numbers: tuple[int, ...] = ()
    is_of_signatures: bool = False


def make_blocks(
    facts: ModuleFacts,
    verdict: Sequence[Finding],
    weights: Sequence[WeightFacts] | None = None,
    show_all: bool = False,
) -> list[Block]:
    """All that there is to show, in order.

    Args:
        facts: What was found.
        verdict: What it means.
        weights: The statistics of the weights, where they were asked for.
        show_all: Whether long lists are shown whole.
    """
    writer = _Writer(facts, show_all)
    blocks = [writer.summary(), writer.verdict(verdict)]
    same: dict[tuple[Row, ...], list[VariantFacts]] = {}
    for variant in facts.variants:
        same.setdefault(writer.signatures([variant]).rows, []).append(variant)
    blocks += [writer.signatures(variants) for variants in same.values()]
    blocks.append(writer.docs())
    blocks += [writer.variant(variant) for variant in facts.variants]
    blocks += [writer.variables(), writer.assets()]
    if weights is not None:
        blocks.append(writer.weights(weights))
    return [block for block in blocks if block.rows]


class _Writer:
    def __init__(self, facts: ModuleFacts, show_all: bool) -> None:
        self._facts = facts
        self._all = show_all

    def summary(self) -> Block:
        facts = self._facts
        producers = sorted({v.producer for v in facts.variants if v.producer})
        by = f", written by TensorFlow {' and '.join(producers)}" if producers else ""
        rows = [("format", f"{facts.format}{by}")]
        if facts.path is not None:
            rows.append(("folder", facts.path))
        if facts.size is not None:
            rows.append(("size on disk", _sizes(facts.size)))
        rows.append(("variants", ", ".join(format_tags(v.tags) for v in facts.variants)))
        rows.append(("variables", _totals(facts)))
        return Block(facts.handle, ("", ""), tuple(rows))

    def verdict(self, verdict: Iterable[Finding]) -> Block:
        rows = tuple((f.level, f.topic, f.text) for f in verdict)
        title = f"Verdict, for TensorFlow {self._facts.tensorflow}"
        return Block(title, ("", "", ""), rows)

    def signatures(self, variants: Sequence[VariantFacts]) -> Block:
        """The signatures of variants that have the same ones."""
        title = f"Signatures of {' and '.join(format_tags(v.tags) for v in variants)}"
        columns = ("signature", "", "name", "tensor", "")
        shown, more = self._cut(variants[0].signatures, _ROWS)
        rows = tuple(row for signature in shown for row in self._signature(signature))
        return Block(title, columns, rows, more, is_of_signatures=True)

    def _signature(self, signature: SignatureFacts) -> Iterator[Row]:
        begun = False
        for way, tensors in ("in", signature.inputs), ("out", signature.outputs):
            shown, more = self._cut(tensors, _ROWS)
            for k, tensor in enumerate(shown):
                heads = ("" if begun else signature.name, "" if k else way)
                yield *heads, tensor.name, str(tensor), _remark(tensor)
                begun = True
            if more:
                yield "", "", f"... and {more}", "", ""
        if not begun:
            yield signature.name, "", "", "", ""

    def docs(self) -> Block:
        signatures: dict[str, list[SignatureFacts]] = {}
        for variant in self._facts.variants:
            for signature in variant.signatures:
                for kind in signature.common_signatures:
                    known = signatures.setdefault(kind, [])
                    if signature.name not in [s.name for s in known]:
                        known.append(signature)
        rows: list[Row] = []
        for kind, found in signatures.items():
            common = COMMON_SIGNATURES[kind]
            names, more = self._cut([s.name for s in found], _NAMES)
            rows.append((kind, self._join(names, more)))
            rows.append(("", f"{common.description} See {common.source}"))
            tensors = [t for s in found for t in (*s.inputs, *s.outputs) if t.docs]
            rows += [
                ("", f"{name}: {docs}") for name, docs in {t.name: t.docs for t in tensors}.items()
            ]
        title = "Common signatures that it matches"
        return Block(title, ("", ""), tuple(rows), is_of_signatures=True)

    def variant(self, variant: VariantFacts) -> Block:
        rows = [("graph", f"{variant.nodes:,} nodes, {count(variant.functions, 'function')}")]
        flow = variant.control_flow
        parts = [
            count(number, what)
            for number, what in (
                (flow.loops, "loop"),
                (flow.conditionals, "conditional"),
                (flow.tensor_arrays, "TensorArray"),
            )
            if number
        ]
        rows.append(("control flow", ", ".join(parts) or "none"))
        listed = {
            "update ops": variant.update_ops,
            "regularization": variant.regularization_losses,
            "tables": [_table(t.name, t.op, t.key_dtype, t.value_dtype) for t in variant.tables],
            "attachments": [_attachment(a.key, a.bytes, a.image_size) for a in variant.attachments],
            "not in the checkpoint": list(variant.missing),
            "unknown ops": [f"{u.op} ({u.place})" for u in variant.unknown_ops],
            "host access": [
                f"{h.op} (node {h.node!r}, for {h.user}) {h.what}" for h in variant.host_access
            ],
        }
        rows += [(title, self._list(items)) for title, items in listed.items() if items]
        ops, more = self._cut(list(variant.ops.items()), _OPS)
        rows.append(("ops", self._join([f"{op} {number:,}" for op, number in ops], more)))
        return Block(f"Graph of {format_tags(variant.tags)}", ("", ""), tuple(rows))

    def variables(self) -> Block:
        variables = self._facts.variables
        root = tree_of(variables, lambda v: v.name)
        room = None if self._all else _TREE_LINES
        open_scopes(root, room)
        shown = list(walk_open(root, room))
        rows = [_tree_row(depth, scope) for depth, scope in shown]
        shown_items = sum(len(scope.items) for _, scope in shown if not scope.is_open)
        left = len(variables) - shown_items if rows else 0
        closed = sum(len(s.items) for _, s in shown if not s.is_open and s.children)
        more = []
        if closed:
            more.append(f"{closed:,} in scopes that are not opened")
        if left:
            more.append(f"{left:,} more")
        columns = ("variable", "tensor", "parameters", "bytes", "trainable")
        return Block("Variables", columns, tuple(rows), " and ".join(more), numbers=(2, 3))

    def assets(self) -> Block:
        shown, more = self._cut(self._facts.assets, _ROWS)
        rows = tuple((a.name, "missing" if a.bytes is None else human(a.bytes)) for a in shown)
        return Block("Assets", ("", ""), rows, more)

    def weights(self, weights: Sequence[WeightFacts]) -> Block:
        shown, more = self._cut(weights, _TREE_LINES)
        columns = ("weights", "min", "max", "mean", "std", "zeros", "NaN", "inf")
        rows = tuple(map(weight_cells, shown))
        return Block("Weights", columns, rows, more, numbers=(1, 2, 3, 4, 5, 6, 7))

    def _cut(self, items: Sequence, shown: int) -> tuple[Sequence, str]:
        if self._all or len(items) <= shown:
            return items, ""
        return items[:shown], f"{len(items) - shown:,} more"

    def _list(self, items: Sequence[str]) -> str:
        shown, more = self._cut(items, _NAMES)
        return f"{len(items)}: {self._join(shown, more)}"

    def _join(self, items: Iterable[str], more: str) -> str:
        return ", ".join(items) + (f" ... and {more}" if more else "")


def weight_cells(weights: WeightFacts) -> Row:
    """The row of one variable in the table of weights."""
    numbers = (weights.min, weights.max, weights.mean, weights.std)
    counts = (weights.zeros, weights.nans, weights.infinities)
    return (
        weights.name,
        *("-" if number is None else f"{number:.4g}" for number in numbers),
        *(f"{number:,}" for number in counts),
    )


def _sizes(size: SizeOnDisk) -> str:
    parts = {"graph": size.graph, "variables": size.variables, "assets": size.assets}
    listed = ", ".join(f"{name} {human(part)}" for name, part in parts.items() if part)
    return f"{human(size.total)}: {listed}" if listed else human(size.total)


def _totals(facts: ModuleFacts) -> str:
    variables = facts.variables
    if not variables:
        return "none"
    trainable = [v for v in variables if v.trainable]
    size = human(sum(v.bytes or 0 for v in variables))
    return (
        f"{len(variables):,} with {_parameters(variables):,} parameters ({size}); trainable "
        f"{len(trainable):,} with {_parameters(trainable):,}"
    )


def _parameters(variables: Iterable) -> int:
    return sum(v.parameters or 0 for v in variables)


def _remark(tensor: TensorFacts) -> str:
    return "" if tensor.default is None else f"default {tensor.default}"


def _table(name: str, op: str, key: str | None, value: str | None) -> str:
    return f"{name} ({op}, {key} to {value})" if key and value else f"{name} ({op})"


def _attachment(key: str, size: int, image_size: tuple[int, int] | None) -> str:
    if image_size is not None:
        return f"{key} (images of {image_size[0]} x {image_size[1]} pixels)"
    return f"{key} ({human(size)})"


def _tree_row(depth: int, scope: Scope) -> Row:
    indent = "  " * depth
    items = scope.items
    trains = {v.trainable for v in items}
    word = "some" if len(trains) == 2 else "yes" if trains == {True} else "no"
    if not scope.children:
        (variable,) = items if len(items) == 1 else items[:1]
        shape = format_shape(variable.shape)
        parameters = "?" if variable.parameters is None else f"{variable.parameters:,}"
        size = "?" if variable.bytes is None else human(variable.bytes)
        return f"{indent}{scope.name}", f"{variable.dtype} {shape}", parameters, size, word
    what = "" if scope.is_open else count(len(items), "variable")
    size = human(sum(v.bytes or 0 for v in items))
    return f"{indent}{scope.name}/", what, f"{_parameters(items):,}", size, word
