"""`python -m tests.kills` does more of this, with a large module."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kills import HOW, check, kill_after


@pytest.mark.parametrize("turns", [0.4, 0.9])
def test_a_process_that_is_killed_leaves_no_part_of_a_module(
    turns: float, fixture_path, tmp_path: Path
) -> None:
    path = fixture_path("text_two_assets")
    for how, write in HOW.items():
        write(path)(str(tmp_path / "references" / how))
    (tmp_path / "written").mkdir()
    kill_after(turns, path, str(tmp_path / "written"), list(HOW))
    check(tmp_path / "written", tmp_path / "references")
