from __future__ import annotations

from pathlib import Path

import pytest

import compat_hub
from compat_hub.samples import sample_path
from tests.records import FIXTURES

SAMPLES = ["pets", "words"]
_MAX_BYTES = 60_000


def _files(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_the_fixture_of_its_name(name: str) -> None:
    files = _files(Path(sample_path(name)))
    assert files == _files(FIXTURES / name / "module")
    assert sum(map(len, files.values())) < _MAX_BYTES


@pytest.mark.parametrize("name", ["fruit", "", "..", "pets/variables"])
def test_unknown_samples(name: str) -> None:
    with pytest.raises(compat_hub.ResolveError, match="It has: pets, words"):
        sample_path(name)
