"""What the facts mean: what works in TensorFlow 2, what trains, what does not and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from compat_hub.common.words import count, some
from compat_hub.format.variant import format_tags
from compat_hub.tools.inspection.facts import Finding, ModuleFacts, SignatureFacts, VariantFacts
from compat_hub.tools.inspection.read_facts import TF1_HUB, TF2_SAVED_MODEL

_INFERENCE: tuple[str, ...] = ()
_TRAIN = ("train",)
_INITIAL = " load(handle, missing='initial') gives such variables their initial values."


def find_verdict(facts: ModuleFacts) -> tuple[Finding, ...]:
    """The verdict on a module: on loading it, on calling it, on training it."""
    if facts.format != TF1_HUB:
        problems = (Finding("no", "load", f"load() fails: {p}") for p in facts.problems)
        return (_plain(facts), *problems)
    return (*_load(facts), *_call(facts), *_train(facts))


def _plain(facts: ModuleFacts) -> Finding:
    text = (
        "This is a plain SavedModel, and not in TF1 Hub format: compat_hub.load() passes it on to "
        "tf.saved_model.load(). It is not looked into further: load those that you trust."
    )
    if facts.format != TF2_SAVED_MODEL:
        text += (
            " What tf.saved_model.load() makes of one of TF1 runs and does not train; "
            "compat_hub.create_module_spec_from_saved_model() makes a module of it."
        )
    return Finding("note", "load", text)


def _load(facts: ModuleFacts) -> Iterator[Finding]:
    for variant in facts.variants:
        if variant.host_access:
            listed = some(
                f"{h.op!r} (node {h.node!r}, for {h.user}) {h.what}" for h in variant.host_access
            )
            yield Finding(
                "no",
                "load",
                f"load() refuses {_name(variant)}, since its graph would touch the host: {listed}. "
                "If you trust where the module is from, load it with allow_host_access=True.",
            )
    for problem in facts.problems:
        yield Finding("no", "load", f"load() fails: {problem}")
    if not facts.problems and not any(v.host_access for v in facts.variants):
        lacks = any(v.unknown_ops or v.missing for v in facts.variants)
        text = (
            "load() takes it: nothing of it touches the host. Some of what its graphs need is not "
            "there, which stops the calls that need it, and no others."
            if lacks
            else f"load() takes it: TensorFlow {facts.tensorflow} has all of its ops, and nothing "
            "of it touches the host."
        )
        yield Finding("yes", "load", text)
    if not any(v.tags == _INFERENCE for v in facts.variants):
        yield Finding(
            "note",
            "load",
            "There is no variant without tags, which calls use unless told otherwise: "
            f"load(handle, tags=...) takes {_tags(facts.variants)}.",
        )


def _call(facts: ModuleFacts) -> Iterator[Finding]:
    tried = [(v, s) for v in facts.variants for s in v.signatures]
    for variant, signature in tried:
        where = f"The signature {signature.name!r} of {_name(variant)}"
        if signature.gap:
            hint = _INITIAL if variant.missing else ""
            yield Finding("no", "call", f"{where} cannot be called: {signature.gap}.{hint}")
        elif signature.problem:
            yield Finding("no", "call", f"{where} cannot be called: {signature.problem}.")
        elif not signature.is_tried:
            yield Finding(
                "note",
                "call",
                f"{where} has control flow, which is not looked into in a graph that touches the "
                "host.",
            )
    callable_names: dict[tuple[bool, tuple[str, ...]], list[VariantFacts]] = {}
    for variant in facts.variants:
        names = tuple(s.name for v, s in tried if v is variant and _can_be_called(s))
        every = len(names) == len(variant.signatures)
        callable_names.setdefault((every, names), []).append(variant)
    for (every, names), variants in callable_names.items():
        whose = " and ".join(map(_name, variants))
        if names:
            which = "Every signature" if every else count(len(names), "signature")
            yield Finding("yes", "call", f"{which} of {whose} can be called: {some(names, 8)}.")
        elif every:
            yield Finding("note", "call", f"There is no signature in {whose}.")
    yield from _missing_in_training(facts)


def _missing_in_training(facts: ModuleFacts) -> Iterator[Finding]:
    by_tags = {v.tags: [s.name for s in v.signatures] for v in facts.variants}
    if _TRAIN not in by_tags or _INFERENCE not in by_tags:
        return
    for name in by_tags[_INFERENCE]:
        if name not in by_tags[_TRAIN]:
            yield Finding(
                "note",
                "call",
                f'The variant {{"train"}} has no signature {name!r}: call it with training=False, '
                "or load(handle, tags=[]).",
            )


def _train(facts: ModuleFacts) -> Iterator[Finding]:
    variant = next(
        (v for tags in (_TRAIN, _INFERENCE) for v in facts.variants if v.tags == tags),
        facts.variants[0],
    )
    trainable = [v.name for v in facts.variables if v.trainable]
    if not trainable:
        why = (
            f"none of its {len(facts.variables)} variables is in the collection "
            "TRAINABLE_VARIABLES, so trainable=True has nothing to train"
            if facts.variables
            else "it has no variables"
        )
        yield Finding("note", "train", f"Nothing trains: {why}.")
    lacking: dict[str, list[str]] = {}
    for signature in variant.signatures:
        if signature.training_gap:
            lacking.setdefault(signature.training_gap, []).append(repr(signature.name))
    for gap, names in lacking.items():
        yield Finding(
            "no",
            "train",
            f"Training calls of {some(names)} of {_name(variant)} cannot be made, since they run "
            f"its update ops: {gap}.{_INITIAL if variant.missing else ''}",
        )
    tried = [s for s in variant.signatures if _can_be_called(s) and not s.training_gap]
    groups: dict[tuple[str, str], list[str]] = {}
    for signature in tried:
        for found in _training(facts, signature, trainable):
            groups.setdefault(found, []).append(repr(signature.name))
    for (level, text), names in groups.items():
        who = f"{some(names)} of {_name(variant)}"
        yield Finding(level, "train", f"Through {who}, {text}")
    if not trainable:
        return
    reached = {name for s in tried for name in s.trains}
    beyond = [name for name in trainable if name not in reached]
    if tried and beyond and reached:
        yield Finding(
            "note",
            "train",
            f"{count(len(beyond), 'trainable variable')} get no gradient from any signature of "
            f"{_name(variant)}, save from regularization losses: {some(map(repr, beyond))}.",
        )
    if reached:
        yield from _training_calls(facts, variant, tried)


def _training(
    facts: ModuleFacts, signature: SignatureFacts, trainable: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """What a gradient tape over one signature gives: levels, and ends of sentences."""
    if signature.no_gradient:
        reason = signature.no_gradient.rstrip(".")
        yield (
            "no",
            f"nothing trains: {reason}. A gradient of its outputs raises an error. It runs, and "
            "in a layer with trainable=False.",
        )
        return
    for why in dict.fromkeys(why for _, why in signature.refused):
        names = some(repr(name) for name, found in signature.refused if found == why)
        yield (
            "note",
            f"a loss that uses the output {names} raises an error: {why}. One of the other "
            "outputs does not.",
        )
    if not trainable:
        return
    if signature.trains:
        sizes = {v.name: v.parameters for v in facts.variables}
        known = [sizes[name] for name in signature.trains]
        parameters = "" if None in known else f" ({sum(k or 0 for k in known):,} parameters)"
        number = len(signature.trains)
        if number < len(trainable):
            yield "yes", f"{number} of {len(trainable)} trainable variables train{parameters}."
        elif number > 1:
            yield "yes", f"all {number} trainable variables train{parameters}."
        else:
            yield "yes", f"the only trainable variable trains{parameters}."
    elif all(not o.dtype.startswith(("float", "bfloat", "complex")) for o in signature.outputs):
        dtypes = ", ".join(sorted({o.dtype for o in signature.outputs})) or "nothing"
        yield "note", f"nothing trains: it gives {dtypes}, which has no gradient."
    else:
        yield (
            "note",
            "nothing trains: no gradient gets from its outputs to a trainable variable.",
        )


def _training_calls(
    facts: ModuleFacts, variant: VariantFacts, tried: Sequence[SignatureFacts]
) -> Iterator[Finding]:
    """What training calls do besides, and what they do not."""
    runs = [name for name in variant.update_ops if any(name in s.update_ops for s in tried)]
    parts = [f"run {count(len(runs), 'update op')}"] if runs else []
    if variant.regularization_losses:
        losses = len(variant.regularization_losses)
        parts.append(f"add {losses} regularization {'loss' if losses == 1 else 'losses'}")
    besides = f" They {' and '.join(parts)}." if parts else ""
    if variant.tags == _TRAIN:
        yield Finding("yes", "train", f'Training calls use the variant {{"train"}}.{besides}')
    else:
        frozen = ""
        if variant.frozen_batch_norms and not runs:
            frozen = (
                f" Its {count(variant.frozen_batch_norms, 'batch normalization')} use stored "
                "averages, which stay as they are."
            )
        yield Finding(
            "note",
            "train",
            f'There is no variant {{"train"}}: training calls run the graph of '
            f"{format_tags(variant.tags)}, as inference does.{frozen}{besides}",
        )
    never = len(variant.update_ops) - len(runs)
    if never:
        yield Finding(
            "note",
            "train",
            f"{count(never, 'update op')} of {_name(variant)} run with no signature: they need "
            "what none of them feeds.",
        )
    if variant.lost_gradients:
        yield Finding(
            "note",
            "train",
            f"{count(variant.lost_gradients, 'node')} had a gradient of their own, made with "
            "tf.custom_gradient, which the format does not store. The derivative of what they "
            "compute is used instead, with a LostGradientWarning. For tf.nn.swish that is the "
            "same.",
        )
    without = {
        f"{t.name!r} ({t.dtype})": None
        for s in tried
        if s.trains
        for t in s.inputs
        if t.default is None and t.name not in s.inputs_with_gradient
    }
    if without:
        yield Finding(
            "note",
            "train",
            f"No gradient reaches {some(without)}: what computes such an input does not train "
            "through the module.",
        )


def _can_be_called(signature: SignatureFacts) -> bool:
    return signature.is_tried and not signature.problem and not signature.gap


def _name(variant: VariantFacts) -> str:
    return f"the variant {format_tags(variant.tags)}"


def _tags(variants: Iterable[VariantFacts]) -> str:
    return " or ".join(format_tags(v.tags) for v in variants)
