"""Renders the notebooks as pages of the site, with their outputs and plots."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files
from nbconvert import MarkdownExporter

_NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def on_files(files: Files, config: Any) -> Files:
    """Adds a page for each notebook, and its pictures beside it."""
    for path in sorted(_NOTEBOOKS.glob("*.ipynb")):
        name = f"notebooks/{path.stem}"
        text, resources = MarkdownExporter().from_filename(
            str(path), {"output_files_dir": f"{path.stem}_files", "unique_key": path.stem}
        )
        # Links of a notebook are those of the repository.
        text = re.sub(r"(\]\(\w+)\.ipynb", r"\1.md", text).replace("](../docs/", "](../")
        files.append(File.generated(config, f"{name}.md", content=text))
        for file, content in resources["outputs"].items():
            files.append(File.generated(config, f"notebooks/{file}", content=content))
    return files
