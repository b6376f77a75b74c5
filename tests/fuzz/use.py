"""A mutant used as a program would use a module: loaded, called, trained, written."""

from __future__ import annotations

import random
import shutil
import traceback
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

import compat_hub
from compat_hub.tools.verification.sample_inputs import sample_inputs
from tests.fuzz.attacks import MARKER, SECRET, SECRET_TEXT
from tests.fuzz.mutants import Mutant

# What TensorFlow itself says of a graph that it can run, and not on these values: as of any other
# model.
_KERNEL_ERRORS = (tf.errors.OpError,)


class _Outcomes:
    """What became of each step."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.findings: list[str] = []
        self.first_refusal = ""

    def run(self, step: str, allowed: tuple[type[BaseException], ...], work: Any) -> Any:
        """Does one step and notes how it ends; gives what it gave, or None."""
        try:
            result = work()
        except compat_hub.HubError as error:
            self.first_refusal = self.first_refusal or f"{step}: {type(error).__name__}: {error}"
            return self._note("refused")
        except allowed as error:
            if _is_building(error):
                return self._find(step, error)
            return self._note("kernel")
        except Exception as error:  # a finding, whatever it is
            return self._find(step, error)
        self._note("works")
        return result

    def _note(self, kind: str) -> None:
        self.counts[kind] = self.counts.get(kind, 0) + 1

    def find(self, step: str, what: str) -> None:
        """Notes what should not have happened."""
        self._note("finding")
        self.findings.append(f"{step}: {what}")

    def _find(self, step: str, error: BaseException) -> None:
        self._note("finding")
        frames = traceback.extract_tb(error.__traceback__)
        own = [f"{Path(f.filename).name}:{f.lineno}" for f in frames if "compat_hub" in f.filename]
        text = " ".join(str(error).split())[:300]
        last = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}"
        self.findings.append(f"{step}: {type(error).__name__} at {own[-2:]} {last}: {text}")


def _is_building(error: BaseException) -> bool:
    """Whether a graph function was being made, and not running."""
    frames = traceback.extract_tb(error.__traceback__)
    return any(f.name in {"_import", "rewrite", "_infer_shapes"} for f in frames)


def use(mutant: Mutant, folder: Path, chance: random.Random) -> dict[str, Any]:
    """Uses a mutant; gives what became of the steps, and what should not have happened."""
    outcomes = _Outcomes()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _use(outcomes, mutant, folder, chance)
    beside = Path(mutant.handle).parent
    if (beside / MARKER).exists():
        outcomes.find("the host", "a file was written")
    if (beside / SECRET).read_bytes() != SECRET_TEXT:
        outcomes.find("the host", "a file was changed")
    copies = [p for p in folder.rglob("*") if p.is_file() and SECRET_TEXT in p.read_bytes()]
    if copies:
        outcomes.find("the host", f"a file was copied: {copies}")
    counts = outcomes.counts
    kinds = ("finding", "refused", "kernel", "works")
    return {
        "outcome": next(kind for kind in kinds if kind in counts),
        "findings": outcomes.findings,
        "refusal": outcomes.first_refusal[:400],
    }


def _use(outcomes: _Outcomes, mutant: Mutant, folder: Path, chance: random.Random) -> None:
    spec = outcomes.run("spec", (), lambda: compat_hub.load_module_spec(mutant.handle))
    if spec is None:
        return
    outcomes.run("describe", (), lambda: _describe(spec))
    module = outcomes.run("load", (), lambda: compat_hub.load(spec))
    if module is None:
        return
    for variant in spec.variants.values():
        for signature in variant.signatures.values():
            inputs = outcomes.run("inputs", (), lambda: sample_inputs(spec, variant, signature))  # noqa: B023
            if inputs is not None:
                _call(outcomes, module, variant, signature, inputs)
                needed = {
                    name: value
                    for name, value in inputs.items()
                    if not variant.has_default(signature.inputs[name])
                }
                if len(needed) < len(inputs):
                    _call(outcomes, module, variant, signature, needed)
    losses = outcomes.run("losses", (), lambda: module.regularization_losses) or []
    for loss in losses:
        outcomes.run("loss", _KERNEL_ERRORS, loss)
    if mutant.is_attack or chance.random() < 0.15:
        ways = {
            "save": lambda: module.save(folder / "saved_model"),
            "export": lambda: compat_hub.load(module.export(folder / "module")),
            "session": lambda: _session(outcomes, spec),
            "graph": lambda: _graph(outcomes, spec, folder / "exported"),
        }
        for way in ("graph", "save") if mutant.is_attack else [chance.choice(sorted(ways))]:
            outcomes.run(way, _KERNEL_ERRORS if way in ("session", "graph") else (), ways[way])


def _describe(spec: Any) -> None:
    repr(spec)
    for tags in spec.get_tags():
        for name in spec.get_signature_names(tags):
            for info in spec.get_input_info_dict(name, tags).values():
                str(info)
            for info in spec.get_output_info_dict(name, tags).values():
                str(info)


def _call(
    outcomes: _Outcomes, module: Any, variant: Any, signature: Any, inputs: dict[str, Any]
) -> None:
    pinned = variant.tags - {"train"}
    if pinned:
        return
    training = "train" in variant.tags

    def call() -> Any:
        with tf.GradientTape() as tape:
            outputs = module(inputs, signature=signature.name, as_dict=True, training=training)
            flat = tf.nest.flatten(outputs, expand_composites=True)
            total = [tf.reduce_sum(o) for o in flat if o.dtype.is_floating]
        _look_for_secret(outcomes, flat)
        return tape, total

    found = outcomes.run("call", _KERNEL_ERRORS, call)
    if found is None:
        return
    tape, total = found
    variables = module.trainable_variables
    if total and variables:
        outcomes.run("gradient", _KERNEL_ERRORS, lambda: tape.gradient(total, variables))
    if not training:
        outcomes.run(
            "training call",
            _KERNEL_ERRORS,
            lambda: module(inputs, signature=signature.name, as_dict=True, training=True),
        )


def _graph(outcomes: _Outcomes, spec: Any, path: Path) -> None:
    """What a program of TF1 does with a module: all that is in the collections runs."""
    variant = next(iter(spec.variants.values()))
    keys = tf.compat.v1.GraphKeys
    with tf.Graph().as_default() as graph, tf.compat.v1.Session() as session:
        module = compat_hub.Module(spec, trainable=True, tags=variant.tags)
        session.run([tf.compat.v1.global_variables_initializer()])
        session.run([tf.compat.v1.tables_initializer()])
        _look_for_secret(outcomes, session.run(list(module.variables)))
        for signature in variant.signatures.values():
            inputs = {
                name: tf.convert_to_tensor(value)
                for name, value in sample_inputs(spec, variant, signature).items()
                if not variant.has_default(signature.inputs[name])
                and not signature.inputs[name].is_composite
            }
            if len(inputs) == len(signature.inputs) or inputs:
                outputs = module(inputs, signature=signature.name, as_dict=True)
                _look_for_secret(outcomes, tf.nest.flatten(session.run(outputs)))
        for key in (keys.UPDATE_OPS, keys.REGULARIZATION_LOSSES, keys.LOCAL_INIT_OP):
            session.run(graph.get_collection(key))
        module.export(str(path), session)


def _look_for_secret(outcomes: _Outcomes, values: Iterable[Any]) -> None:
    for value in values:
        array = np.asarray(value)
        if array.dtype == object and SECRET_TEXT in array.ravel().tolist():
            outcomes.find("the host", "a file was read")


def _session(outcomes: _Outcomes, spec: Any) -> None:
    variant = next(iter(spec.variants.values()))
    with compat_hub.eval_function_for_module(spec, tags=variant.tags) as evaluate:
        for signature in variant.signatures.values():
            inputs = sample_inputs(spec, variant, signature)
            found = evaluate(inputs, signature=signature.name, as_dict=True)
            _look_for_secret(outcomes, tf.nest.flatten(found))
