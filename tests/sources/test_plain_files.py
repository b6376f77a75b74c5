"""No file is read that is behind a link out of the module's folder, or that is not a plain file."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import tensorflow as tf
from click.testing import CliRunner

import compat_hub
from compat_hub.cli.main import main
from compat_hub.sources import cache_layout, digests
from compat_hub.sources.plain_files import checkpoint_files, local_path
from tests.copies import ModuleCopy

_SECRET = "the secret words\n"
# A module with a checkpoint and an asset, and each kind of file that is read of it.
_FILES = [
    "tfhub_module.pb",
    "saved_model.pb",
    "variables/variables.index",
    "variables/variables.data-00000-of-00001",
    "assets/tokens.txt",
    "variables",
    "assets",
]


@pytest.fixture(autouse=True)
def _in_time() -> Iterator[None]:
    """A FIFO that is opened hangs for ever."""

    def stop(*_: object) -> None:
        raise TimeoutError("it hangs")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def module(copy_of: Callable[..., ModuleCopy]) -> ModuleCopy:
    module = copy_of("nnlm")
    (asset,) = module.file("assets").iterdir()
    assert asset.name == "tokens.txt"
    return module


def _move_out(module: ModuleCopy, name: str) -> Path:
    """Puts a file elsewhere, and a link in its place."""
    elsewhere = module.folder.parent / "elsewhere" / name.replace("/", "_")
    elsewhere.parent.mkdir(exist_ok=True)
    shutil.move(module.file(name), elsewhere)
    module.file(name).symlink_to(elsewhere)
    return elsewhere


_USES: dict[str, Callable[[str], object]] = {
    "load": compat_hub.load,
    "load_module_spec": compat_hub.load_module_spec,
    "KerasLayer": compat_hub.KerasLayer,
    "keras3": compat_hub.keras3.KerasLayer,
    "convert": lambda path: compat_hub.convert(path, f"{path}_converted"),
    "inspect": compat_hub.inspect,
    "verify": compat_hub.verify,
    "create": compat_hub.create_module_spec_from_saved_model,
    "digest": lambda path: compat_hub.load(path, sha256="0" * 64),
}


@pytest.mark.parametrize("name", _FILES)
def test_links_that_lead_out(name: str, module: ModuleCopy) -> None:
    _move_out(module, name)
    for how, use in _USES.items():
        if how == "create" and name == "tfhub_module.pb":  # which it does not read
            continue
        with pytest.raises(compat_hub.UnsafeModuleError, match=r"link to .*elsewhere") as caught:
            use(module.path)
        assert "allow_links=True" in str(caught.value), how
    with tf.Graph().as_default(), pytest.raises(compat_hub.UnsafeModuleError):
        compat_hub.Module(module.path)


def test_links_that_are_allowed(module: ModuleCopy, tmp_path: Path) -> None:
    expected = compat_hub.load(module.path)(["a cat"]).numpy()
    for name in _FILES[:5]:
        _move_out(module, name)
    path = module.path
    spec = compat_hub.load_module_spec(path, allow_links=True)
    assert spec.allow_links
    assert compat_hub.load_module_spec(spec).allow_links
    for loaded in (
        compat_hub.load(path, allow_links=True),
        compat_hub.load(spec),
        compat_hub.KerasLayer(path, allow_links=True).resolved_object,
        compat_hub.keras3.KerasLayer(path, allow_links=True).resolved_object,
    ):
        assert loaded(["a cat"]).numpy().tolist() == expected.tolist()
    with tf.Graph().as_default():
        compat_hub.Module(spec)(["a cat"])
    compat_hub.load(spec).export(tmp_path / "exported")
    assert not any(file.is_symlink() for file in (tmp_path / "exported").rglob("*"))
    compat_hub.load(tmp_path / "exported")
    assert compat_hub.inspect(path, allow_links=True).passed
    digest = digests.digest_of(path, allow_links=True)
    compat_hub.load(path, allow_links=True, sha256=digest)
    for refused in compat_hub.load_module_spec, compat_hub.load:
        with pytest.raises(compat_hub.UnsafeModuleError):
            refused(path)


def test_commands(module: ModuleCopy, tmp_path: Path) -> None:
    _move_out(module, "assets/tokens.txt")
    for command in (
        ["inspect", module.path],
        ["run", module.path, "--input", 'default=["a"]'],
        ["convert", module.path, str(tmp_path / "out")],
        ["cache", "verify", module.path],
    ):
        refused = CliRunner().invoke(main, command)
        assert refused.exit_code == 2, command
        assert "--allow-links" in refused.output
        assert CliRunner().invoke(main, [*command, "--allow-links"]).exit_code == 0, command


def test_a_saved_file_gives_no_permission(module: ModuleCopy, tmp_path: Path) -> None:
    import keras

    _move_out(module, "assets/tokens.txt")
    layer = compat_hub.keras3.KerasLayer(module.path, allow_links=True)
    assert layer.get_config()["allow_links"] is True
    assert type(layer).from_config(layer.get_config()).resolved_object.spec.allow_links
    inputs = keras.Input([], dtype="string")
    file = str(tmp_path / "model.keras")
    keras.Model(inputs, layer(inputs)).save(file)
    with pytest.raises(compat_hub.UnsafeModuleError, match="allow_links=True"):
        keras.models.load_model(file)
    keras.models.load_model(file, safe_mode=False)


def test_links_within_the_folder(module: ModuleCopy) -> None:
    for name in _FILES[:5]:
        file = module.file(name)
        store = module.folder / "store" / name.replace("/", "_")
        store.parent.mkdir(exist_ok=True)
        shutil.move(file, store)
        file.symlink_to(os.path.relpath(store, file.parent))
    assert compat_hub.load(module.path)(["a cat"]).shape[0] == 1


def test_the_folder_itself_may_be_a_link(module: ModuleCopy, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(module.folder)
    compat_hub.load(tmp_path / "link")(["a cat"])


def _fifo(file: Path) -> None:
    os.mkfifo(file)


def _endless(file: Path) -> None:
    file.symlink_to("/dev/zero")


def _socket(file: Path) -> None:
    folder = os.open(file.parent, os.O_RDONLY)  # the path may be too long for a socket
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as made:
        made.bind(f"/proc/self/fd/{folder}/{file.name}")
    os.close(folder)


@pytest.mark.parametrize("make", [_fifo, _endless, _socket])
@pytest.mark.parametrize("name", _FILES[:5])
def test_what_is_no_plain_file(name: str, make: Callable[[Path], None], module: ModuleCopy) -> None:
    module.file(name).unlink()
    make(module.file(name))
    for how, use in _USES.items():
        if how == "create" and name == "tfhub_module.pb":
            continue
        with pytest.raises(compat_hub.HubError, match=os.path.basename(name)):
            use(module.path)
    with pytest.raises(compat_hub.ModuleFormatError, match=r"a (FIFO|device|socket), and not a"):
        compat_hub.load(module.path, allow_links=True)


@pytest.mark.parametrize("name", _FILES[:5])
def test_links_that_lead_nowhere(name: str, module: ModuleCopy) -> None:
    module.file(name).unlink()
    module.file(name).symlink_to("gone")
    with pytest.raises(compat_hub.ModuleFormatError, match=r"a link to 'gone', where nothing is"):
        compat_hub.load(module.path)


def test_what_is_changed_after_the_description_was_read(module: ModuleCopy) -> None:
    spec = compat_hub.load_module_spec(module.path)
    loaded = compat_hub.load(spec)
    secret = module.folder.parent / "secret"
    secret.write_text(_SECRET)
    module.file("assets/tokens.txt").unlink()
    module.file("assets/tokens.txt").symlink_to(secret)
    for use in (
        lambda: compat_hub.load(spec),
        lambda: compat_hub.load_module_spec(module.path),
        lambda: loaded.export(f"{module.path}_exported"),
        lambda: loaded.save(f"{module.path}_saved"),
    ):
        with pytest.raises(compat_hub.UnsafeModuleError):
            use()
    for file in module.folder.parent.rglob("*"):
        if file.is_file() and not file.is_symlink() and file != secret:
            assert _SECRET.encode() not in file.read_bytes()


@pytest.mark.parametrize(
    "name",
    [
        *("saved_model.pb", "fingerprint.pb", "assets/x", "variables/x"),
        "debug/saved_model_debug_info.pb",
    ],
)
def test_plain_saved_models(name: str, tmp_path: Path) -> None:
    obj = tf.Module()
    obj.v = tf.Variable(tf.ones([]))
    path = tmp_path / "plain"
    tf.saved_model.save(obj, str(path))
    file, secret = path / name, tmp_path / "secret"
    if file.exists():
        shutil.move(file, secret)
    else:
        secret.write_bytes(b"")
        file.parent.mkdir(exist_ok=True)
    file.symlink_to(secret)
    with pytest.raises(compat_hub.UnsafeModuleError, match="link to"):
        compat_hub.load(path)
    assert compat_hub.load(path, allow_links=True).v.numpy() == 1
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(compat_hub.ModuleFormatError, match="a FIFO"):
        compat_hub.load(path, allow_links=True)


def test_modules_in_the_cache(
    module: ModuleCopy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    handle = "https://example.com/module"
    folder = Path(cache_layout.module_directory(str(tmp_path / "cache"), handle))
    shutil.copytree(module.folder, folder)
    compat_hub.load(handle)
    (folder / "assets/tokens.txt").unlink()
    (folder / "assets/tokens.txt").symlink_to("/etc/passwd")
    with pytest.raises(compat_hub.UnsafeModuleError, match="/etc/passwd"):
        compat_hub.load(handle)
    (folder / "assets/tokens.txt").unlink()
    os.mkfifo(folder / "assets/tokens.txt")
    for use in compat_hub.load, digests.digest_of:
        with pytest.raises(compat_hub.ModuleFormatError, match="a FIFO"):
            use(handle if use is compat_hub.load else str(folder))


@pytest.mark.parametrize("make", [_fifo, _endless])
@pytest.mark.parametrize("name", ["lock", "compat_hub.lock", "sha256", "descriptor.txt"])
def test_files_of_the_cache(
    name: str,
    make: Callable[[Path], None],
    module: ModuleCopy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("COMPAT_HUB_LOCK_TIMEOUT", "1")
    handle = "https://127.0.0.1:1/module"
    folder = cache_layout.module_directory(str(tmp_path / "cache"), handle)
    shutil.copytree(module.folder, folder)
    make(Path(f"{folder}.{name}"))
    assert compat_hub.load(handle).get_signature_names()
    for command in ["list"], ["verify"], ["clear"]:
        assert CliRunner().invoke(main, ["cache", *command]).exit_code in {0, 2}  # and none hangs


@pytest.mark.parametrize("make", [_fifo, _endless])
def test_archives_that_are_no_plain_files(
    make: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    make(tmp_path / "m.tar.gz")
    with pytest.raises(compat_hub.HubError, match=r"m\.tar\.gz"):
        compat_hub.load(tmp_path / "m.tar.gz")


@pytest.mark.parametrize("make", [_fifo, _endless])
def test_assets_of_a_module_that_is_made(make: Callable[[Path], None], tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("a\nb\n")

    def module_fn() -> None:
        path = tf.constant(str(words))
        tf.compat.v1.add_to_collection(tf.compat.v1.GraphKeys.ASSET_FILEPATHS, path)
        x = tf.compat.v1.placeholder(tf.string, [None])
        init = tf.lookup.TextFileInitializer(path, tf.string, 0, tf.int64, 1)
        compat_hub.add_signature(inputs=x, outputs=tf.lookup.StaticHashTable(init, -1).lookup(x))

    spec = compat_hub.create_module_spec(module_fn)
    words.unlink()
    make(words)
    with pytest.raises(compat_hub.HubError, match=r"words.txt"):
        compat_hub.load(spec)
    with pytest.raises(compat_hub.HubError, match=r"words.txt"):
        spec.write(tmp_path / "module", None)
    assert not (tmp_path / "module").exists()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a/b", "/a/b"),
        ("/a://b", "/a://b"),
        ("a://b", "a://b"),  # as TensorFlow takes it, too
        ("a-b://c", "a-b://c"),
        ("file:///a/b", "/a/b"),
        ("file://host/a/b", "/a/b"),
        ("gs://bucket/a", None),
        ("ram://a", None),
    ],
)
def test_paths_of_this_machine(path: str, expected: str | None) -> None:
    assert local_path(path) == expected


@pytest.mark.parametrize("name", ["variables", "assets"])
def test_a_folder_that_cannot_be_listed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files in it can be opened by their names, and may be links."""
    folder = tmp_path / "model"
    tf.saved_model.save(tf.Module(), str(folder))
    (folder / name).mkdir(exist_ok=True)

    def closed(list_folder: Callable[..., object]) -> Callable[..., object]:
        def call(path: str) -> object:
            if str(path) == str(folder / name):
                raise PermissionError(13, "Permission denied", str(path))
            return list_folder(path)

        return call

    monkeypatch.setattr(os, "listdir", closed(os.listdir))
    monkeypatch.setattr(os, "scandir", closed(os.scandir))
    with pytest.raises(compat_hub.ModuleFormatError, match=r"cannot be listed.*chmod"):
        compat_hub.load(folder)
    if name == "variables":
        with pytest.raises(compat_hub.ModuleFormatError, match="cannot be listed"):
            checkpoint_files(str(folder / "variables/variables"))
