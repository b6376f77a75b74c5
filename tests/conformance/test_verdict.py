"""What an inspection says of calls and gradients is what happens."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import pytest
import tensorflow as tf

import compat_hub
from compat_hub.format.variant import GraphVariant, Signature
from compat_hub.tools.inspection.dry_run import try_signatures
from compat_hub.tools.verification.sample_inputs import sample_inputs
from tests.records import FIXTURES, Record

# One for each thing that stops gradients, or that they have to get through.
CHOSEN = [
    *("aux_variant", "block_lstm_peephole", "cond_in_while_in_cond", "custom_gradient"),
    *("gradient_while", "hparams", "map_fn_many", "no_variables", "optional_inputs"),
    *("gradients_of_array_loops", "loops_without_back_prop", "outputs_of_their_own_variables"),
    *("ragged_io", "raw_while", "sparse_io", "stateful_lm", "unfed_update", "while_embedding"),
]


@pytest.mark.filterwarnings("ignore::compat_hub.programs.gradients.custom.LostGradientWarning")
@pytest.mark.parametrize("name", CHOSEN)
def test_what_trains(name: str) -> None:
    record = Record(FIXTURES / name)
    spec = compat_hub.load_module_spec(record.path)
    for variant in spec.variants.values():
        module = compat_hub.load(spec, tags=variant.tags)
        trials = try_signatures(variant, variant.signatures)
        for signature in variant.signatures.values():
            found = trials[signature.name]
            where = f"{sorted(variant.tags)} {signature.name}"
            assert found.is_tried
            happens = _happens(module, record, variant, signature, found.refused)
            assert happens == {
                "problem": found.problem is not None,
                "no_gradient": found.no_gradient is not None,
                "trains": sorted(found.trains),
                "inputs": sorted(found.inputs),
            }, where


def _happens(
    module: Any,
    record: Record,
    variant: GraphVariant,
    signature: Signature,
    refused: Mapping[str, str],
) -> dict[str, Any]:
    """What comes of a training call for all outputs, and of a gradient through all of them.

    Those that are said to have no gradient are differentiated each by itself, the others together.
    """
    result = {"problem": False, "no_gradient": False, "trains": [], "inputs": []}
    given = {**sample_inputs(module.spec, variant, signature), **record.inputs(signature.name)}
    values = {}
    for name, info in signature.inputs.items():
        if not variant.has_default(info):
            value = given[name]
            values[name] = value if info.is_composite else tf.constant(value, info.dtype)
    variables = {v.name.partition(":")[0]: v for v in module.trainable_variables}
    with tf.GradientTape(persistent=bool(refused)) as tape:
        for tensor in _floats(values):
            tape.watch(tensor)
        try:
            outputs = module(values, signature=signature.name, as_dict=True, training=True)
        except compat_hub.HubError:
            return {**result, "problem": True}
        alone = [tf.reduce_sum(t) for name in refused for t in _floats(outputs.pop(name))]
        sums = [tf.reduce_sum(tf.cast(t, tf.float32)) for t in _floats(outputs)]
        total = tf.add_n([tf.zeros([]), *sums])
    for output in alone:
        with pytest.raises(compat_hub.NoGradientError):
            tape.gradient(output, variables)
    try:
        by_name = {name: _floats(value) for name, value in values.items()}
        of_variables, of_inputs = tape.gradient(total, [variables, by_name])
    except (compat_hub.HubError, LookupError):
        return {**result, "no_gradient": True}
    trains = [name for name, gradient in of_variables.items() if gradient is not None]
    inputs = [n for n, found in of_inputs.items() if any(g is not None for g in found)]
    return {**result, "trains": sorted(trains), "inputs": sorted(inputs)}


def _floats(value: Any) -> list[tf.Tensor]:
    return [t for t in tf.nest.flatten(value, expand_composites=True) if t.dtype.is_floating]


@pytest.mark.parametrize("name", ["fruit", "contrib_bn", "while_rnn"])
def test_update_ops_that_run(name: str) -> None:
    spec = compat_hub.load_module_spec(Record(FIXTURES / name).path)
    module = compat_hub.load(spec)
    variant = module.variant(training=True)
    for signature in variant.signatures.values():
        values = sample_inputs(spec, variant, signature)
        before = [v.numpy() for v in module.non_trainable_variables]
        module(values, signature=signature.name, as_dict=True, training=True)
        after = [v.numpy() for v in module.non_trainable_variables]
        moved = any((a != b).any() for a, b in zip(after, before, strict=True))
        assert moved == bool(try_signatures(variant, variant.signatures)[signature.name].update_ops)


def test_trying_builds_nothing_that_a_later_call_sees() -> None:
    record = Record(FIXTURES / "custom_gradient")
    spec = compat_hub.load_module_spec(record.path)
    variant = spec.variant()
    serialized = variant.meta_graph.SerializeToString(deterministic=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trials = try_signatures(variant, variant.signatures)
    assert not any(trial.problem for trial in trials.values())
    assert variant.meta_graph.SerializeToString(deterministic=True) == serialized
