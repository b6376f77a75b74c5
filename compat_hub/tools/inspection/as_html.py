"""The report as one page that needs nothing else."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from compat_hub.common.extras import install_command
from compat_hub.errors import HubError, ResolveError
from compat_hub.format.spec import ModuleSpec
from compat_hub.format.variant import format_tags
from compat_hub.sources import files
from compat_hub.tools.inspection.facts import Finding, ModuleFacts, WeightFacts
from compat_hub.tools.inspection.graph_picture import Picture, draw
from compat_hub.tools.inspection.tables import Block, weight_cells

_NEEDED = ("jinja2", "networkx")
_TEMPLATE = "page.html"
_BAR_HEIGHT = 10
_COLORS = {
    "input": "#ddf4ff",
    "output": "#fff1e5",
    "trainable": "#dafbe1",
    "variables": "#eaeef2",
    "plain": "#f6f8fa",
}
_MEANINGS = {
    "input": "input",
    "output": "output",
    "trainable": "scope with trainable variables",
    "variables": "scope with other variables",
    "plain": "scope without variables",
}


def check_installed() -> None:
    """Checks that what the page is made with is installed.

    Raises:
        HubError: It is not.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise HubError(
            f"The page is made with {' and '.join(missing)}, which is not installed: "
            f"{install_command('html')}"
        )


def make_page(
    spec: ModuleSpec,
    facts: ModuleFacts,
    verdict: Sequence[Finding],
    blocks: Sequence[Block],
    weights: Sequence[WeightFacts],
) -> str:
    """The page's text.

    Args:
        spec: The module.
        facts: What was found.
        verdict: What it means.
        blocks: The tables; the first is the summary.
        weights: The statistics of the weights.
    """
    import jinja2  # noqa: PLC0415

    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(
        (Path(__file__).parent / _TEMPLATE).read_text(encoding="utf-8")
    )
    return template.render(
        title=blocks[0].title,
        summary=blocks[0],
        tensorflow=facts.tensorflow,
        colors=_COLORS,
        meanings=_MEANINGS,
        verdict=verdict,
        pictures=_pictures(spec),
        signatures=[block for block in blocks[1:] if block.is_of_signatures],
        blocks=[block for block in blocks[1:] if not block.is_of_signatures],
        weights=[
            {"cells": weight_cells(w), "bars": _bars(w.histogram), "zero": _zero(w)}
            for w in weights
        ],
    )


def _pictures(spec: ModuleSpec) -> list[tuple[str, Picture]]:
    """A picture for each variant, one for those that look alike, with the names of these."""
    pictures: list[tuple[list[str], Picture]] = []
    for variant in spec.variants.values():
        if not variant.signatures:
            continue
        drawn = draw(variant)
        alike = next((names for names, picture in pictures if picture == drawn), None)
        if alike is None:
            pictures.append(([format_tags(variant.tags)], drawn))
        else:
            alike.append(format_tags(variant.tags))
    return [(" and ".join(names), picture) for names, picture in pictures]


def _bars(histogram: Sequence[int]) -> str:
    """The outline of a histogram, each bin one unit wide, as SVG has it."""
    highest = max(histogram, default=0)
    if not highest:
        return ""
    tops = [f"V{_BAR_HEIGHT - _BAR_HEIGHT * n / highest:.2f}h1" for n in histogram]
    return f"M0,{_BAR_HEIGHT}{''.join(tops)}V{_BAR_HEIGHT}z"


def _zero(weights: WeightFacts) -> str | None:
    """Where zero is in the histogram, if it is there."""
    low, high = weights.min, weights.max
    if low is None or high is None or not low < 0 < high:
        return None
    scale = max(-low, high)  # the difference may be too large for a number
    return f"{len(weights.histogram) * (-low / scale) / (high / scale - low / scale):.2f}"


def write_page(path: str | os.PathLike[str], text: str) -> str:
    """Writes the page, whole or not at all, in place of a file that is there.

    Returns:
        The path.

    Raises:
        ResolveError: It cannot be written.
    """
    target = os.fspath(path)
    whole = os.path.abspath(target) if files.is_local(target) else target
    try:
        # A lone surrogate, of a name that is not UTF-8, has no place in a file.
        files.put(whole, text.encode("utf-8", "replace").decode())
    except (OSError, tf.errors.OpError, UnicodeError, ValueError) as error:
        raise ResolveError(
            f"The page cannot be written to {target!r}: {error}. Pass a file in a folder that can "
            "be written."
        ) from error
    return target
