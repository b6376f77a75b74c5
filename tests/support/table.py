"""The record of the support matrix as a table of docs/support.md."""

from __future__ import annotations

from typing import Any

from tests.written_parts import with_written

BEGIN = "<!-- Written by `python -m tests.support`. -->"
_TITLES = {"tf-keras": "tf_keras", "keras": "Keras", "numpy": "numpy", "protobuf": "protobuf"}


def update(text: str, record: dict[str, Any]) -> str:
    """A page with the table put between its two marks."""
    return with_written(text, BEGIN, render(record))


def render(record: dict[str, Any]) -> str:
    """A row for each environment, and the tests that failed."""
    titles = ["TensorFlow", "Python", *_TITLES.values(), "passed", "skipped", "failed", "on"]
    lines = ["| " + " | ".join(titles) + " |", "|" + " --- |" * len(titles)]
    failures = []
    for name in sorted(record, key=_order):
        versions, tests = record[name]["versions"], record[name]["tests"]
        shown = [versions[package] for package in ("tensorflow", "Python", *_TITLES)]
        passed = sum(result["passed"] for result in tests.values())
        skipped = sum(sum(result.get("skipped", {}).values()) for result in tests.values())
        failed = [f"`{file}`: {case}" for file, r in tests.items() for case in r["failed"]]
        counts = [f"{passed:,}", f"{skipped:,}", f"{len(failed):,}"]
        lines.append("| " + " | ".join([*shown, *counts, record[name]["date"]]) + " |")
        where = f"TensorFlow {versions['tensorflow']}, Python {versions['Python']}"
        failures += [f"- {where}: {case}" for case in failed]
    if failures:
        lines += ["", "What failed:", "", *failures]
    return "\n".join(lines) + "\n"


def _order(name: str) -> tuple[int, ...]:
    """By the numbers in a name such as tf2.16-py3.11."""
    return tuple(int(n) for n in name.replace("tf", "").replace("-py", ".").split("."))
