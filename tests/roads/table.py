"""The results of all roads as a table of docs/roads.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.written_parts import with_written

BEGIN = "<!-- Written by `python -m tests.roads`. -->"
TITLES = {
    "tfsm_layer": "TFSMLayer",
    "saved_model_cli": "saved_model_cli",
    "frozen": "frozen graph",
    "keras_export": "Keras export, Keras 3",
    "hub_layer": "hub.KerasLayer in fit",
    "lite": "TFLite",
    "onnx": "ONNX",
    "tf1_hub": "export to hub 0.12",
}
MARKS = {"yes": "yes", "unable": "no", "differs": "differs", "fails": "fails"}


def update(file: Path, everything: dict[str, Any]) -> None:
    """Puts the table between the two marks in a file."""
    text = file.read_text(encoding="utf-8")
    file.write_text(with_written(text, BEGIN, render(everything)), encoding="utf-8")


def render(everything: dict[str, Any]) -> str:
    """The versions, the counts, a row for each module, and the notes."""
    roads = [road for road in TITLES if road in everything]
    names = sorted({name for road in roads for name in everything[road]["results"]})
    notes: dict[str, int] = {}
    rows = []
    for name in names:
        cells = [f"`{name}`"]
        for road in roads:
            result = everything[road]["results"].get(name)
            cells.append(_cell(result, notes) if result else "")
        rows.append("| " + " | ".join(cells) + " |")
    lines = ["| road | takes | of | with |", "| --- | --- | --- | --- |"]
    for road in roads:
        results = everything[road]["results"].values()
        versions = ", ".join(f"{n} {v}" for n, v in everything[road]["versions"].items())
        taken = sum(r["status"] == "yes" for r in results)
        lines.append(f"| {TITLES[road]} | {taken} | {len(results)} | {versions} |")
    titles = ["module", *(TITLES[road] for road in roads)]
    lines += ["", "| " + " | ".join(titles) + " |", "|" + " --- |" * len(titles), *rows, ""]
    lines += [f"{number}. {note}" for note, number in notes.items()]
    return "\n".join(lines) + "\n"


def _cell(result: dict[str, str], notes: dict[str, int]) -> str:
    mark = MARKS[result["status"]]
    if not result["detail"]:
        return mark
    number = notes.setdefault(_clean(result["detail"]), len(notes) + 1)
    return f"{mark} ({number})"


def _clean(detail: str) -> str:
    """A note as Markdown shows it."""
    return detail.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").strip()
