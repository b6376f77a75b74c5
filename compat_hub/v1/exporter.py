"""`LatestModuleExporter`: the modules in an estimator's graph, exported with its latest values."""

from __future__ import annotations

import functools
import logging
import os
import time
from collections.abc import Callable
from typing import Any, Protocol

import tensorflow as tf

from compat_hub.errors import CheckpointError, InputTypeError, PathExistsError, SignatureError
from compat_hub.format.writer import new_folder
from compat_hub.tf_private import estimators
from compat_hub.v1.module import Module

_LOGGER = logging.getLogger("compat_hub")
# A key that is no string stays out of exported MetaGraphs.
_MODULES = ("compat_hub", "modules_for_export")
# The value of tf.estimator.ModeKeys.PREDICT.
_PREDICT = "infer"
# Digits of a folder's name: of seconds since 1970, from 2001 until 2286.
_DIGITS = 10
_ATTEMPTS = 10


class ExportableEstimator(Protocol):
    """What `LatestModuleExporter` uses of an estimator.

    An Estimator of tensorflow_estimator has it all; so may an object of any other class, since
    TensorFlow itself has no Estimators any more.

    Examples:
        >>> import types
        >>> class Trainer:
        ...     config = types.SimpleNamespace(tf_random_seed=1)
        ...     def model_fn(self, features, labels, mode, config):
        ...         m = compat_hub.Module("path/to/image_module", trainable=mode == "train")
        ...         compat_hub.register_module_for_export(m, "encoder")
        ...         return types.SimpleNamespace(scaffold=None)
        ...     def latest_checkpoint(self):
        ...         return tf.train.latest_checkpoint("path/to/checkpoints")
    """

    @property
    def config(self) -> Any:
        """Passed to `model_fn`; may have a `tf_random_seed` and a `session_config`."""
        ...

    @property
    def model_fn(self) -> Callable[..., Any]:
        """Builds the model in the current graph, and registers modules for export.

        It is called with `features`, `labels=None`, `mode="infer"` and `config`, by keyword. What
        it returns may have a `scaffold`, whose `saver` reads the checkpoint; without one, all
        variables are read by their names.
        """
        ...

    def latest_checkpoint(self) -> str | None:
        """The prefix of the latest checkpoint, None where there is none yet."""
        ...


def register_module_for_export(module: Module, export_name: str) -> None:
    """Has a module of the current graph exported by `LatestModuleExporter`.

    Examples:
        >>> with tf.Graph().as_default():
        ...     m = compat_hub.Module("path/to/image_module", trainable=True)
        ...     compat_hub.register_module_for_export(m, "encoder")

    Args:
        module: The `Module`.
        export_name: The sub-folder for it in each export, another one for each module of a graph.

    Raises:
        InputTypeError: `module` is not a `Module`, or the name is no string.
        SignatureError: The name is taken, or is not that of a sub-folder.
    """
    if not isinstance(module, Module) or not isinstance(export_name, str):
        raise InputTypeError(
            "register_module_for_export() takes a compat_hub.Module and a name, found a "
            f"{type(module).__name__} and a {type(export_name).__name__}."
        )
    if not export_name or any(part in ("", ".", "..") for part in export_name.split("/")):
        raise SignatureError(
            f"{export_name!r} cannot be the `export_name` of {module!r}: it has to be the name of "
            "a sub-folder."
        )
    modules = tf.compat.v1.get_collection_ref(_MODULES)
    for used, other in modules:
        if f"{used}/".startswith(f"{export_name}/") or f"{export_name}/".startswith(f"{used}/"):
            raise SignatureError(
                f"{module!r} cannot be exported as {export_name!r}: in this graph {other!r} is "
                f"already registered as {used!r}. Give each module a folder of its own."
            )
    modules.append((export_name, module))


class LatestModuleExporter:
    """Exports the registered modules of an estimator into folders named by the time.

    Examples:
        >>> import types
        >>> import tensorflow.compat.v1 as tf1
        >>> class Trainer:
        ...     config = types.SimpleNamespace(tf_random_seed=1)
        ...     def model_fn(self, features, labels, mode, config):
        ...         m = compat_hub.Module("path/to/image_module", trainable=mode == "train")
        ...         compat_hub.register_module_for_export(m, "encoder")
        ...         return types.SimpleNamespace(scaffold=None)
        ...     def latest_checkpoint(self):
        ...         return tf.train.latest_checkpoint("path/to/checkpoints")
        >>> with tf.Graph().as_default(), tf1.Session() as session:
        ...     _ = Trainer().model_fn({}, None, "train", None)
        ...     session.run(tf1.global_variables_initializer())
        ...     _ = tf1.train.Saver().save(session, "path/to/checkpoints/model", 1000)
        >>> serving_input = types.SimpleNamespace(features={})
        >>> exporter = compat_hub.LatestModuleExporter("modules", lambda: serving_input)
        >>> folder = exporter.export(Trainer(), "path/to/exports")
        >>> module = compat_hub.load(tf.compat.as_str(folder) + "/encoder")
        >>> module(tf.ones([5, 8, 8, 3])).shape
        TensorShape([5, 4])

    Where tensorflow_estimator has been imported, an exporter is also one of its `Exporter`s, which
    `EvalSpec` and `train_and_evaluate` take.

    Args:
        name: How the exporter is called; `train_and_evaluate` exports into a folder of this name.
        serving_input_fn: Called without arguments in the graph that is built for an export. It
            returns an object whose `features` go to the estimator's `model_fn`, such as a
            `ServingInputReceiver`. The model never runs there, so placeholders will do.
        exports_to_keep: How many exports stay: after each, older ones are deleted. None keeps all.

    Raises:
        SignatureError: `exports_to_keep` is not positive.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> LatestModuleExporter:
        """Takes on the class that `train_and_evaluate` asks for."""
        del args, kwargs
        base = estimators.exporter_class()
        actual: Any = cls if base is None or issubclass(cls, base) else _with_base(cls, base)
        return super().__new__(actual)

    def __init__(
        self, name: str, serving_input_fn: Callable[[], Any], exports_to_keep: int | None = 5
    ) -> None:
        if exports_to_keep is not None and exports_to_keep <= 0:
            raise SignatureError(
                f"`exports_to_keep` has to be a positive number, or None to keep all exports, "
                f"found {exports_to_keep!r}."
            )
        self._name = name
        self._serving_input_fn = serving_input_fn
        self._exports_to_keep = exports_to_keep

    @property
    def name(self) -> str:
        """How the exporter is called."""
        return self._name

    def export(
        self,
        estimator: ExportableEstimator,
        export_path: str | os.PathLike[str],
        checkpoint_path: str | os.PathLike[str] | None = None,
        eval_result: Any = None,
        is_the_final_export: bool | None = None,
    ) -> str | None:
        """Exports the modules that the estimator's `model_fn` registers.

        Args:
            estimator: Any object with the members of `ExportableEstimator`.
            export_path: The folder that gets one sub-folder for each export.
            checkpoint_path: The prefix of the checkpoint to export, the estimator's latest when
                None.
            eval_result: Not used.
            is_the_final_export: Not used.

        Returns:
            The export's folder, named by the seconds since 1970, with one sub-folder for each
            module; None where no module is registered, with a warning in the log.

        Raises:
            InputTypeError: The estimator lacks a member.
            CheckpointError: There is no checkpoint, or it lacks a variable of the model.
            ResolveError: The folder cannot be written. Then nothing is left of it.
        """
        del eval_result, is_the_final_export
        _check_members(estimator, checkpoint_path)
        base = os.path.expanduser(os.fsdecode(export_path))
        config = getattr(estimator, "config", None)
        with tf.Graph().as_default() as graph:
            step: Any = tf.compat.v1.train.create_global_step(graph)
            tf.compat.v1.set_random_seed(getattr(config, "tf_random_seed", None))
            estimator_spec = estimator.model_fn(
                features=self._serving_input_fn().features,
                labels=None,
                mode=_PREDICT,
                config=config,
            )
            modules = graph.get_collection(_MODULES)
            if not modules:
                _LOGGER.warning(
                    "The exporter %r has nothing to export: the model_fn registered no module. "
                    "Call compat_hub.register_module_for_export() in it.",
                    self._name,
                )
                return None
            checkpoint = _find_checkpoint(estimator, checkpoint_path)
            with tf.compat.v1.Session(config=_session_config(estimator, config)) as session:
                _restore(session, estimator_spec, checkpoint, step)
                folder = _write(base, modules, session)
        _delete_old_exports(base, self._exports_to_keep)
        return folder


@functools.cache
def _with_base(cls: type, base: type) -> type:
    return type(cls.__name__, (cls, base), {"__doc__": cls.__doc__, "__module__": cls.__module__})


def _check_members(estimator: Any, checkpoint_path: Any) -> None:
    needed = ["model_fn"] if checkpoint_path is not None else ["model_fn", "latest_checkpoint"]
    missing = [member for member in needed if not hasattr(estimator, member)]
    if missing:
        raise InputTypeError(
            f"The object to export from, a {type(estimator).__name__}, lacks "
            f"{', '.join(map(repr, missing))}. See compat_hub.v1.exporter.ExportableEstimator."
        )


def _session_config(estimator: Any, config: Any) -> Any:
    """The ConfigProto: Estimators know it in both places, what was written for them in either."""
    found = getattr(config, "session_config", None)
    return estimators.session_config(estimator) if found is None else found


def _find_checkpoint(estimator: ExportableEstimator, given: str | os.PathLike[str] | None) -> str:
    found = estimator.latest_checkpoint() if given is None else given
    if found is None:
        raise CheckpointError(
            "There is nothing to export yet: the estimator's latest_checkpoint() is None. "
            "Train it first, or pass `checkpoint_path`."
        )
    return os.fsdecode(found)


def _restore(session: Any, estimator_spec: Any, checkpoint: str, step: Any) -> None:
    try:
        reader = tf.train.load_checkpoint(checkpoint)
        saver = getattr(getattr(estimator_spec, "scaffold", None), "saver", None)
        if saver is None:
            saver = _make_saver(None if reader.has_tensor(step.op.name) else step)
        saver.restore(session, checkpoint)
    except (tf.errors.OpError, RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise CheckpointError(
            f"The checkpoint {checkpoint!r} could not be read into the graph that the estimator's "
            f"model_fn builds: {reason} Pass the prefix of a checkpoint of this model."
        ) from error


def _make_saver(left_out: Any) -> Any:
    """Like an Estimator's own; a checkpoint of another training loop may have no global step."""
    keys = (tf.compat.v1.GraphKeys.GLOBAL_VARIABLES, tf.compat.v1.GraphKeys.SAVEABLE_OBJECTS)
    found = [v for key in keys for v in tf.compat.v1.get_collection(key) if v is not left_out]
    return tf.compat.v1.train.Saver(found, sharded=True, allow_empty=True)


def _write(
    base: str, modules: list[tuple[str, Module]], session: Any, attempts: int = _ATTEMPTS
) -> str:
    folder = os.path.join(base, str(_next_version(base)))
    try:
        # An empty one is what another process has just made.
        with new_folder(folder, takes_empty=False) as staged:
            for name, module in modules:
                module.export(os.path.join(staged, name), session)
    except PathExistsError:  # another process has exported at the same time
        if attempts == 1:
            raise
        return _write(base, modules, session, attempts - 1)
    return folder


def _next_version(base: str) -> int:
    """The time, or the number after the last export's: versions only ever grow."""
    return max([int(time.time()), *(version + 1 for version in _versions(base))])


def _versions(base: str) -> list[int]:
    if not tf.io.gfile.isdir(base):
        return []
    names = (name.rstrip("/") for name in tf.io.gfile.listdir(base))
    return sorted(int(name) for name in names if len(name) == _DIGITS and name.isdecimal())


def _delete_old_exports(base: str, kept: int | None) -> None:
    if kept is None:
        return
    for version in _versions(base)[:-kept]:
        folder = os.path.join(base, str(version))
        try:
            tf.io.gfile.rmtree(folder)
        except tf.errors.OpError as error:
            _LOGGER.warning("The old export %s could not be deleted: %s", folder, error.message)
