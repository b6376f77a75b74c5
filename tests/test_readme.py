"""The README's examples run, and print what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from compat_hub.samples import sample_path
from tests.examples import run_examples

README = Path(__file__).parents[1] / "README.md"


def test_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_examples(README, {sample_path("pets"): "path/to/pets"})
