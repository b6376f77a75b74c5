"""The figures as a table in a page."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from tests.written_parts import with_written

_BEGIN = "<!-- Written by `python -m benchmarks`. -->"


def write_table(lines: Sequence[dict[str, Any]], page: Path) -> None:
    """Writes the figures into a page, which has a place for them."""
    rows = ["| | module | measured | target | |", "| --- | --- | --- | --- | --- |"]
    before = None
    for line in lines:
        unit = line["unit"] if line["unit"] in ("x", "%") else f" {line['unit']}"
        limit = "" if line["limit"] is None else f"{line['limit']:.2f}{unit}"
        holds = "" if line["limit"] is None else "met" if line["holds"] else "**not met**"
        what = "" if line["what"] == before else line["what"]
        before = line["what"]
        rows.append(f"| {what} | {line['case']} | {line['figure']:.2f}{unit} | {limit} | {holds} |")
    when = f"{datetime.date.today()}, TensorFlow {tf.__version__}, {_processor()}."
    text = page.read_text(encoding="utf-8")
    page.write_text(
        with_written(text, _BEGIN, "\n".join([f"Measured {when}", "", *rows, ""])), encoding="utf-8"
    )


def _processor() -> str:
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    names = re.findall(r"model name\s*: (.*)", text)
    return f"{len(names)} cores of an {names[0]}" if names else "an unknown processor"
