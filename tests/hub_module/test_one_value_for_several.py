"""A layer whose signature takes several inputs, and gets one value, or a list."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

from compat_hub import InputTypeError, keras2, keras3
from compat_hub.samples import sample_path


@pytest.mark.parametrize("keras", [keras2, keras3], ids=["keras2", "keras3"])
@pytest.mark.parametrize(
    "kind", [list, tuple, lambda values: values[0]], ids=["list", "tuple", "one"]
)
def test_the_message_names_the_inputs(keras: Any, kind: Any) -> None:
    layer = keras.KerasLayer(
        sample_path("pets"), signature="fruit_to_pet", signature_outputs_as_dict=True
    )
    with pytest.raises(InputTypeError) as caught:
        layer(kind([tf.ones([2, 4]), tf.ones([2, 3])]))
    message = str(caught.value)
    assert "expected a dict with the keys 'apples', 'oranges', found one" in message
    for part in (sample_path("pets"), "variant set()", "signature 'fruit_to_pet'"):
        assert part in message
