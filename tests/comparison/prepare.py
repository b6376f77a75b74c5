"""What the probes need besides the fixtures, written with compat_hub."""

from __future__ import annotations

from pathlib import Path

import compat_hub
from tests.records import FIXTURES
from tests.tools.inspection.modules import reading_files


def prepare(folder: Path) -> None:
    """Writes a converted module, and one that reads a file, unless they are there."""
    if not (folder / "converted").exists():
        pets = str(FIXTURES / "pets/module")
        compat_hub.convert(pets, str(folder / "converted"), signatures=["fruit_to_pet"])
    if not (folder / "reading_files").exists():
        reading_files(folder / "reading_files")
