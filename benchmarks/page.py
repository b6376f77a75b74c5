"""The figures as a table in a page."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

_TABLE = re.compile(r"(?<=<!-- figures -->\n).*(?=<!-- end of figures -->)", re.DOTALL)


def write_table(lines: Sequence[dict[str, Any]], page: Path) -> None:
    """Writes the figures between the page's two marks."""
    rows = ["| what | of | figure | target | |", "| --- | --- | --- | --- | --- |"]
    for line in lines:
        limit = "" if line["limit"] is None else f"{line['limit']:.2f}"
        holds = "" if line["limit"] is None else "met" if line["holds"] else "**not met**"
        rows.append(
            f"| {line['what']} | {line['case']} | {line['figure']:.2f} | {limit} | {holds} |"
        )
    when = f"{datetime.date.today()}, TensorFlow {tf.__version__}, {_processor()}."
    text = page.read_text(encoding="utf-8")
    if not _TABLE.search(text):
        raise SystemExit(f"{page} has no place for the figures.")
    table = "\n".join([f"Measured {when}", "", *rows, ""])
    page.write_text(_TABLE.sub(lambda _: table, text), encoding="utf-8")


def _processor() -> str:
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    names = re.findall(r"model name\s*: (.*)", text)
    return f"{len(names)} cores of an {names[0]}" if names else "an unknown processor"
