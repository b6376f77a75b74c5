from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

import compat_hub
from compat_hub.tools.inspection import as_html
from tests.authoring import write_module
from tests.tools.inspection import modules

v1 = tf.compat.v1

pytest.importorskip("jinja2")
pytest.importorskip("networkx")

_VOID = {"meta", "br", "hr", "img", "input", "link"}


class _Checker(HTMLParser):
    """Keeps the elements, their attributes and the text, and checks that elements are closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"src", "href"}]
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def _read(path: Path) -> _Checker:
    checker = _Checker()
    checker.feed(path.read_text(encoding="utf-8"))
    assert checker.open == []
    return checker


def test_it_has_all_and_needs_nothing(fixture_path, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    inspection = compat_hub.inspect(fixture_path("pets"), weights=True)
    assert inspection.write_html(file) == str(file)
    found = _read(file)
    assert found.links == []
    assert not {"script", "link", "img", "iframe", "object"} & set(found.tags)
    assert "url(" not in file.read_text()
    words = " ".join(found.words.split())
    for finding in inspection.verdict:
        assert finding.text in words
    for variable in inspection.facts.variables:
        assert words.count(variable.name) >= 1
    assert found.tags.count("svg") == 2 + len(inspection.weights or ())
    assert [f.name for f in tmp_path.iterdir()] == ["page.html"]


def test_signatures_come_before_pictures_and_these_once(fixture_path, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    compat_hub.inspect(fixture_path("sentence_encoder")).write_html(file)
    words = _read(file).words
    assert words.index("Signatures of") < words.index("Picture of") < words.index("Variables")


def test_one_picture_of_variants_that_look_alike(tmp_path: Path) -> None:
    def build() -> Any:
        x = v1.placeholder(tf.float32, [None], "x")
        w = v1.get_variable("w", [], initializer=v1.ones_initializer())
        return {"default": ({"x": x}, {"default": x * w})}

    file = tmp_path / "page.html"
    path = write_module(tmp_path / "module", none=build, train=build)
    compat_hub.inspect(path).write_html(file)
    found = _read(file)
    assert found.words.count("Picture of") == 1
    assert 'Picture of set() and {"train"}' in found.words
    assert found.words.count("200 %") == 1


def test_names_are_no_code(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    inspection = compat_hub.inspect(modules.hostile_names(tmp_path / "module"))
    inspection.write_html(file)
    found = _read(file)
    assert "script" not in found.tags
    assert modules.SCRIPT in found.words
    assert "<script>" not in inspection._repr_html_()


def test_a_plain_saved_model_has_a_page(tmp_path: Path) -> None:
    path = modules.classes_only(tmp_path / "module")
    Path(path, "tfhub_module.pb").unlink()
    compat_hub.inspect(path, weights=True).write_html(tmp_path / "page.html")
    assert "TF1 SavedModel" in _read(tmp_path / "page.html").words


def test_a_file_that_is_there_is_replaced_or_left(fixture_path, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text("old")
    inspection = compat_hub.inspect(fixture_path("fruit"))
    inspection.write_html(file)
    assert re.match("<!DOCTYPE html>", file.read_text())
    with pytest.raises(compat_hub.ResolveError, match="folder that can be written"):
        inspection.write_html(file / "page.html")


def test_without_the_extra(fixture_path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(as_html, "_NEEDED", ("no_such_package",))
    inspection = compat_hub.inspect(fixture_path("fruit"))
    with pytest.raises(compat_hub.HubError, match="pip install 'jinja2"):
        inspection.write_html(tmp_path / "page.html")
    assert not list(tmp_path.iterdir())
