from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import tensorflow as tf

import compat_hub
from compat_hub import ResolveError
from compat_hub.sources import digests
from tests.records import FIXTURES
from tests.sources.server import Server, archive_of, file

_FRUIT = str(FIXTURES / "fruit" / "module")


def test_it_is_what_coreutils_compute(tmp_path: Path) -> None:
    for name in ["b", "a/b", "a.b", "Z", "é", "with space", "back\\slash", "a/c/d"]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    command = r"find . -type f -printf '%P\n' | LC_ALL=C sort | xargs -d '\n' sha256sum | sha256sum"
    found = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert digests.digest_of(str(tmp_path)) == found.split()[0]


def test_names_and_contents_count(tmp_path: Path) -> None:
    found = set()
    for name, text in [("a", "x"), ("b", "x"), ("a", "y")]:
        folder = tmp_path / f"{name}{text}"
        folder.mkdir()
        (folder / name).write_text(text)
        found.add(digests.digest_of(str(folder)))
    assert len(found) == 3


def test_on_a_filesystem_of_tensorflow() -> None:
    for path in Path(_FRUIT).rglob("*"):
        if path.is_file():
            target = f"ram://digests/module/{path.relative_to(_FRUIT).as_posix()}"
            tf.io.gfile.makedirs(target.rpartition("/")[0])
            tf.io.gfile.copy(str(path), target)
    assert digests.digest_of("ram://digests/module") == digests.digest_of(_FRUIT)


def test_load_checks(tmp_path: Path) -> None:
    digest = digests.digest_of(_FRUIT)
    for text in digest, digest.upper(), f"sha256:{digest}":
        assert compat_hub.load(_FRUIT, sha256=text).variables
    with pytest.raises(ResolveError, match="has changed") as caught:
        compat_hub.load(_FRUIT, sha256="0" * 64)
    assert digest in str(caught.value)
    assert repr(_FRUIT) in str(caught.value)
    for text in "", "abc", digest[:-1], digest + "0":
        with pytest.raises(ResolveError, match="not a SHA-256"):
            compat_hub.load(_FRUIT, sha256=text)
    with pytest.raises(ResolveError, match="pass the handle"):
        compat_hub.load(compat_hub.load_module_spec(_FRUIT), sha256=digest)


def test_the_archive_and_the_folder_have_one_digest(server: Server, cache: Path) -> None:
    handle = server.url("/m", file(archive_of("fruit")))
    digest = digests.digest_of(_FRUIT)
    assert compat_hub.load(handle, sha256=digest).variables
    path = Path(compat_hub.resolve(handle))
    lines = Path(f"{path}.sha256").read_text().splitlines()
    assert lines[0] == f"{digest}  {handle}"
    names = sorted(p.relative_to(path).as_posix() for p in Path(path).rglob("*") if p.is_file())
    assert [line[66:] for line in lines[1:]] == names
    with (path / "saved_model.pb").open("ab") as changed:
        changed.write(b"\0")
    with pytest.raises(ResolveError, match="has changed"):
        compat_hub.load(handle, sha256=digest)


def test_a_file_of_known_digests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = tmp_path / "known"
    digests.write_known(str(known), {_FRUIT: digests.digest_of(_FRUIT), "another": "0" * 64})
    assert digests.read_known(str(known))["another"] == "0" * 64
    monkeypatch.setenv("COMPAT_HUB_DIGESTS", str(known))
    for function in compat_hub.resolve, compat_hub.load, compat_hub.load_module_spec:
        function(_FRUIT)
        function(str(FIXTURES / "pets" / "module"))  # not listed
    known.write_text(f"# a comment\n\n{'0' * 64} {_FRUIT}\n")
    for function in compat_hub.resolve, compat_hub.load, compat_hub.load_module_spec:
        with pytest.raises(ResolveError, match="has changed"):
            function(_FRUIT)


@pytest.mark.parametrize("text", ["abc handle\n", "0" * 64 + "\n", "handle\n"])
def test_files_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    known = tmp_path / "known"
    monkeypatch.setenv("COMPAT_HUB_DIGESTS", str(known))
    with pytest.raises(ResolveError, match="cannot be read"):
        compat_hub.resolve(_FRUIT)
    known.write_text(f"# comment\n{text}")
    with pytest.raises(ResolveError, match="line 2"):
        compat_hub.resolve(_FRUIT)
