from __future__ import annotations

from pathlib import Path

import compat_hub
from tests.tools.inspection import modules


def test_a_spec_shows_its_signatures(fixture_path) -> None:
    shown = compat_hub.load_module_spec(fixture_path("pets"))._repr_html_()
    assert shown.count("<table>") == 1  # both variants have the same signatures
    assert "Signatures of set() and {&quot;train&quot;}" in shown
    for text in ("fruit_to_pet", "apples", "float32 [None, 4]", "dogs"):
        assert f">{text}<" in shown


def test_what_may_be_left_out(fixture_path) -> None:
    shown = compat_hub.load_module_spec(fixture_path("hparams"))._repr_html_()
    assert ">optional<" in shown


def test_a_module_tells_of_its_variables_too(fixture_path) -> None:
    shown = compat_hub.load(fixture_path("pets"))._repr_html_()
    assert "loaded: 10 variables, 8 of them trainable" in shown
    assert "Signatures of set() and {&quot;train&quot;}" in shown
    pinned = compat_hub.load(fixture_path("pets"), tags="train")._repr_html_()
    assert "Signatures of {&quot;train&quot;}" in pinned


def test_names_are_no_code(tmp_path: Path) -> None:
    spec = compat_hub.load_module_spec(modules.hostile_names(tmp_path / "module"))
    assert "<script>" not in spec._repr_html_()
    assert "&lt;script&gt;" in spec._repr_html_()
