"""A module directory is there with all its files, or nothing of it is."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

import compat_hub
from compat_hub.format import protos
from compat_hub.format.writer import new_folder, write_module_directory

gfile = tf.io.gfile


@pytest.fixture(params=["local", "file", "ram"])
def base(request: pytest.FixtureRequest, tmp_path: Path):
    """A folder that is not there yet, on each kind of filesystem."""
    if request.param == "local":
        yield str(tmp_path / "base")
    elif request.param == "file":
        yield f"file://{tmp_path}/base"
    else:
        path = f"ram://test_writer/{tmp_path.name}"
        yield path
        with contextlib.suppress(tf.errors.NotFoundError):  # also where names begin alike
            gfile.rmtree(path)


def _put(path: str, text: str = "") -> None:
    gfile.makedirs(os.path.dirname(path))
    with gfile.GFile(path, "w") as file:
        file.write(text)


def _read(path: str) -> str:
    with gfile.GFile(path) as file:
        return file.read()


def _write(path: str, assets: dict[str, str] | None = None, save=None) -> str:
    saved_model = saved_model_pb2.SavedModel(saved_model_schema_version=7)
    return write_module_directory(path, saved_model, assets or {}, save)


def _save(prefix: str) -> None:
    _put(f"{prefix}.index", "values")


def _names(folder: str) -> set[str]:
    return {name.rstrip("/") for name in gfile.listdir(folder)}


def test_what_is_written(base: str) -> None:
    _put(f"{base}/source/words.txt", "a b")
    path = f"{base}/deep/module"
    assert _write(path, {"words.txt": f"{base}/source/words.txt"}, _save) == path
    assert _names(f"{base}/deep") == {"module"}
    assert _names(path) == {"assets", "saved_model.pb", "tfhub_module.pb", "variables"}
    assert _read(f"{path}/assets/words.txt") == "a b"
    assert _read(f"{path}/variables/variables.index") == "values"
    with gfile.GFile(f"{path}/saved_model.pb", "rb") as file:
        assert saved_model_pb2.SavedModel.FromString(file.read()).saved_model_schema_version == 7
    with gfile.GFile(f"{path}/tfhub_module.pb", "rb") as file:
        assert protos.ModuleDef.FromString(file.read()).format == protos.ModuleDef.FORMAT_V3


def test_an_asset_in_a_folder(base: str) -> None:
    _put(f"{base}/words", "a")
    _write(f"{base}/module", {"en/words.txt": f"{base}/words"})
    assert _read(f"{base}/module/assets/en/words.txt") == "a"
    assert _names(f"{base}/module") == {"assets", "saved_model.pb", "tfhub_module.pb"}


@pytest.mark.parametrize("kind", [str, Path, os.fsencode])
def test_kinds_of_paths(kind: Callable[[str], object], tmp_path: Path) -> None:
    path = str(tmp_path / "module")
    assert write_module_directory(kind(path), saved_model_pb2.SavedModel(), {}, None) == path  # type: ignore
    assert _names(path) == {"saved_model.pb", "tfhub_module.pb"}


def test_a_slash_at_the_end(base: str) -> None:
    _write(f"{base}/module/")
    assert _names(base) == {"module"}
    with pytest.raises(compat_hub.PathExistsError, match="module'"):
        _write(f"{base}/module//")


def test_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _write("module")
    assert _names(".") == {"module"}


def test_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # compat_hub.resolve() expands it, so what is written there has to be found there.
    monkeypatch.setenv("HOME", str(tmp_path))
    _write("~/module")
    assert compat_hub.resolve("~/module") == str(tmp_path / "module")


@pytest.mark.parametrize("path", ["", "/", "ram://", None, 3])
def test_no_path(path: object) -> None:
    with pytest.raises(compat_hub.ResolveError, match="path"):
        _write(path)  # type: ignore


@pytest.mark.parametrize("name", ["run[1]/module", "modul?", "*"])
def test_what_tensorflow_takes_for_a_pattern(name: str, base: str) -> None:
    gfile.makedirs(base)
    with pytest.raises(compat_hub.ResolveError, match="for a pattern"):
        _write(f"{base}/{name}", save=_save)
    assert _names(base) == set()


def test_below_the_root_of_a_filesystem() -> None:
    _write("ram://test_writer_root", save=_save)
    assert not gfile.exists("ram:")
    assert compat_hub.resolve("ram://test_writer_root")
    with pytest.raises(compat_hub.PathExistsError):
        _write("ram://test_writer_root")
    _write("ram://test_writer_roo")
    assert gfile.exists("ram://test_writer_roo/saved_model.pb")
    gfile.rmtree("ram://test_writer_root")
    gfile.rmtree("ram://test_writer_roo")


@pytest.mark.parametrize("there", ["folder", "folders", "file"])
def test_what_is_there_is_left_as_it_is(there: str, base: str) -> None:
    path = f"{base}/module"
    inside = {"folder": "/x", "folders": "/variables/x", "file": ""}[there]
    _put(path + inside, "mine")
    with pytest.raises(
        compat_hub.PathExistsError, match=r"already something.*left as it is"
    ) as error:
        _write(path, save=lambda _: pytest.fail("the variables were saved"))
    assert isinstance(error.value, FileExistsError | compat_hub.ResolveError)
    assert _names(base) == {"module"}
    assert _read(path + inside) == "mine"


def test_an_empty_folder(base: str) -> None:
    path = f"{base}/module"
    gfile.makedirs(path)
    _write(path, save=_save)
    assert _names(base) == {"module"}
    assert _names(path) == {"saved_model.pb", "tfhub_module.pb", "variables"}
    with pytest.raises(compat_hub.PathExistsError, match="already something"):
        _write(path, save=_save)


def _fail(path: str) -> None:
    def fail(_: str) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        _write(path, save=fail)


def test_an_empty_folder_stays_empty_where_writing_fails(base: str) -> None:
    path = f"{base}/module"
    gfile.makedirs(path)
    _fail(path)
    assert _names(path) == set()
    assert _names(base) == {"module"}


def test_the_permissions_of_an_empty_folder(tmp_path: Path) -> None:
    for mode in 0o700, 0o775:
        path = tmp_path / f"{mode:o}"
        path.mkdir()
        path.chmod(mode)
        _write(str(path))
        assert stat.S_IMODE(path.stat().st_mode) == mode


def test_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = tmp_path.stat().st_ino
    _write(".", save=_save)
    assert _names(".") == {"saved_model.pb", "tfhub_module.pb", "variables"}
    assert tmp_path.stat().st_ino == before
    for path in ".", str(tmp_path):
        with pytest.raises(compat_hub.PathExistsError):
            _write(path, save=_save)


def test_where_a_filesystem_is_mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "module"
    path.mkdir()
    before = path.stat().st_ino
    monkeypatch.setattr(os.path, "ismount", lambda found: Path(found) == path)
    _fail(str(path))
    assert _names(str(path)) == set()
    _write(str(path), save=_save)
    assert _names(str(path)) == {"saved_model.pb", "tfhub_module.pb", "variables"}
    assert path.stat().st_ino == before
    assert _names(str(tmp_path)) == {"module"}


@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_to_where_it_shall_be(is_there: bool, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere" / "real"
    (target if is_there else target.parent).mkdir(parents=True)
    (tmp_path / "module").symlink_to(target)
    _write(str(tmp_path / "module"))
    assert (tmp_path / "module").is_symlink()
    assert _names(str(target)) == {"saved_model.pb", "tfhub_module.pb"}
    assert _names(str(target.parent)) == {"real"}


@pytest.mark.parametrize("other", ["module2", "module.old", "modul", "module_/x"])
def test_names_that_begin_alike(other: str, base: str) -> None:
    # To ram:// a path exists if another one begins with it.
    for first, second in (("module", other), (other, "module")):
        folder = f"{base}/{first.replace('/', '_')}_first"
        _write(f"{folder}/{first}", save=_save)
        _write(f"{folder}/{second}", save=_save)
        for name in (first, second):
            assert gfile.exists(f"{folder}/{name}/variables/variables.index")
            with pytest.raises(compat_hub.PathExistsError):
                _write(f"{folder}/{name}")


@pytest.mark.parametrize("error", [RuntimeError("mine"), KeyboardInterrupt()])
def test_a_failing_save_leaves_nothing(error: BaseException, base: str) -> None:
    gfile.makedirs(base)

    def fail(prefix: str) -> None:
        _save(prefix)
        raise error

    with pytest.raises(type(error)):
        _write(f"{base}/module", save=fail)
    assert _names(base) == set()


def test_an_error_of_the_filesystem(base: str) -> None:
    def fail(prefix: str) -> None:
        _save(prefix)
        raise tf.errors.ResourceExhaustedError(None, None, "the disk is full")

    with pytest.raises(compat_hub.ResolveError, match=r"module.*the disk is full.*free space"):
        _write(f"{base}/module", save=fail)
    assert _names(base) == set()


@pytest.mark.parametrize(
    ("path", "message"),
    [("{}/file/module", "not a directory|[Nn]ot"), ("nosuch://x/module", "nosuch")],
)
def test_where_nothing_can_be_written(path: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(compat_hub.ResolveError, match=message):
        _write(path.format(tmp_path))
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("asset", ["missing", "folder"])
def test_a_missing_asset(asset: str, base: str) -> None:
    gfile.makedirs(f"{base}/folder")
    with pytest.raises(
        compat_hub.ResolveError, match=rf"{asset}' of the module.*/module' is missing"
    ):
        _write(f"{base}/module", {"words.txt": f"{base}/{asset}"}, _save)
    assert _names(base) == {"folder"}


def test_someone_else_is_first(base: str) -> None:
    path = f"{base}/module"

    def overtake(_: str) -> None:
        _write(path, save=lambda prefix: _put(f"{prefix}.index", "of the first"))

    with pytest.raises(compat_hub.PathExistsError):
        _write(path, save=overtake)
    assert _names(base) == {"module"}
    assert _read(f"{path}/variables/variables.index") == "of the first"


def test_someone_else_is_first_at_the_last_moment(
    base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Between the last look and the rename, where only the filesystem itself can tell.
    path = f"{base}/module"
    monkeypatch.setattr("compat_hub.format.writer._check_is_free", lambda _: None)
    _write(path, save=lambda prefix: _put(f"{prefix}.index", "of the first"))
    words = f"{base}/words"
    _put(words)
    with pytest.raises(compat_hub.PathExistsError):
        _write(path, {"words": words}, save=_save)
    assert _names(base) == {"module", "words"}
    assert not gfile.exists(f"{path}/assets/words")
    assert _read(f"{path}/variables/variables.index") == "of the first"
    assert gfile.exists(f"{path}/saved_model.pb")


def test_many_race(base: str) -> None:
    gfile.makedirs(base)
    start = threading.Barrier(4)
    outcomes: list[object] = []

    def work(number: int) -> None:
        try:
            with new_folder(f"{base}/module") as folder:
                for name in ("a", "b", "saved_model.pb"):
                    _put(f"{folder}/{name}", str(number))
                start.wait()
            outcomes.append(number)
        except compat_hub.PathExistsError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=work, args=[k]) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [outcome for outcome in outcomes if isinstance(outcome, int)]
    assert len(outcomes) == 4
    assert len(winners) == 1
    assert _names(base) == {"module"}
    texts = {_read(f"{base}/module/{name}") for name in _names(f"{base}/module")}
    assert texts == {str(winners[0])}


def test_what_makes_it_a_model_comes_last(monkeypatch: pytest.MonkeyPatch) -> None:
    base = "ram://test_writer_order"
    moved = []
    rename = gfile.rename

    def record(source: str, target: str, overwrite: bool = False) -> None:
        moved.append(target.removeprefix(f"{base}/module/"))
        rename(source, target, overwrite)

    monkeypatch.setattr(gfile, "rename", record)
    with new_folder(f"{base}/module") as folder:
        for name in ("saved_model.pb", "b/saved_model.pb", "b/variables", "a/saved_model.pb", "z"):
            _put(f"{folder}/{name}")
    assert sorted(moved[:2]) == ["b/variables", "z"]
    assert sorted(moved[2:]) == ["a/saved_model.pb", "b/saved_model.pb", "saved_model.pb"]
    gfile.rmtree(base)


def test_a_move_that_breaks_off_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    base = "ram://test_writer_broken"
    rename = gfile.rename

    def fail(source: str, target: str, overwrite: bool = False) -> None:
        if target.endswith("saved_model.pb"):
            raise tf.errors.UnavailableError(None, None, "no connection")
        rename(source, target, overwrite)

    with monkeypatch.context() as patch:
        patch.setattr(gfile, "rename", fail)
        with pytest.raises(compat_hub.ResolveError, match="no connection"):
            _write(f"{base}/module", save=_save)
    assert _names(base) == set()
    _write(f"{base}/module", save=_save)
    assert _names(base) == {"module"}
    gfile.rmtree(base)
