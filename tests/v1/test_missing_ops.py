from __future__ import annotations

import compat_hub
from tests.records import FIXTURES


def test_in_loops_and_branches_of_a_graph() -> None:
    """What takes the place of an op is in its loop, so that a session has its gradients."""
    report = compat_hub.verify(str(FIXTURES / "resampler" / "module"))
    assert report.passed, report
    assert any(check.kind == "gradient" for check in report.checks)
