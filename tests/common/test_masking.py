"""No password that a handle has is in a file, a message or a report."""

from __future__ import annotations

import json
import os
import shutil
import stat
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

import compat_hub
from compat_hub.cli.main import main
from compat_hub.common.masking import masked
from compat_hub.sources import cache_layout
from compat_hub.sources import resolve as _resolve
from tests.sources.server import Server, archive_of, file, running, status

_SECRETS = ("s3cret", "t0ken")


@pytest.mark.parametrize(
    ("text", "expected"),
    {
        "https://me:s3cret@host/m": "https://me:***@host/m",
        "https://me:s3:c@r@et@host/m@2": "https://me:***@host/m@2",
        "https://me:s3/cr?et#@host/m": "https://me:***@host/m",
        "https://t0ken@host/m": "https://***@host/m",
        "https://t0ken:@host/m": "https://***@host/m",
        "https://t0ken:x-oauth-basic@host/m": "https://***@host/m",
        "s3://key:s3cret@bucket/m": "s3://key:***@bucket/m",
        "'https://me:s3cret@host/m' and http://u:t0ken@h": "'https://me:***@host/m' and http://u:***@h",
        "https://host/m?a=1&token=t0ken&b=2#c": "https://host/m?a=1&token=***&b=2#c",
        "https://host/m?X-Amz-Signature=t0ken&X-Amz-Credential=k": (
            "https://host/m?X-Amz-Signature=***&X-Amz-Credential=***"
        ),
        "https://host/m?sv=2&sig=t0ken%3D": "https://host/m?sv=2&sig=***",
    }.items(),
)
def test_what_is_masked(text: str, expected: str) -> None:
    assert masked(text) == expected
    assert masked(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "https://tfhub.dev/google/elmo/3",
        "https://host:8080/scope/@name/1",
        "https://[::1]:80/a@b",
        "https://host/m?key=1&format=2",
        "path/to/me:secret@host",
        "gs://bucket/module@2",
        "",
    ],
)
def test_what_is_not(text: str) -> None:
    assert masked(text) == text


@pytest.fixture
def server():
    with running() as server:
        yield server


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("COMPAT_HUB_RETRIES", "0")
    monkeypatch.setattr(_resolve, "_unmasked", {})
    return tmp_path / "cache"


def _with_password(url: str) -> str:
    return url.replace("//", "//me:s3cret@") + "?token=t0ken"


def _has_none(text: str) -> None:
    assert not any(secret in text for secret in _SECRETS), text


def test_files_of_the_cache(server: Server, cache: Path) -> None:
    handle = _with_password(server.url("/m", file(archive_of())))
    before = os.umask(0)
    try:
        folder = compat_hub.resolve(handle)
    finally:
        os.umask(before)
    assert folder == cache_layout.module_directory(str(cache), handle)  # as tensorflow_hub calls it
    beside = [path for path in cache.iterdir() if path.is_file()]
    assert len(beside) == 2
    for path in beside:
        _has_none(path.read_text())
        assert "me:***@" in path.read_text()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_a_module_says(server: Server, cache: Path, tmp_path: Path) -> None:
    handle = _with_password(server.url("/m", file(archive_of())))
    module = compat_hub.load(handle)
    layer = compat_hub.keras3.KerasLayer(handle)
    for text in (
        repr(module),
        repr(module.spec),
        module.spec._repr_html_(),
        json.dumps(layer.get_config()),
        json.dumps(compat_hub.inspect(handle).to_dict()),
        repr(compat_hub.inspect(handle)),
        *map(
            _message, [lambda: module(3), lambda: module(signature="x"), lambda: module({"a": 1})]
        ),
        _message(lambda: compat_hub.load(handle, sha256="0" * 64)),
        _message(lambda: compat_hub.load(handle, tags="x")),
        _message(lambda: compat_hub.KerasLayer(handle, output_key="x", signature="y")),
    ):
        _has_none(text)


def _message(call: Callable[[], object]) -> str:
    with pytest.raises(compat_hub.HubError) as caught:
        call()
    return "".join(traceback.format_exception(caught.value)) + repr(caught.value)


def test_errors_of_downloads(server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPAT_HUB_TIMEOUT", "0.5")
    server.url("/busy", status(503))
    server.url("/page", file(b"<html>no</html>"))
    server.url("/damaged", file(archive_of()[:-100]))
    server.url("/unsafe", file(archive_of(prefix="../")))
    for path in "/none", "/busy", "/page", "/damaged", "/unsafe":
        _has_none(_message(lambda path=path: compat_hub.load(_with_password(server.url(path)))))
    for handle in (
        "https://me:s3cret@127.0.0.1:1/m?token=t0ken",
        "https://me:s3cret@host:port/m?token=t0ken",
        "https://me:s3 cret@127.0.0.1/m?token=t0ken",
        "https://me:s3/cret@127.0.0.1/m?token=t0ken",
        "https://me:s3cret@/m",
        "s3+x://me:s3cret@bucket/m",
    ):
        _has_none(_message(lambda handle=handle: compat_hub.load(handle)))
    monkeypatch.setenv("TFHUB_MODEL_LOAD_FORMAT", "UNCOMPRESSED")
    _has_none(_message(lambda: compat_hub.load(_with_password(server.url("/page")))))


def test_the_commands(server: Server, cache: Path, tmp_path: Path) -> None:
    handle = _with_password(server.url("/m", file(archive_of())))
    folder = compat_hub.resolve(handle)
    # As tensorflow_hub writes it.
    Path(cache_layout.descriptor_file(folder)).write_text(f"Module: {handle}\nDownload Time: 2024")
    known = str(tmp_path / "known")
    for command in (
        ["cache", "list"],
        ["cache", "list", "--json"],
        ["cache", "verify", handle],
        ["cache", "verify", "--digests", known, "--write"],
        ["cache", "verify", "--json", masked(handle)],
        ["inspect", handle],
        ["convert", handle, str(tmp_path / "out"), "--json"],
        ["convert", handle, str(tmp_path / "out")],
        ["cache", "clear", f"{handle}x"],
        ["cache", "clear", handle, "--json"],
    ):
        result = CliRunner().invoke(main, command)
        _has_none(result.output)
        assert "***" in result.output or command[:1] == ["convert"] or "--json" in command, command
    assert not os.path.exists(folder)
    _has_none(Path(known).read_text())


def test_known_digests(
    server: Server, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = _with_password(server.url("/m", file(archive_of())))
    compat_hub.resolve(handle)
    for name in handle, masked(handle):
        (tmp_path / "known").write_text(f"{'0' * 64}  {name}\n")
        monkeypatch.setenv("COMPAT_HUB_DIGESTS", str(tmp_path / "known"))
        with pytest.raises(compat_hub.ResolveError, match="it has changed"):
            compat_hub.resolve(handle)


def test_a_handle_without_its_password(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = _with_password(server.url("/m", file(archive_of())))
    layer = compat_hub.keras3.KerasLayer(handle)
    config = layer.get_config()
    assert config["handle"] == masked(handle)
    shutil.rmtree(cache)
    folder = compat_hub.resolve(masked(handle))  # this process knows it
    monkeypatch.setattr(_resolve, "_unmasked", {})
    assert compat_hub.resolve(masked(handle)) == folder  # another one finds it in the cache
    shutil.rmtree(cache)
    with pytest.raises(compat_hub.ResolveError, match="in the place of a password"):
        compat_hub.resolve(masked(handle))


def test_a_saved_model_is_given_its_password(
    server: Server, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    handle = _with_password(server.url("/m", file(archive_of())))
    layer = compat_hub.keras3.KerasLayer(handle)
    name = str(tmp_path / "model.keras")
    keras.Sequential([keras.Input([5]), layer]).save(name)
    keras.models.load_model(name)  # from the cache, as this program knows it
    monkeypatch.setattr(_resolve, "_unmasked", {})
    keras.models.load_model(name)  # by what the cache says
    shutil.rmtree(cache)
    with pytest.raises(compat_hub.HubError) as caught:
        keras.models.load_model(name)
    assert "custom_objects" in str(caught.value)
    keras.models.load_model(name, custom_objects={masked(handle): handle})
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert b"s3cret" not in path.read_bytes()
