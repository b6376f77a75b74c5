"""The figures as a plot: how far each is from its limit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

_WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 1}


def draw(lines: Sequence[dict[str, Any]], file: Path) -> None:
    """Draws a bar for each figure that has a limit, in units of the limit."""
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    limited = [line for line in lines if line["limit"] is not None][::-1]
    parts = [_part(line) for line in limited]
    colours = ["tab:green" if line["holds"] else "tab:red" for line in limited]
    figure, axes = plt.subplots(figsize=(9, 0.32 * len(limited) + 1.2), layout="constrained")
    names = [f"{line['target']}, {line['case']}" for line in limited]
    bars = axes.barh(names, parts, color=colours)
    texts = [f"{line['figure']:.2f} of {line['limit']:.2f}" for line in limited]
    axes.bar_label(bars, texts, padding=4, fontsize="small", bbox=_WHITE)
    axes.axvline(1, color="black", linewidth=1, zorder=0)
    axes.set_xlabel("in parts of what is allowed, or of what is asked where more is better")
    axes.set_xlim(0, max(1.3, *(part * 1.2 for part in parts)))
    axes.margins(y=0.01)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=120)


def _part(line: dict[str, Any]) -> float:
    ratio = line["figure"] / line["limit"]
    return 1 / ratio if line["target"] == "restore" else ratio
