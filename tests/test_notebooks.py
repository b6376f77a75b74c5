"""The notebooks run from a clean kernel, and what is committed is whole and clean."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from notebooks import executing

PATHS = executing.paths()
_PATH_OF_A_MACHINE = re.compile(
    r"/(?:home|root|tmp|work|usr|opt|var|private|Users|mnt|content)/|[A-Z]:\\\\"
)
_NOISE = re.compile(r"WARNING|Warning:|INFO:|DEPRECAT|\x1b\[")


@pytest.fixture(params=PATHS, ids=lambda path: path.stem)
def path(request: pytest.FixtureRequest) -> Path:
    return request.param


def _code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _check_outputs(notebook: NotebookNode) -> None:
    """Checks that all cells ran in order, and what is shown of them."""
    cells = _code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    for output in outputs:
        assert output.output_type in {"stream", "display_data", "execute_result"}
        assert output.get("name", "stdout") == "stdout", output.text
        texts = [output.get("text", ""), *output.get("data", {}).values()]
        for text in texts[:1] + [t for t in texts[1:] if not _is_base64(t)]:
            assert not _PATH_OF_A_MACHINE.search(text), text
            assert not _NOISE.search(text), text
    assert any("image/png" in output.get("data", {}) for output in outputs)


def _is_base64(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9+/=\s]{1000,}", text) is not None


def _kinds(notebook: NotebookNode) -> list[list[object]]:
    """What kinds of outputs each cell has."""
    return [
        [sorted(output.data) if "data" in output else output.output_type for output in cell.outputs]
        for cell in _code_cells(notebook)
    ]


def test_their_numbers_have_no_gaps() -> None:
    assert [path.name[:3] for path in PATHS] == [f"{k:02}_" for k in range(1, len(PATHS) + 1)]


def test_it_runs_from_a_clean_kernel(path: Path, tmp_path: Path) -> None:
    notebook = executing.read(path)
    kinds = _kinds(notebook)
    assert executing.execute(notebook, tmp_path) == ""
    _check_outputs(notebook)
    assert _kinds(notebook) == kinds, f"run: python -m notebooks {path.stem[:2]}"
    assert not list(tmp_path.iterdir()), "it writes into the folder that it is started in"


def test_what_is_committed(path: Path) -> None:
    notebook = executing.read(path)
    _check_outputs(notebook)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert not any(cell.metadata for cell in notebook.cells)
    written = nbformat.writes(notebook) + "\n"
    assert path.read_text(encoding="utf-8") == written, "it was not written by python -m notebooks"


def test_links(path: Path) -> None:
    texts = [cell.source for cell in executing.read(path).cells if cell.cell_type == "markdown"]
    links = re.findall(r"\]\(([^)#]+)", "\n".join(texts))
    local = [link for link in links if not link.startswith("https://")]
    assert local
    assert [link for link in local if not (path.parent / link).exists()] == []


def test_pages_name_each_notebook() -> None:
    for page in executing.FOLDER / "README.md", executing.FOLDER.parent / "docs/notebooks.md":
        named = re.findall(r"\b\d\d_\w+(?=\]|\.ipynb`)", page.read_text(encoding="utf-8"))
        assert named == [path.stem for path in PATHS], page.name
