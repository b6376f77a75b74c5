"""Handles on the web: what is asked of a server, and what becomes of its answer."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from compat_hub import ResolveError
from compat_hub.sources import cache_layout, kaggle, tfhub_servers
from tests.records import FIXTURES
from tests.sources.server import Server, archive, archive_of, broken_off, file, redirect, status

_MODULE = FIXTURES / "fruit" / "module"


def _files(folder: str | Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in Path(folder).rglob("*")
        if path.is_file()
    }


def _queries(server: Server) -> list[str]:
    return [path.partition("?")[2] for path, _ in server.asked]


def test_a_module_on_a_hosting_server(server: Server, cache: Path) -> None:
    handle = server.url("/google/fruit/1", redirect("/storage/m"))
    server.url("/storage/m", file(archive_of("fruit")))
    path = compat_hub.resolve(handle)
    assert path == cache_layout.module_directory(str(cache), handle)
    assert _files(path) == _files(_MODULE)
    assert _queries(server) == ["tf-hub-format=compressed", ""]
    for function in compat_hub.load, compat_hub.load_module_spec:
        assert function(handle) is not None
    assert len(server.asked) == 2
    beside = {path.name for path in cache.iterdir()}
    name = Path(path).name
    assert beside == {name, f"{name}.descriptor.txt", f"{name}.sha256"}


def test_it_computes_what_the_module_does(server: Server, cache: Path) -> None:
    module = compat_hub.load(server.url("/m", file(archive_of("fruit"))))
    expected = compat_hub.load(str(_MODULE))
    inputs = {
        name: np.ones([2, info.get_shape()[1]], "float32")
        for name, info in module.get_input_info_dict("fruit_to_pet").items()
    }
    for name, value in module(inputs, "fruit_to_pet", as_dict=True).items():
        np.testing.assert_array_equal(value, expected(inputs, "fruit_to_pet", as_dict=True)[name])


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("", "tf-hub-format=compressed"),
        ("?", "tf-hub-format=compressed"),
        ("?a=b%2Fc&d", "a=b%2Fc&d&tf-hub-format=compressed"),
        ("?tf-hub-format=compressed", "tf-hub-format=compressed"),
        ("?a=b#part", "a=b&tf-hub-format=compressed"),
    ],
)
def test_the_query(server: Server, cache: Path, query: str, asked: str) -> None:
    compat_hub.resolve(server.url("/m", file(archive_of())) + query)
    assert _queries(server) == [asked]


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tgz"])
def test_the_address_of_an_archive(server: Server, cache: Path, suffix: str) -> None:
    data = archive_of("fruit", "w:" if suffix == ".tar" else "w:gz")
    handle = server.url(f"/m{suffix}", file(data))
    assert _files(compat_hub.resolve(handle)) == _files(_MODULE)


def test_a_file_server_that_minds_the_query(server: Server, cache: Path) -> None:
    handle = server.url("/m.tar.gz?key=1", status(403), file(archive_of("fruit")))
    assert _files(compat_hub.resolve(handle)) == _files(_MODULE)
    assert _queries(server) == ["key=1&tf-hub-format=compressed", "key=1"]
    with pytest.raises(ResolveError, match="404"):
        compat_hub.resolve(server.url("/none.tar.gz"))


def test_a_page_instead_of_a_module(server: Server, cache: Path) -> None:
    handle = server.url("/m", file(b"<html><title>Welcome</title>"))
    with pytest.raises(ResolveError, match="<html><title>Welcome") as caught:
        compat_hub.resolve(handle)
    assert handle in str(caught.value)
    assert not cache.exists()


def test_a_failed_download_can_be_tried_again(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPAT_HUB_RETRIES", "0")
    data = archive_of("fruit")
    hostile = archive({"saved_model.pb": b"x", "../evil": b"x"})
    answers = [broken_off(data, 100), file(hostile), file(data[:-50]), status(500), file(data)]
    handle = server.url("/m", *answers)
    for _ in range(4):
        with pytest.raises(ResolveError):
            compat_hub.resolve(handle)
        assert not cache.exists()
    assert _files(compat_hub.resolve(handle)) == _files(_MODULE)


@pytest.mark.parametrize("handle", ["http://a b/m", "https://x/m\n", "http://x/\udcff", "HTTP://"])
def test_handles_that_are_no_addresses(handle: str, cache: Path) -> None:
    with pytest.raises(ResolveError):
        compat_hub.resolve(handle)
    assert not cache.exists()


# The uncompressed format ----------------------------------------------------------------------


@pytest.fixture
def uncompressed(monkeypatch: pytest.MonkeyPatch) -> str:
    """A module on a remote filesystem, and the setting by which servers tell where."""
    monkeypatch.setenv("TFHUB_MODEL_LOAD_FORMAT", "UNCOMPRESSED")
    for name, data in _files(_MODULE).items():
        path = f"ram://uncompressed/module/{name}"
        tf.io.gfile.makedirs(path.rpartition("/")[0])
        with tf.io.gfile.GFile(path, "wb") as target:
            target.write(data)
    return "ram://uncompressed/module"


def test_uncompressed(server: Server, cache: Path, uncompressed: str) -> None:
    handle = server.url("/m?a=b", status(303, uncompressed.encode() + b"/"))
    assert compat_hub.resolve(handle) == uncompressed
    assert compat_hub.load(handle).get_signature_names()
    assert _queries(server)[0] == "a=b&tf-hub-format=uncompressed"
    assert not cache.exists()


@pytest.mark.parametrize(
    ("location", "words"),
    [
        (b"file:///etc", "COMPRESSED"),
        (b"ram://uncompressed/missing", "does not exist"),
        (b"nosuchscheme://x/y", "nosuchscheme"),
        (b"/etc", "location of a folder"),
    ],
)
def test_uncompressed_answers_that_lead_nowhere(
    server: Server, cache: Path, uncompressed: str, location: bytes, words: str
) -> None:
    with pytest.raises(ResolveError, match=words):
        compat_hub.resolve(server.url("/m", status(200, location)))


def test_archives_are_unpacked_all_the_same(server: Server, cache: Path, uncompressed: str) -> None:
    path = compat_hub.resolve(server.url("/m.tgz", file(archive_of("fruit"))))
    assert _files(path) == _files(_MODULE)


@pytest.mark.parametrize("value", ["AUTO", "COMPRESSED"])
def test_the_compressed_formats(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("TFHUB_MODEL_LOAD_FORMAT", value)
    compat_hub.resolve(server.url("/m", file(archive_of())))
    assert _queries(server) == ["tf-hub-format=compressed"]


def test_an_unknown_format(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFHUB_MODEL_LOAD_FORMAT", "ZIP")
    with pytest.raises(ResolveError, match="AUTO, COMPRESSED or UNCOMPRESSED"):
        compat_hub.resolve("http://127.0.0.1:1/m")


# Kaggle ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://www.kaggle.com/models/a/nnlm/TensorFlow1/en/1", "a/nnlm/TensorFlow1/en/1"),
        ("https://kaggle.com/models/google/nnlm/tensorFlow1/en", "google/nnlm/tensorFlow1/en"),
        (
            "https://www.kaggle.com/models/a/b/frameworks/TensorFlow1/variations/c/versions/3?x=y",
            "a/b/TensorFlow1/c/3",
        ),
        ("https://kaggle.com/models/a/b/frameworks/TF1/variations/c", "a/b/TF1/c"),
        ("https://www.kaggle.com/models/a/b", None),
        ("https://www.kaggle.com/models/a/b/c/d/latest", None),
        ("https://www.kaggle.com/models/a/b/frameworks/c/files/d", None),
        ("https://www.kaggle.com/datasets/a/b/c/d/1", None),
        ("https://example.com/models/a/b/c/d/1", None),
        ("https://tfhub.dev/google/elmo/3", None),
    ],
)
def test_names_on_kaggle(url: str, name: str | None) -> None:
    assert kaggle.kaggle_name(url) == name


_ON_KAGGLE = "https://www.kaggle.com/models/google/nnlm/TensorFlow1/en/1"


@pytest.fixture
def kaggle_refuses(server: Server, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes a stand-in for the servers, which a test does not ask."""

    def refuse(final_url: str) -> None:
        def download(handle: str, *args: object) -> str:
            error = tfhub_servers.web.NotServedError(f"{handle!r} cannot be downloaded: 403.")
            error.url = final_url
            raise error

        monkeypatch.setattr(tfhub_servers, "_download", download)

    return refuse


@pytest.mark.parametrize("handle", [_ON_KAGGLE, "https://tfhub.dev/google/nnlm/1"])
def test_what_only_kagglehub_can_fetch(
    handle: str,
    cache: Path,
    kaggle_refuses: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kaggle_refuses(_ON_KAGGLE + "?tfhub-redirect=true")
    package = types.ModuleType("kagglehub")
    asked: list[str] = []
    package.model_download = lambda name: asked.append(name) or str(_MODULE)  # pyright: ignore
    monkeypatch.setitem(sys.modules, "kagglehub", package)
    assert _files(compat_hub.resolve(handle)) == _files(_MODULE)
    compat_hub.resolve(handle)
    assert asked == ["google/nnlm/TensorFlow1/en/1"]


def test_without_kagglehub(
    cache: Path, kaggle_refuses: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    kaggle_refuses(_ON_KAGGLE)
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(ResolveError, match="pip install 'kagglehub") as caught:
        compat_hub.resolve(_ON_KAGGLE)
    assert "cannot be downloaded: 403" in str(caught.value)
    assert not cache.exists()


def test_kagglehub_fails(
    cache: Path, kaggle_refuses: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    kaggle_refuses(_ON_KAGGLE)
    package = types.ModuleType("kagglehub")
    monkeypatch.setitem(sys.modules, "kagglehub", package)
    with pytest.raises(ResolveError, match="AttributeError") as caught:
        compat_hub.resolve(_ON_KAGGLE)
    assert "accept the model's terms" in str(caught.value)


def test_other_servers_are_none_of_kaggles_business(
    cache: Path, kaggle_refuses: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    kaggle_refuses("https://example.com/m")
    with pytest.raises(ResolveError, match="403") as caught:
        compat_hub.resolve("https://example.com/m")
    assert "kaggle" not in str(caught.value)
