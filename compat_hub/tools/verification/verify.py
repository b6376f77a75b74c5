"""`verify`: the bridge against a TF1 session, tensor by tensor."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

import numpy as np
import tensorflow as tf

from compat_hub.common.progress import progress_bar
from compat_hub.errors import InputTypeError, ModuleFormatError
from compat_hub.format.checkpoints.read import lacking_variables
from compat_hub.format.host_access import check_host_access
from compat_hub.format.inputs import bind_inputs
from compat_hub.format.spec import ModuleSpec, load_module_spec
from compat_hub.format.tf1_models.make_spec import spec_of_saved_model
from compat_hub.format.variant import GraphVariant, Signature, format_tags
from compat_hub.hub_module.hub_module import HubModule
from compat_hub.programs.known_ops import explain_unknown_ops, unknown_ops
from compat_hub.sources.resolve import resolve
from compat_hub.tools.verification.sample_inputs import sample_inputs
from compat_hub.tools.verification.tf1_session import SessionResults, run_in_session, weighted_sum


@dataclasses.dataclass(frozen=True)
class Check:
    """One comparison.

    Attributes:
        tags: The variant.
        signature: The signature's name.
        kind: `"output"`, `"gradient"`, `"variable"` (after a training call with its update ops),
            `"regularization loss"`; `"converted output"` and `"converted gradient"` of what
            `convert` wrote; or `"call"` where a signature could not be called at all.
        name: The tensor's or variable's name.
        max_error: The largest absolute difference; NaN where there is none to give.
        limit: What it may be: `atol + rtol * (largest magnitude expected)`.
        passed: Whether it is within the limit.
        note: What else there is to say.
    """

    tags: frozenset[str]
    signature: str
    kind: str
    name: str
    max_error: float
    limit: float
    passed: bool
    note: str = ""


@dataclasses.dataclass(frozen=True)
class VerificationReport:
    """What `compat_hub.verify` found.

    Examples:
        >>> report = compat_hub.verify("path/to/module", signatures=["fruit_to_pet"])
        >>> report.failures
        ()
        >>> check = report.checks[0]
        >>> print(check.kind, check.name, check.max_error <= check.limit)
        output cats True

    Attributes:
        handle: The module.
        checks: Every comparison.
        notes: What was not compared.
    """

    handle: str
    checks: tuple[Check, ...]
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether there was something to compare, and all of it agreed."""
        return bool(self.checks) and all(check.passed for check in self.checks)

    @property
    def failures(self) -> tuple[Check, ...]:
        """The comparisons that did not agree."""
        return tuple(check for check in self.checks if not check.passed)

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON can hold it."""
        rows = [
            {
                **dataclasses.asdict(check),
                "tags": sorted(check.tags),
                "max_error": check.max_error if np.isfinite(check.max_error) else None,
                "limit": check.limit if np.isfinite(check.limit) else None,
            }
            for check in self.checks
        ]
        notes = list(self.notes)
        return {"handle": self.handle, "passed": self.passed, "notes": notes, "checks": rows}

    def summary(self) -> list[tuple[str, str, str, int, float, bool]]:
        """A row for each variant, signature and kind: how many tensors, their worst error."""
        groups: dict[tuple[str, str, str], list[Check]] = {}
        for check in self.checks:
            key = (format_tags(check.tags), check.signature, check.kind)
            groups.setdefault(key, []).append(check)
        return [
            (*key, len(found), _worst(found), all(check.passed for check in found))
            for key, found in groups.items()
        ]

    def __str__(self) -> str:
        """A table, the failures one by one, and the verdict."""
        lines = [f"{self.handle}: {'PASS' if self.passed else 'FAIL'}"]
        for tags, signature, kind, count, worst, passed in self.summary():
            verdict = "ok" if passed else "FAIL"
            lines.append(
                f"  {tags} {signature!r}: {count} x {kind}, largest error {worst:.1e}: {verdict}"
            )
        for check in self.failures:
            lines.append(
                f"  FAIL {format_tags(check.tags)} {check.signature!r} {check.kind} "
                f"{check.name!r}: error {check.max_error:.2e}, limit {check.limit:.2e}. "
                f"{check.note}".rstrip()
            )
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])


def _worst(checks: list[Check]) -> float:
    errors = [check.max_error for check in checks if not np.isnan(check.max_error)]
    return max(errors, default=float("nan"))


def verify(
    handle: str | os.PathLike[str] | ModuleSpec | HubModule,
    *,
    inputs: Mapping[str, Any] | None = None,
    rtol: float = 1e-4,
    atol: float = 1e-5,
    against: str | os.PathLike[str] | None = None,
    signatures: Sequence[str] | None = None,
    progress: bool = False,
) -> VerificationReport:
    """Compares what compat_hub makes of a module with a session of TF1 in this TensorFlow.

    The session runs the graph as the module's author wrote it, and shares no rewriting of graphs
    with compat_hub. `notes` says where TensorFlow cannot do that any more.

    For every graph variant and signature: the outputs, the gradients of all trainable variables,
    all variables after a training call, and the regularization losses.

    Examples:
        >>> report = compat_hub.verify("path/to/module", signatures=["default"])
        >>> print(report)
        path/to/module: PASS
          set() 'default': 1 x output, largest error 0.0e+00: ok
          set() 'default': 4 x gradient, largest error 0.0e+00: ok
          set() 'default': 3 x regularization loss, largest error 0.0e+00: ok
          set() 'default': 10 x variable, largest error 0.0e+00: ok
          {"train"} 'default': 1 x output, largest error 0.0e+00: ok
          {"train"} 'default': 4 x gradient, largest error 0.0e+00: ok
          {"train"} 'default': 3 x regularization loss, largest error 0.0e+00: ok
          {"train"} 'default': 10 x variable, largest error 0.0e+00: ok
        >>> report.passed
        True

    Args:
        handle: A handle, a `ModuleSpec`, or a loaded module, whose values are compared as they were
            when it was loaded.
        inputs: A dict by signature name of dicts by input name; or the latter alone, for the
            signature `default`. What is not given is made up to fit: see `sample_inputs`.
        rtol: How large an error may be, relative to the largest magnitude of the tensor.
        atol: How large it may be besides.
        against: The path of what `compat_hub.convert` made of the module: its signatures and
            their gradients are compared, too.
        signatures: Names of the signatures to compare, all of them when None.
        progress: Whether to show progress on the standard error.

    Returns:
        The `VerificationReport`.

    Raises:
        ResolveError: The handle leads nowhere.
        ModuleFormatError: There is no module that can be read.
        CheckpointError: Files of its checkpoint are missing or damaged.
        InputTypeError: `inputs` name no signature or input of the module.
        UnknownNameError: No variant has a signature that `signatures` names.
        UnsafeModuleError: The module's graph would touch the host. If you trust its source, pass
            `compat_hub.load_module_spec(handle, allow_host_access=True)`.
    """
    spec = _spec_of(handle)
    check_host_access(spec, spec.variants.values())
    lacking = lacking_variables(spec)
    given = _by_signature(spec, inputs)
    for name in signatures or ():
        if not any(name in variant.signatures for variant in spec.variants.values()):
            spec.signature(name, next(iter(spec.variants)))  # raises, and says which there are
    converted = None if against is None else _load_converted(os.fspath(against))
    chosen = [
        (variant, signature)
        for variant in spec.variants.values()
        for signature in variant.signatures.values()
        if signatures is None or signature.name in signatures
    ]
    checks: list[Check] = []
    notes: list[str] = []
    with progress_bar("Signatures", len(chosen), progress) as advance:
        for variant, signature in chosen:
            reason = _not_comparable(variant, lacking)
            if reason is not None:
                notes.append(
                    f"The signature {signature.name!r} of the variant {format_tags(variant.tags)} "
                    f"was not compared, since a session takes a variant only as a whole: {reason}"
                )
                advance(1)
                continue
            compare = _Comparison(spec, variant, signature, rtol, atol)
            checks.extend(compare.run(given.get(signature.name), converted))
            notes.extend(compare.notes)
            if (
                converted is not None
                and not variant.tags
                and signature.name not in converted.signatures
            ):
                notes.append(f"{against!s} has no signature {signature.name!r}.")
            advance(1)
    if converted is not None and not any(check.kind == "converted output" for check in checks):
        reason = f"{against!s} has none of the module's signatures: nothing of it was compared."
        none = frozenset[str]()
        checks.append(Check(none, "", "call", "", float("nan"), float("nan"), False, reason))
    return VerificationReport(spec.handle, tuple(checks), tuple(notes))


def _spec_of(handle: str | os.PathLike[str] | ModuleSpec | HubModule) -> ModuleSpec:
    if isinstance(handle, HubModule):
        return handle.spec
    if isinstance(handle, ModuleSpec):
        return load_module_spec(handle)
    return spec_of_saved_model(handle, resolve(handle)) or load_module_spec(handle)


def _not_comparable(variant: GraphVariant, lacking: Set[str]) -> str | None:
    """Why no session of TF1 takes a variant, or None."""
    places = unknown_ops(variant)
    if places:
        return explain_unknown_ops(places)
    names = [v.name for v in variant.variables if v.name in lacking]
    return f"the checkpoint does not have {', '.join(names)}." if names else None


def _load_converted(path: str) -> Any:
    try:
        return tf.saved_model.load(path)
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise ModuleFormatError(
            f"{path!r} is no SavedModel that TensorFlow can load: {error}. Pass what "
            "compat_hub.convert() wrote."
        ) from error


def _by_signature(spec: ModuleSpec, inputs: Mapping[str, Any] | None) -> dict[str, Any]:
    if not inputs:
        return {}
    names = {name for variant in spec.variants.values() for name in variant.signatures}
    if all(isinstance(value, Mapping) for value in inputs.values()):
        unknown = sorted(set(inputs) - names)
        if unknown:
            raise InputTypeError(
                f"`inputs` has values for {unknown}, which are no signatures of module "
                f"{spec.handle!r}. It has: {', '.join(sorted(names))}."
            )
        return dict(inputs)
    return {"default": dict(inputs)}


class _Comparison:
    """One signature of one variant."""

    def __init__(
        self,
        spec: ModuleSpec,
        variant: GraphVariant,
        signature: Signature,
        rtol: float,
        atol: float,
    ) -> None:
        self._spec = spec
        self._variant = variant
        self._signature = signature
        self._rtol = rtol
        self._atol = atol
        self.notes: list[str] = []

    def run(self, given: Mapping[str, Any] | None, converted: Any) -> Iterator[Check]:
        values = sample_inputs(self._spec, self._variant, self._signature)
        if given:
            where = f"{self._variant.where}, signature {self._signature.name!r}"
            # A session takes no tensors of the eager program.
            arrays = {n: v.numpy() if isinstance(v, tf.Tensor) else v for n, v in given.items()}
            values = bind_inputs(
                self._signature.inputs, {**values, **arrays}, self._variant.has_default, where
            )
        try:
            expected = run_in_session(self._spec, self._variant, self._signature, values)
        except Exception as error:  # whatever TensorFlow raises, the module is not verified
            reason = " ".join([type(error).__name__, *str(error).split()][:60])
            hint = "" if given else " Pass values that fit as `inputs`."
            yield self._failed("call", "", f"The session could not compute it: {reason}{hint}")
            return
        if expected.note:
            self.notes.append(
                f"The signature {self._signature.name!r} of the variant "
                f"{format_tags(self._variant.tags)}: {expected.note}"
            )
        try:
            yield from self._bridge(values, expected)
            if converted is not None and self._signature.name in converted.signatures:
                yield from self._converted(values, expected, converted)
        except Exception as error:  # whatever it is, the two do not agree
            reason = " ".join([type(error).__name__, *str(error).split()][:60])
            yield self._failed("call", "", f"compat_hub could not compute it: {reason}")

    def _bridge(self, values: dict[str, Any], expected: SessionResults) -> Iterator[Check]:
        module = HubModule(self._spec, self._variant.tags)
        trainable = {v.name.partition(":")[0]: v for v in module.trainable_variables}
        with tf.GradientTape() as tape:
            outputs = module(values, signature=self._signature.name, as_dict=True)
            total = weighted_sum(outputs) if expected.gradients else None
        yield from self._outputs("output", outputs, expected)
        yield from self._gradients("gradient", tape, total, trainable, expected)
        for loss in module.regularization_losses:
            yield self._compare(
                "regularization loss", loss.name, loss(), expected.losses[loss.name]
            )
        yield from self._after_training(values, expected)

    def _after_training(self, values: dict[str, Any], expected: SessionResults) -> Iterator[Check]:
        module = HubModule(self._spec, self._variant.tags)
        module(values, signature=self._signature.name, as_dict=True, training=True)
        for name, variable in module.state.variables.items():
            if name in expected.variables:
                want = expected.variables[name]
                yield self._compare("variable", name, variable, want, expected.is_random)

    def _converted(
        self, values: dict[str, Any], expected: SessionResults, converted: Any
    ) -> Iterator[Check]:
        if self._variant.tags:
            return  # signatures of a SavedModel are those of the inference variant
        infos = self._signature.inputs
        flat: list[tf.Tensor] = []
        names: list[str] = []
        for name, info in infos.items():
            if name in values and not self._variant.has_default(info):
                value = values[name]
                value = value if info.is_composite else tf.constant(value, info.dtype)
                flat.extend(info.unpack(value))
                names.extend(info.component_labels(name))
        call = converted.signatures[self._signature.name]
        trainable = {
            variable.name.partition(":")[0]: variable
            for variable in getattr(converted, "trainable_variables", ())
        }
        with tf.GradientTape() as tape:
            results = call(**dict(zip(names, flat, strict=True)))
            outputs = {
                name: info.pack([results[label] for label in info.component_labels(name)])
                for name, info in self._signature.outputs.items()
            }
            total = weighted_sum(outputs) if expected.gradients else None
        yield from self._outputs("converted output", outputs, expected)
        yield from self._gradients("converted gradient", tape, total, trainable, expected)

    def _gradients(
        self,
        kind: str,
        tape: tf.GradientTape,
        total: tf.Tensor | None,
        trainable: Mapping[str, tf.Variable],
        expected: SessionResults,
    ) -> Iterator[Check]:
        names = [name for name in expected.gradients if name in trainable]
        sources = [trainable[name] for name in names]
        found = tape.gradient(total, sources) if total is not None else [None] * len(names)
        for name, gradient in zip(names, found, strict=True):
            value = expected.gradients[name]
            if value is None and gradient is None:
                continue
            got = 0.0 if gradient is None else tf.convert_to_tensor(gradient)
            want = np.zeros(np.shape(got)) if value is None else value
            yield self._compare(kind, name, got, want, expected.is_random)

    def _outputs(
        self, kind: str, outputs: Mapping[str, Any], expected: SessionResults
    ) -> Iterator[Check]:
        for name, info in self._signature.outputs.items():
            want = expected.outputs[name]
            labels = info.component_labels(name)
            for label, got, value in zip(labels, info.unpack(outputs[name]), want, strict=True):
                yield self._compare(kind, label, got, value, expected.is_random)

    def _compare(self, kind: str, name: str, got: Any, want: Any, is_random: bool = False) -> Check:
        found, expected = np.asarray(got), np.asarray(want)
        if found.shape != expected.shape:
            note = f"The shape is {list(found.shape)}, expected {list(expected.shape)}."
            return self._failed(kind, name, note)
        if is_random:
            note = "Random: a second run of the session gave other values. The shape agrees."
            return self._check(kind, name, float("nan"), float("nan"), True, note)
        if expected.dtype.kind in "OSU":
            same = found.astype("S").tolist() == expected.astype("S").tolist()
            return self._check(kind, name, float(not same), 0.0, same)
        wide = np.complex128 if expected.dtype.kind == "c" else np.float64
        found, expected = found.astype(wide), expected.astype(wide)
        both_nan = np.isnan(found) & np.isnan(expected)
        difference = np.where(both_nan | (found == expected), 0, np.abs(found - expected))
        error = float(np.max(difference, initial=0.0))
        finite = np.abs(expected[np.isfinite(expected)])
        limit = self._atol + self._rtol * float(np.max(finite, initial=0.0))
        return self._check(kind, name, error, limit, bool(error <= limit))

    def _failed(self, kind: str, name: str, note: str) -> Check:
        return self._check(kind, name, float("nan"), float("nan"), False, note)

    def _check(
        self, kind: str, name: str, error: float, limit: float, passed: bool, note: str = ""
    ) -> Check:
        return Check(
            self._variant.tags, self._signature.name, kind, name, error, limit, passed, note
        )
