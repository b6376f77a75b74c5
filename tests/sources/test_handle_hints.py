"""An error about a handle says what to pass, and that works."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import compat_hub
from compat_hub.sources import handle_hints
from tests.copies import ModuleCopy
from tests.sources.server import running, status


def _advised(handle: str | Path) -> str:
    """What the error says to pass."""
    with pytest.raises(compat_hub.HubError) as caught:
        compat_hub.load(handle)
    found = re.search(r"pass '([^']+)'", str(caught.value))
    assert found, caught.value
    return found[1]


def test_a_folder_one_level_up(copy_of: Callable[..., ModuleCopy], tmp_path: Path) -> None:
    copy = copy_of("fruit", "exports/module")
    (tmp_path / "exports" / "README.md").touch()
    (tmp_path / "exports" / "records").mkdir()
    for use in compat_hub.load_module_spec, compat_hub.KerasLayer, compat_hub.inspect:
        with pytest.raises(compat_hub.ModuleFormatError, match=re.escape(repr(copy.path))):
            use(tmp_path / "exports")
    assert compat_hub.load(_advised(tmp_path / "exports")).get_signature_names()
    assert compat_hub.load(_advised(f"{tmp_path}/exports/")).get_signature_names()


def test_several_modules(copy_of: Callable[..., ModuleCopy], tmp_path: Path) -> None:
    for k in range(5):
        copy_of("fruit", f"exports/170000000{k}")
    with pytest.raises(compat_hub.ModuleFormatError, match=r"1700000000' or '.*5 folders in it"):
        compat_hub.load(tmp_path / "exports")


@pytest.mark.parametrize(
    "part", ["variables", "saved_model.pb", "tfhub_module.pb", "variables/variables.index"]
)
def test_a_part_of_a_module(
    part: str, copy_of: Callable[..., ModuleCopy], monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = copy_of("fruit")
    assert _advised(copy.file(part)) == copy.path
    monkeypatch.chdir(copy.path)
    assert _advised(part) == "."


def test_folders_without_a_module(tmp_path: Path) -> None:
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    (tmp_path / "a" / "file").touch()
    with pytest.raises(compat_hub.ModuleFormatError) as caught:
        compat_hub.load(tmp_path / "a")
    assert " pass " not in str(caught.value)


@pytest.mark.parametrize(
    ("handle", "expected"),
    {
        "google/nnlm/tensorFlow1/en-dim128/1": "https://www.kaggle.com/models/{}",
        "google/nnlm/TensorFlow1/en-dim128": "https://www.kaggle.com/models/{}",
        "models/google/nnlm/tensorFlow1/en-dim128/1": "https://www.kaggle.com/{}",
        "www.kaggle.com/models/google/nnlm/TensorFlow1/en-dim128/1": "https://{}",
        "tfhub.dev/google/nnlm-en-dim128/1": "https://{}",
        "google/nnlm-en-dim128/1": "https://tfhub.dev/{}",
        "google/imagenet/inception_v3/feature_vector/1": "https://tfhub.dev/{}",
    }.items(),
)
def test_handles_of_hosts(handle: str, expected: str) -> None:
    assert _advised(handle) == expected.format(handle)


@pytest.mark.parametrize("handle", ["path/to/module", "module", "/tmp/none/1x", "a/b.tar.gz", "1"])
def test_other_paths(handle: str) -> None:
    with pytest.raises(compat_hub.ResolveError) as caught:
        compat_hub.load(handle)
    assert "pass '" not in str(caught.value)


def test_a_path_that_exists_is_no_handle_of_a_host(
    copy_of: Callable[..., ModuleCopy], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_of("fruit", "google/nnlm/tensorFlow1/en-dim128/1")
    monkeypatch.chdir(tmp_path)
    assert compat_hub.load("google/nnlm/tensorFlow1/en-dim128/1").get_signature_names()


@pytest.mark.parametrize(
    ("handle", "words"),
    {
        "https://tfhub.dev/google/nnlm-en-dim128/1": "are on Kaggle today",
        "http://www.tfhub.dev/google/nnlm-en-dim128/1": "are on Kaggle today",
        "https://www.kaggle.com/models/google/nnlm": "has owner, model, framework",
        "https://www.kaggle.com/models/google/nnlm/TensorFlow1/en-dim128/1": None,
        "https://example.com/m": None,
        "https://[": None,
    }.items(),
)
def test_addresses(handle: str, words: str | None) -> None:
    hint = handle_hints.hint_for_address(handle)
    assert hint is None if words is None else words in str(hint)


def test_errors_of_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(
        "compat_hub.sources.resolve.hint_for_address", lambda handle: f"Not {handle}."
    )
    with running() as server:
        url = server.url("/m", status(404))
        with pytest.raises(compat_hub.ResolveError, match=f"answered 404.* Not {url}."):
            compat_hub.resolve(url)
