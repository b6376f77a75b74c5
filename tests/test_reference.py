"""The API reference in docs/reference has every public name; CI builds it from the docstrings."""

from __future__ import annotations

import re
from pathlib import Path

import compat_hub

DOCS = Path(__file__).parents[1] / "docs"


def test_every_public_name_is_in_the_reference() -> None:
    pages = [page.read_text(encoding="utf-8") for page in (DOCS / "reference").glob("*.md")]
    named = set(re.findall(r"^::: compat_hub\.([\w.]+)$", "\n".join(pages), re.MULTILINE))
    errors = {name for name in compat_hub.__all__ if name.endswith("Error")}
    assert "errors" in named
    assert set(compat_hub.__all__) - errors <= named


def test_every_page_is_in_the_menu() -> None:
    menu = (DOCS.parent / "mkdocs.yml").read_text(encoding="utf-8")
    for page in DOCS.rglob("*.md"):
        assert f"- {page.relative_to(DOCS).as_posix()}\n" in menu
