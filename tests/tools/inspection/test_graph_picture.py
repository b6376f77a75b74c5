from __future__ import annotations

from pathlib import Path

import pytest

import compat_hub
from compat_hub.tools.inspection.graph_picture import Box, Picture, draw
from tests.tools.inspection import modules

pytest.importorskip("networkx")


def _overlap(a: Box, b: Box) -> bool:
    return (
        a.x < b.x + b.width
        and b.x < a.x + a.width
        and a.y < b.y + b.height
        and b.y < a.y + a.height
    )


def _check(picture: Picture) -> None:
    boxes = picture.boxes
    assert not any(_overlap(a, b) for k, a in enumerate(boxes) for b in boxes[:k])
    assert all(b.x >= 0 and b.x + b.width <= picture.width for b in boxes)
    assert all(b.y >= 0 and b.y + b.height <= picture.height for b in boxes)


@pytest.mark.parametrize("name", ["pets", "while_rnn", "text_table", "constant"])
def test_of_fixtures(name: str, fixture_path) -> None:
    for variant in compat_hub.load_module_spec(fixture_path(name)).variants.values():
        picture = draw(variant)
        _check(picture)
        labels = {box.label for box in picture.boxes if box.kind in {"input", "output"}}
        signatures = variant.signatures.values()
        assert labels >= {name for s in signatures for name in s.inputs}


def test_scopes_and_their_order(fixture_path) -> None:
    picture = draw(compat_hub.load_module_spec(fixture_path("image_bn")).variant())
    boxes = {box.name: box for box in picture.boxes}
    assert boxes["images"].kind == "input"
    trainable = [box for box in picture.boxes if box.kind == "trainable"]
    assert trainable
    assert all("parameters" in box.remark for box in trainable)
    assert boxes["images"].y < boxes["default"].y
    assert not any(arrow.is_back for arrow in picture.arrows)


def test_a_large_graph_has_few_boxes(tmp_path: Path) -> None:
    spec = compat_hub.load_module_spec(modules.large(tmp_path / "module", 60))
    picture = draw(spec.variant())
    _check(picture)
    assert len(picture.boxes) <= 31
