from __future__ import annotations

import abc
import os
import subprocess
import sys
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from compat_hub.v1 import exporter as exporter_file

tf1 = tf.compat.v1
# Raised by TensorFlow itself while a Saver is built.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def _module_fn() -> None:
    x = tf1.placeholder(tf.float32, [None, 2])
    w = tf1.get_variable("w", [2, 3], initializer=tf1.zeros_initializer())
    compat_hub.add_signature(inputs=x, outputs=tf.matmul(x, w))


SPEC = compat_hub.create_module_spec(_module_fn)


class Trainer:
    """An estimator of a program's own, with checkpoints whose variables all have one value."""

    def __init__(self, folder: Path, names: tuple[str, ...] = ("encoder",)) -> None:
        self.config = types.SimpleNamespace(tf_random_seed=7)
        self.folder = folder
        self.names = names
        self.calls: list[dict[str, Any]] = []
        self.has_step = True
        self.result: Any = types.SimpleNamespace(scaffold=types.SimpleNamespace(saver=None))

    def latest_checkpoint(self) -> str | None:
        return tf.train.latest_checkpoint(str(self.folder))

    def model_fn(self, features: Any, labels: Any, mode: str, config: Any) -> Any:
        self.calls.append({"features": features, "labels": labels, "mode": mode, "config": config})
        for name in self.names:
            module = compat_hub.Module(SPEC, name="m")
            compat_hub.register_module_for_export(module, name)
        tf1.get_variable("head", [3, 1])
        self.seed = tf1.get_default_graph().seed
        return self.result() if callable(self.result) else self.result

    def save(self, value: float, step: int = 0) -> str:
        with tf.Graph().as_default(), tf1.Session() as session:
            if self.has_step:
                tf1.train.create_global_step()
            self.model_fn({}, None, "train", None)
            self.calls.clear()
            session.run(tf1.global_variables_initializer())
            for variable in tf1.global_variables():
                variable.load(np.full(variable.shape, value), session)
            return tf1.train.Saver().save(session, str(self.folder / "model"), step)


def _serving_input_fn() -> Any:
    return types.SimpleNamespace(features={"x": tf1.placeholder(tf.float32, [None, 2])})


def _exporter(exports_to_keep: int | None = 5) -> compat_hub.LatestModuleExporter:
    return compat_hub.LatestModuleExporter("tf_hub", _serving_input_fn, exports_to_keep)


def _value(folder: Any, name: str = "encoder") -> float:
    module = compat_hub.load(os.path.join(folder, name))
    values = np.unique(module.variable_map["w"].numpy())
    assert values.shape == (1,)
    return float(values[0])


@pytest.fixture
def trainer(tmp_path: Path) -> Trainer:
    return Trainer(tmp_path / "checkpoints")


@pytest.fixture
def at() -> Iterator[Callable[[float], None]]:
    """Sets the clock that names the exports."""
    patch = pytest.MonkeyPatch()
    yield lambda seconds: patch.setattr(exporter_file.time, "time", lambda: seconds)
    patch.undo()


def test_the_latest_checkpoint_is_exported(trainer: Trainer, tmp_path: Path) -> None:
    trainer.save(1, step=1)
    trainer.save(2, step=2)
    before = int(time.time())
    folder = _exporter().export(trainer, str(tmp_path / "exports"))
    assert folder is not None
    assert os.path.dirname(folder) == str(tmp_path / "exports")
    assert before <= int(os.path.basename(folder)) <= time.time()
    assert os.listdir(tmp_path / "exports") == [os.path.basename(folder)]
    assert os.listdir(folder) == ["encoder"]
    assert _value(folder) == 2
    (call,) = trainer.calls
    assert call["labels"] is None
    assert call["mode"] == "infer"
    assert call["config"] is trainer.config
    assert call["features"]["x"].shape.as_list() == [None, 2]
    assert trainer.seed == 7


def test_a_given_checkpoint_is_exported(trainer: Trainer, tmp_path: Path) -> None:
    checkpoint = trainer.save(1, step=1)
    trainer.save(2, step=2)
    arguments = (trainer, tmp_path / "exports", checkpoint, {"loss": 1.0}, True)
    assert _value(_exporter().export(*arguments)) == 1
    assert (
        _value(_exporter().export(trainer, tmp_path / "e", checkpoint_path=Path(checkpoint))) == 1
    )


def test_each_module_gets_its_folder(tmp_path: Path) -> None:
    trainer = Trainer(tmp_path, ("a", "b", "text/english"))
    trainer.save(3)
    folder = _exporter().export(trainer, tmp_path / "exports")
    assert [_value(folder, name) for name in trainer.names] == [3, 3, 3]


@pytest.mark.parametrize(
    "result", [None, types.SimpleNamespace(), types.SimpleNamespace(scaffold=None), {}]
)
def test_a_scaffold_is_not_needed(trainer: Trainer, tmp_path: Path, result: Any) -> None:
    trainer.result = result
    trainer.save(1)
    assert _value(_exporter().export(trainer, tmp_path / "exports")) == 1


def test_the_saver_of_a_scaffold_is_used(trainer: Trainer, tmp_path: Path) -> None:
    def scaffold() -> Any:
        (variable,) = (v for v in tf1.global_variables() if v.op.name == "m/w")
        return types.SimpleNamespace(
            scaffold=tf1.train.Scaffold(saver=tf1.train.Saver({"x": variable}))
        )

    with tf.Graph().as_default(), tf1.Session() as session:
        x = tf1.get_variable("x", [2, 3], initializer=tf1.constant_initializer(5.0))
        session.run(x.initializer)
        checkpoint = tf1.train.Saver([x]).save(session, str(tmp_path / "other"))
    trainer.result = scaffold
    assert _value(_exporter().export(trainer, tmp_path / "exports", checkpoint)) == 5


def test_a_checkpoint_may_be_without_a_global_step(trainer: Trainer, tmp_path: Path) -> None:
    trainer.has_step = False
    trainer.save(4)
    assert _value(_exporter().export(trainer, tmp_path / "exports")) == 4


@pytest.mark.parametrize("place", ["config", "estimator"])
def test_the_session_config_is_used(
    trainer: Trainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    config = tf1.ConfigProto(inter_op_parallelism_threads=3)
    if place == "config":
        trainer.config.session_config = config
    else:
        trainer._session_config = config  # type: ignore[attr-defined]
    trainer.save(1)
    export = compat_hub.Module.export
    seen = []

    def spy(self: Any, path: str, session: Any) -> None:
        seen.append(session._config.inter_op_parallelism_threads)
        export(self, path, session)

    monkeypatch.setattr(compat_hub.Module, "export", spy)
    _exporter().export(trainer, tmp_path / "exports")
    assert seen == [3]


def test_old_exports_are_deleted(trainer: Trainer, tmp_path: Path, at: Any) -> None:
    trainer.save(1)
    base = tmp_path / "exports"
    others = ["1234", "17000000000", "temp-1700000000", "notes"]
    for name in others:
        (base / name).mkdir(parents=True)
    for k in range(4):
        at(1_700_000_000 + 10 * k)
        _exporter(2).export(trainer, base)
    assert sorted(os.listdir(base)) == sorted([*others, "1700000020", "1700000030"])
    assert _value(base / "1700000020") == 1
    _exporter(1).export(trainer, base)
    assert sorted(os.listdir(base)) == sorted([*others, "1700000031"])


def test_all_exports_can_be_kept(trainer: Trainer, tmp_path: Path, at: Any) -> None:
    trainer.save(1)
    at(1_700_000_000)
    for _ in range(7):
        _exporter(None).export(trainer, tmp_path / "exports")
    # Those of the same second have later numbers, so that the last is always the newest.
    assert sorted(os.listdir(tmp_path / "exports")) == [str(1_700_000_000 + k) for k in range(7)]


def test_versions_grow_even_when_the_clock_is_set_back(
    trainer: Trainer, tmp_path: Path, at: Any
) -> None:
    trainer.save(1)
    at(1_700_000_100)
    _exporter(1).export(trainer, tmp_path / "exports")
    at(1_700_000_000.9)
    folder = _exporter(1).export(trainer, tmp_path / "exports")
    assert os.listdir(tmp_path / "exports") == ["1700000101"]
    assert folder == str(tmp_path / "exports/1700000101")


def test_an_export_of_another_process_at_the_same_time(
    trainer: Trainer, tmp_path: Path, at: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer.save(1)
    at(1_700_000_000)
    export = compat_hub.Module.export
    base = tmp_path / "exports"

    def export_late(self: Any, *args: Any) -> None:
        export(self, *args)
        if not (base / "1700000000").exists():
            (base / "1700000000").mkdir()

    monkeypatch.setattr(compat_hub.Module, "export", export_late)
    assert _exporter().export(trainer, base) == str(base / "1700000001")
    assert sorted(os.listdir(base)) == ["1700000000", "1700000001"]
    assert os.listdir(base / "1700000000") == []


def test_an_old_export_that_cannot_be_deleted(
    trainer: Trainer,
    tmp_path: Path,
    at: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(path: str) -> None:
        raise tf.errors.PermissionDeniedError(None, None, "no")

    trainer.save(1)
    base = tmp_path / "exports"
    (base / "1600000000").mkdir(parents=True)
    at(1_700_000_000)
    with monkeypatch.context() as patch:
        patch.setattr(exporter_file.tf.io.gfile, "rmtree", refuse)
        assert _value(_exporter(1).export(trainer, base)) == 1
    assert "1600000000 could not be deleted: no" in caplog.text


def test_nothing_registered(
    trainer: Trainer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trainer.names = ()
    assert _exporter().export(trainer, tmp_path / "exports") is None
    assert not (tmp_path / "exports").exists()
    assert "compat_hub.register_module_for_export()" in caplog.text


def test_a_failure_leaves_nothing(
    trainer: Trainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer.names = ("a", "b")
    trainer.save(1)
    export = compat_hub.Module.export
    names = []

    def fail(self: Any, path: str, session: Any) -> None:
        names.append(os.path.relpath(path, tmp_path / "exports").split(os.sep)[0])
        assert not names[-1].isdigit()
        if path.endswith("b"):
            raise OSError("disk full")
        export(self, path, session)

    monkeypatch.setattr(compat_hub.Module, "export", fail)
    with pytest.raises(OSError, match="disk full"):
        _exporter().export(trainer, tmp_path / "exports")
    assert len(names) == 2
    assert os.listdir(tmp_path / "exports") == []


def test_a_filesystem_that_is_not_local(trainer: Trainer) -> None:
    trainer.save(1)
    base = "ram://exporter/exports"
    for _ in range(3):
        folder = _exporter(2).export(trainer, base)
    assert _value(folder) == 1
    assert len(tf.io.gfile.listdir(base)) == 2


def test_files_that_are_moved_make_no_half_module(
    trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer.names = ("a", "b")
    trainer.save(1)
    moved = []
    rename = tf.io.gfile.rename

    def spy(source: str, target: str) -> None:
        moved.append(os.path.basename(target))
        rename(source, target)

    monkeypatch.setattr(exporter_file.tf.io.gfile, "rename", spy)
    _exporter().export(trainer, "ram://exporter/moved")
    last = moved[moved.index("saved_model.pb", -2) :]
    assert last == ["saved_model.pb", "saved_model.pb"]


def test_there_is_no_checkpoint_yet(trainer: Trainer, tmp_path: Path) -> None:
    with pytest.raises(compat_hub.CheckpointError, match=r"latest_checkpoint\(\) is None") as info:
        _exporter().export(trainer, tmp_path / "exports")
    assert isinstance(info.value, ValueError)
    assert not (tmp_path / "exports").exists()


def test_a_checkpoint_that_is_not_there(trainer: Trainer, tmp_path: Path) -> None:
    with pytest.raises(compat_hub.CheckpointError, match="nowhere' could not be read"):
        _exporter().export(trainer, tmp_path / "exports", str(tmp_path / "nowhere"))
    assert not (tmp_path / "exports").exists()


def test_a_checkpoint_of_another_model(trainer: Trainer, tmp_path: Path) -> None:
    other = Trainer(tmp_path / "other", ())
    with pytest.raises(compat_hub.CheckpointError, match="of this model"):
        _exporter().export(trainer, tmp_path / "exports", other.save(1))
    assert not (tmp_path / "exports").exists()


def test_an_object_that_is_no_estimator(tmp_path: Path) -> None:
    incomplete: Any = types.SimpleNamespace(config=None)
    message = "a SimpleNamespace, lacks 'model_fn', 'latest_checkpoint'"
    with pytest.raises(compat_hub.InputTypeError, match=message):
        _exporter().export(incomplete, tmp_path)
    with pytest.raises(compat_hub.InputTypeError, match=r"lacks 'model_fn'\. See"):
        _exporter().export(incomplete, tmp_path, "checkpoint")


def test_only_what_is_needed_of_an_estimator(trainer: Trainer, tmp_path: Path) -> None:
    checkpoint = trainer.save(1)
    least: Any = types.SimpleNamespace(model_fn=trainer.model_fn)
    assert _value(_exporter().export(least, tmp_path / "exports", checkpoint)) == 1


@pytest.mark.parametrize("number", [0, -1])
def test_exports_to_keep_is_positive(number: int) -> None:
    with pytest.raises(ValueError, match=f"positive number, or None .* found {number}") as info:
        _exporter(number)
    assert isinstance(info.value, compat_hub.HubError)


def test_the_name() -> None:
    assert _exporter().name == "tf_hub"
    with pytest.raises(AttributeError):
        _exporter().name = "other"  # type: ignore[misc]


@pytest.mark.parametrize("name", ["encoder", "encoder/part", "a/b", "a"])
def test_an_export_name_is_taken(name: str) -> None:
    with tf.Graph().as_default():
        module = compat_hub.Module(SPEC)
        compat_hub.register_module_for_export(module, "encoder")
        compat_hub.register_module_for_export(module, "a/b")
        with pytest.raises(ValueError, match=f"exported as {name!r}: .* already registered"):
            compat_hub.register_module_for_export(module, name)
        compat_hub.register_module_for_export(module, "encoder2")
    with tf.Graph().as_default():
        compat_hub.register_module_for_export(compat_hub.Module(SPEC), name)


@pytest.mark.parametrize("name", ["", ".", "..", "/a", "a/", "a//b", "../a"])
def test_an_export_name_that_is_no_sub_folder(name: str) -> None:
    with tf.Graph().as_default():
        module = compat_hub.Module(SPEC)
        with pytest.raises(compat_hub.SignatureError, match="the name of a sub-folder"):
            compat_hub.register_module_for_export(module, name)


def test_what_is_no_module_cannot_be_registered() -> None:
    loaded: Any = compat_hub.load(SPEC)
    with tf.Graph().as_default():
        with pytest.raises(compat_hub.InputTypeError, match="found a HubModule and a str"):
            compat_hub.register_module_for_export(loaded, "encoder")
        name: Any = None
        with pytest.raises(compat_hub.InputTypeError, match="found a Module and a NoneType"):
            compat_hub.register_module_for_export(compat_hub.Module(SPEC), name)


def test_registered_modules_are_no_part_of_a_meta_graph() -> None:
    with tf.Graph().as_default() as graph:
        compat_hub.register_module_for_export(compat_hub.Module(SPEC), "encoder")
        exported = tf1.train.export_meta_graph(graph=graph)
        assert not [key for key in exported.collection_def if "export" in key]
        assert not [key for key in graph.get_all_collection_keys() if "export" in key]


def test_train_and_evaluate_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Exporter:  # as tensorflow_estimator 2.15 defines it
        @property
        @abc.abstractmethod
        def name(self) -> str: ...

        @abc.abstractmethod
        def export(self, *args: Any) -> Any: ...

    assert not isinstance(_exporter(), Exporter)
    file = "tensorflow_estimator.python.estimator.exporter"
    monkeypatch.setitem(sys.modules, file, types.SimpleNamespace(Exporter=Exporter))
    exporter = _exporter(None)
    assert isinstance(exporter, Exporter)
    assert isinstance(exporter, compat_hub.LatestModuleExporter)
    assert exporter.name == "tf_hub"
    assert type(exporter) is type(_exporter())


def test_without_eager_execution(tmp_path: Path) -> None:
    code = f"""
import tensorflow as tf
tf.compat.v1.disable_v2_behavior()
import compat_hub
from pathlib import Path
from tests.v1.test_exporter import Trainer, _exporter
trainer = Trainer(Path({str(tmp_path)!r}))
trainer.save(6)
folder = _exporter().export(trainer, {str(tmp_path / "exports")!r})
with compat_hub.eval_function_for_module(folder + "/encoder") as function:
    print(function([[1, 1]]).tolist())
"""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "[[12.0, 12.0, 12.0]]\n"
