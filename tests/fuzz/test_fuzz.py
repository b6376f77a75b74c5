"""300 mutants: what `python -m tests.fuzz` does with 10,000."""

from __future__ import annotations

import collections
import json

from tests.fuzz.__main__ import FINDINGS
from tests.fuzz.runner import run


def test_mutants() -> None:
    results = list(run(range(300), seed=0, most_bytes=15000))
    findings = [r for r in results if r["outcome"] in FINDINGS]
    assert not findings, json.dumps(findings, indent=2)
    counts = collections.Counter(r["outcome"] for r in results)
    # It tries something: a test that refuses all would find nothing.
    assert counts["refused"] > 50
    assert counts["works"] > 50
