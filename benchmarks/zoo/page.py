"""The table of what was compared."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.zoo.reasons import REASONS

_BEGIN, _END = "<!-- zoo: begin -->", "<!-- zoo: end -->"
_ALONE, _ALONE_TRAINING = "TensorFlow 2 alone", "TensorFlow 2 alone, training"
_OUTPUTS = ("call", "tf.function", "convert", "hub.Module")
_TRAINING = ("tape", "Keras 3 fit", "tf_keras fit", "hub.Module, training")
# What the conformance tests allow: relative to the largest magnitude of a tensor.
_OUTPUT_TOLERANCE, _STEP_TOLERANCE = 1e-5, 1e-4


def write_page(folder: Path, page: Path) -> None:
    """Puts the table of what was checked, and the reason of each "no", between a page's marks."""
    rows, notes = [], []
    for file in sorted(folder.glob("*/ways.json")):
        ways = json.loads(file.read_text())
        if not ways.keys() >= {*_OUTPUTS, *_TRAINING, _ALONE_TRAINING}:
            continue  # it is still being tried
        about = json.loads((file.parent / "about.json").read_text())
        golden = json.loads((file.parent / "golden.json").read_text())
        row, note = _row(file.parent.name, about, golden, ways)
        rows.append((about["family"].lower(), file.parent.name, row, about["family"]))
        notes += note
    families = len({family for *_, family in rows})
    lines = [
        f"{len(rows)} modules of {families} families were compared.",
        "",
        "| model | modules of its kind | made by | variants | outputs | training |"
        " TensorFlow 2 alone: outputs, training |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *(row for _, _, row, _ in sorted(rows)),
        "",
        '## Each "no"',
        "",
        *(notes or ["None."]),
    ]
    text = page.read_text()
    before, rest = text.split(_BEGIN)
    after = rest.split(_END)[1]
    page.write_text(f"{before}{_BEGIN}\n\n" + "\n".join(lines) + f"\n\n{_END}{after}")


def _row(name: str, about: Any, golden: Any, ways: dict[str, str]) -> tuple[str, list[str]]:
    tags = ", ".join("+".join(t) or "inference" for t in golden["variants"])
    judges = [ways.get(_ALONE, "not tried"), ways[_ALONE_TRAINING]]
    bounds = [3 * (_number(judge) or 0) for judge in judges]
    outputs, missing = _cell(name, ways, _OUTPUTS, max(_OUTPUT_TOLERANCE, bounds[0]))
    training, more = _cell(name, ways, _TRAINING, max(_STEP_TOLERANCE, bounds[1]))
    cells = [
        f"{about['family']} (`{name}`)", about.get("known_as") or "", about["source"], tags,
        outputs, training, ", ".join(map(_alone, judges)),
    ]  # fmt: skip
    notes = [f"- **{about['family']}** (`{name}`), {line}" for line in [*missing, *more]]
    return "| " + " | ".join(cells) + " |", notes


def _cell(
    name: str, ways: dict[str, str], group: Iterable[str], bound: float
) -> tuple[str, list[str]]:
    """Whether a module works in every way of a group, and a line for each reason why not."""
    numbers: list[float] = []
    problems: dict[str, list[str]] = {}
    for way in group:
        if ways[way] == "-":
            continue
        number = _number(ways[way])
        if number is not None and number <= bound:
            numbers.append(number)
            continue
        what = ways[way] if number is None else f"the difference is {_short(number)}"
        reason = REASONS.get((name, way)) or REASONS.get((name, "*")) or what
        problems.setdefault(reason, []).append(way)
    missing = sum(map(len, problems.values()))
    if not missing:
        return (f"yes, {_short(max(numbers))}" if numbers else "-"), []
    lines = [f"{', '.join(ways)}: {reason}" for reason, ways in problems.items()]
    return f"**no** in {missing} of {missing + len(numbers)} ways", lines


def _alone(result: str) -> str:
    if result in {"-", "not tried"}:
        return result
    number = _number(result)
    return "fails" if number is None else _short(number)


def _short(number: float) -> str:
    return f"{number:.0e}" if number else "0"


def _number(result: str) -> float | None:
    return float(result) if re.fullmatch(r"[-+.e\d]+|inf|nan", result) and result != "-" else None
