"""Inputs that are made up fit what the graph does with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from compat_hub.tools.verification.sample_inputs import sample_inputs
from tests.authoring import write_module
from tests.records import FIXTURES, Record

v1 = tf.compat.v1


def _sample(path: str, signature: str = "default", seed: int = 0) -> dict[str, Any]:
    spec = compat_hub.load_module_spec(path)
    variant = next(iter(spec.variants.values()))
    return sample_inputs(spec, variant, variant.signatures[signature], seed)


def test_the_same_seed_gives_the_same_values() -> None:
    path = str(FIXTURES / "fruit" / "module")
    first, second, other = _sample(path), _sample(path), _sample(path, seed=1)
    np.testing.assert_array_equal(first["default"], second["default"])
    assert not np.array_equal(first["default"], other["default"])


def test_every_fixture_can_be_called(record: Record) -> None:
    spec = compat_hub.load_module_spec(record.path)
    for variant in spec.variants.values():
        for signature in variant.signatures.values():
            values = sample_inputs(spec, variant, signature)
            for name, info in signature.inputs.items():
                if name in values:
                    assert info.type_spec.is_compatible_with(
                        values[name] if info.is_composite else tf.constant(values[name], info.dtype)
                    )


def test_integers_stay_within_what_they_look_up(tmp_path: Path) -> None:
    def build() -> Any:
        ids = v1.placeholder(tf.int64, [None, None], "ids")
        table = v1.get_variable("table", [7, 2], use_resource=True)
        small = v1.get_variable("small", [3, 2], use_resource=False)
        y = tf.nn.embedding_lookup(table, tf.reshape(ids, [-1])) + tf.nn.embedding_lookup(
            small, tf.identity(tf.reshape(ids, [-1]))
        )
        return {"default": ({"ids": ids}, {"default": y})}

    path = write_module(tmp_path / "module", none=build)
    found = np.concatenate([_sample(path, seed=k)["ids"].ravel() for k in range(10)])
    assert found.min() == 0
    assert found.max() == 2


def test_images_are_in_range_and_have_the_size_of_the_module(tmp_path: Path) -> None:
    with tf.Graph().as_default():

        def module_fn() -> None:
            images = v1.placeholder(tf.float32, [None, None, None, 3], "images")
            compat_hub.add_signature(inputs={"images": images}, outputs=tf.reduce_mean(images))
            info = compat_hub.ImageModuleInfo()
            info.default_image_size.height, info.default_image_size.width = 12, 10
            compat_hub.attach_image_module_info(info)

        spec = compat_hub.create_module_spec(module_fn)
    variant = spec.variant()
    images = sample_inputs(spec, variant, variant.signatures["default"])["images"]
    assert images.shape == (4, 12, 10, 3)
    assert images.min() >= 0
    assert images.max() <= 1


@pytest.mark.parametrize("fixture", ["nnlm", "text_table"])
def test_strings_come_from_the_vocabulary(fixture: str) -> None:
    spec = compat_hub.load_module_spec(str(FIXTURES / fixture / "module"))
    (name, *_) = spec.variant().signatures
    values = _sample(str(FIXTURES / fixture / "module"), name)
    known = {
        line.split("\t")[0]
        for path in spec.asset_files.values()
        for line in Path(path).read_text().splitlines()
    }
    found = {word for value in values.values() for word in np.asarray(value).ravel()}
    assert found & known


def test_inputs_that_are_too_large_together(tmp_path: Path) -> None:
    def build() -> Any:
        inputs = {f"x{k}": v1.placeholder(tf.float32, [9000, 9000], f"x{k}") for k in range(2)}
        return {"default": (inputs, {"default": tf.add_n(list(inputs.values()))})}

    spec = compat_hub.load_module_spec(write_module(tmp_path / "module", none=build))
    with pytest.raises(compat_hub.SignatureError, match="162,000,000 elements"):
        sample_inputs(spec, spec.variant(), spec.signature())
