"""The signatures of a module as a notebook shows them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from compat_hub.common.html_table import html_table
from compat_hub.format.variant import GraphVariant, format_tags

_COLUMNS = ("signature", "", "name", "tensor", "")


def signature_tables(title: str, variants: Iterable[GraphVariant]) -> str:
    """Tables of signatures with their inputs and outputs, one for variants that have the same.

    Args:
        title: What is written above.
        variants: The variants.
    """
    same: dict[tuple[tuple[str, ...], ...], list[str]] = {}
    for variant in variants:
        same.setdefault(tuple(_rows(variant)), []).append(format_tags(variant.tags))
    tables = [
        html_table(f"Signatures of {' and '.join(tags)}", _COLUMNS, rows)
        for rows, tags in same.items()
    ]
    return html_table(title, (), ()) + "".join(tables)


def _rows(variant: GraphVariant) -> Iterator[tuple[str, ...]]:
    for signature in variant.signatures.values():
        begun = False
        for way, infos in ("in", signature.inputs), ("out", signature.outputs):
            for k, (name, info) in enumerate(infos.items()):
                remark = "optional" if way == "in" and variant.has_default(info) else ""
                heads = ("" if begun else signature.name, "" if k else way)
                yield *heads, name, str(info), remark
                begun = True
        if not begun:
            yield signature.name, "", "", "", ""
