from __future__ import annotations

import re
from pathlib import Path

import pytest

from compat_hub.sources import settings

ROOT = Path(__file__).parents[2]


def test_the_documentation_lists_the_variables_and_defaults() -> None:
    rows = re.findall(
        r"^\| `([A-Z_0-9]+)` \|.*\| ([^|]*) \|$",
        (ROOT / "docs/handles.md").read_text("utf-8"),
        re.MULTILINE,
    )
    source = Path(settings.__file__).read_text("utf-8")
    assert {name for name, _ in rows} == set(re.findall(r'"((?:TFHUB|COMPAT_HUB)_\w+)"', source))
    web, archive = (
        settings.WebLimits.from_environment(),
        settings.ArchiveLimits.from_environment(),
    )
    defaults = {
        "COMPAT_HUB_TIMEOUT": web.timeout,
        "COMPAT_HUB_RETRIES": web.retries,
        "COMPAT_HUB_LOCK_TIMEOUT": settings.lock_timeout(),
        "COMPAT_HUB_MAX_BYTES": archive.size,
        "COMPAT_HUB_MAX_FILES": archive.entries,
        "COMPAT_HUB_MAX_RATIO": archive.ratio,
    }
    for name, text in rows:
        if name in defaults:
            assert float(text.split()[0]) == defaults[name], name


@pytest.mark.parametrize(
    ("value", "expected"), [("", None), ("1", True), ("yes", True), ("0", False), ("False", False)]
)
def test_progress(monkeypatch: pytest.MonkeyPatch, value: str, expected: bool | None) -> None:
    monkeypatch.setenv("TFHUB_DOWNLOAD_PROGRESS", value)
    assert settings.wants_progress() is expected
