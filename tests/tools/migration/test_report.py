from __future__ import annotations

import json

from compat_hub.tools.migration.report import FileReport, MigrationReport, Use

_GOOD = Use(3, 1, "hub.Module(p)", "unchanged", "hub.Module(p)", "hub.load(p)", "Note.")
_BAD = Use(4, 5, "hub.bogus", "unavailable", cell=2)


def test_what_passes() -> None:
    assert MigrationReport("a", (), 0).passed
    assert MigrationReport("a", (FileReport("a.py", (_GOOD,)),), 1).passed
    assert not MigrationReport("a", (FileReport("a.py", (_GOOD, _BAD)),), 1).passed
    broken = MigrationReport("a", (FileReport("a.py", error="Broken."),), 1)
    assert (broken.passed, broken.errors) == (False, ("Broken.",))


def test_as_text_and_as_json() -> None:
    report = MigrationReport("a", (FileReport("a.py", (_GOOD, _BAD), written=True),), 1)
    assert str(report).splitlines() == [
        "a.py",
        "  3:1  unchanged    hub.Module(p)",
        "      in TF2  hub.load(p)",
        "      Note.",
        "  cell 2, 4:5  unavailable  hub.bogus",
        "  The imports were rewritten.",
        "1 file read, 2 uses: 1 unchanged, 1 unavailable",
    ]
    facts = json.loads(json.dumps(report.to_dict()))
    assert facts["files"][0]["uses"][0]["tf2"] == "hub.load(p)"
    assert facts["passed"] is False
