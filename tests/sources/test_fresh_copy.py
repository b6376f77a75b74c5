from __future__ import annotations

import shutil

import pytest

import compat_hub
from compat_hub.sources.fresh_copy import fresh_copy


@pytest.mark.parametrize(
    ("handle", "advice"),
    [
        ("https://tfhub.dev/google/elmo/3", "cache clear https://tfhub.dev/google/elmo/3`"),
        ("https://host/m?a=1&b=2", "cache clear 'https://host/m?a=1&b=2'`"),
        ("modules/elmo.tar.gz", "cache clear modules/elmo.tar.gz`"),
        ("gs://bucket/elmo", "the whole folder"),
        ("modules/elmo", "the whole folder"),
    ],
)
def test_where_a_copy_comes_from(handle: str, advice: str) -> None:
    assert advice in fresh_copy(handle)
    assert "fresh copy" in fresh_copy(handle)


def test_a_half_copied_archive_names_the_cache(copy_of, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    copy = copy_of("fruit")
    shutil.rmtree(copy.file("variables"))
    archive = shutil.make_archive(str(tmp_path / "half"), "gztar", copy.path)
    with pytest.raises(compat_hub.CheckpointError, match=r"compat-hub cache clear .*half\.tar\.gz"):
        compat_hub.load(archive)
