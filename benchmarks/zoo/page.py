"""The table of what was compared."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

_BEGIN, _END = "<!-- zoo: begin -->", "<!-- zoo: end -->"
_ALONE = "TensorFlow 2 alone, training"
_OUTPUTS = ("call", "tf.function", "convert", "hub.Module")
_TRAINING = ("tape", "Keras 3 fit", "tf_keras fit", "hub.Module, training")


def write_page(folder: Path, page: Path) -> None:
    """Puts the table of what was checked between the marks of a page."""
    rows, notes = [], []
    for file in sorted(folder.glob("*/ways.json")):
        ways = json.loads(file.read_text())
        about = json.loads((file.parent / "about.json").read_text())
        golden = json.loads((file.parent / "golden.json").read_text())
        row, note = _row(file.parent.name, about, golden, ways)
        rows.append((about["family"].lower(), row))
        notes += note
    lines = [
        "| model | made by | variants | outputs | training | TensorFlow 2 alone, training |",
        "| --- | --- | --- | --- | --- | --- |",
        *(row for _, row in sorted(rows)),
        "",
        *notes,
    ]
    text = page.read_text()
    before, rest = text.split(_BEGIN)
    after = rest.split(_END)[1]
    page.write_text(f"{before}{_BEGIN}\n" + "\n".join(lines) + f"\n{_END}{after}")


def _row(name: str, about: Any, golden: Any, ways: dict[str, str]) -> tuple[str, list[str]]:
    tags = ", ".join("+".join(t) or "inference" for t in golden["variants"])
    outputs, problems = _worst(ways, _OUTPUTS)
    training, more = _worst(ways, _TRAINING)
    alone, _ = _worst(ways, (_ALONE,))
    problems = [f"- **{about['family']}** (`{name}`), {p}" for p in [*problems, *more]]
    cells = [about["family"], about["source"], tags, outputs, training, alone]
    return "| " + " | ".join(cells) + " |", problems


def _worst(ways: dict[str, str], names: tuple[str, ...]) -> tuple[str, list[str]]:
    """The worst difference over some ways, and a line for each way that has none."""
    numbers, problems = [], []
    for way in names:
        result = ways.get(way, "= -").removeprefix("= ")
        if result == "-":
            continue
        if re.fullmatch(r"[-+.e\d]+|inf|nan", result):
            numbers.append(float(result))
        else:
            problems.append(f"{way}: {result}")
    if problems and numbers:
        return f"{max(numbers):.0e}; see below", problems
    if problems:
        return "see below", problems
    return (f"{max(numbers):.0e}" if numbers else "-"), problems
