"""Configs of layers with values of odd types, as a damaged file has them: each is a HubError."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import compat_hub
from compat_hub import keras2, keras3
from compat_hub.keras_layers.config import SharedModule
from tests.records import FIXTURES

FRUIT = str(FIXTURES / "fruit" / "module")
X = {"apples": np.ones([2, 4], np.float32), "oranges": np.ones([2, 3], np.float32)}
ODD: dict[str, list[Any]] = {
    "allow_host_access": ["x", [1]],
    "arguments": [1, "x", ["a"], [None], {"a": 1}, True],
    "extra": [None, 1],
    "handle": [None, 1, [], {}, "\0", "x\0"],
    "load_options": [0, 3.5, "x", [], [1], {"a": 1}, {"experimental_variable_policy": "x"}, True],
    "missing": [1, "x", ["error"], {}],
    "name": [1, ["a"], {}],
    "output_key": [1, "x", ["a"], {"a": 1}],
    "output_shape": [-1, 2, 3.5, "x", ["a"], [None, [1]], {"x": None}, {"cats": 9, "dogs": 9}],
    "shared_module": [{"a": 1}, [1]],
    "signature": [0, "x", ["a"], {}, True],
    "signature_outputs_as_dict": [3, "x", [1]],
    "tags": [1, "x", [1], [["a"]], True],
    "train_only": [1, "(", [1], {"a": 1}, True],
    "trainable": ["x", 3, None, [1]],
}


def _use(layer_class: Any, config: dict[str, Any]) -> None:
    layer = layer_class.from_config(config)
    layer(X)
    layer.compute_output_shape({name: value.shape for name, value in X.items()})
    layer_class.from_config(layer.get_config())


@pytest.mark.filterwarnings("ignore:The layer:compat_hub.keras_layers.config.SharedModuleWarning")
@pytest.mark.parametrize("module", [keras2, keras3], ids=["tf_keras", "keras"])
@pytest.mark.parametrize("name", ODD)
def test_odd_values(module: Any, name: str) -> None:
    layer = module.KerasLayer(
        FRUIT, trainable=True, signature="fruit_to_pet", signature_outputs_as_dict=True
    )
    config = layer.get_config()
    if name == "output_key":
        del config["signature_outputs_as_dict"]
    findings = []
    for value in ODD[name]:
        try:
            _use(module.KerasLayer, {**config, name: value})
        except compat_hub.HubError as error:
            # Keras 3 puts an error of its own in the place of a TypeError while it reads a file.
            if isinstance(error, TypeError):
                findings.append((value, error))
        except Exception as error:
            findings.append((value, error))
    assert not findings


@pytest.mark.parametrize(
    "config",
    [
        {"tags": None},
        {"handle": 3},
        {"handle": FRUIT, "tags": 3},
        {"handle": FRUIT, "load_options": {"experimental_io_device": 3}},
    ],
)
def test_a_shared_module(config: dict[str, Any]) -> None:
    with pytest.raises(compat_hub.HubError) as caught:
        SharedModule.from_config(config)
    assert not isinstance(caught.value, TypeError)


def test_a_feature_column() -> None:
    column = compat_hub.text_embedding_column_v2("x", FRUIT)
    config = column.get_config()
    for odd in {"key": 3}, {"extra": 1}, {"key": {"class_name": "x", "config": {}}}:
        with pytest.raises(compat_hub.ConfigError, match=type(column).__name__):
            type(column).from_config({**config, **odd})
    del config["key"]
    with pytest.raises(compat_hub.ConfigError, match="'key'"):
        type(column).from_config(config)


def test_arguments_of_odd_types() -> None:
    for odd in {"arguments": [3]}, {"load_options": "x"}, {"output_key": 3}, {"train_only": 3}:
        with pytest.raises(compat_hub.SignatureError, match=f"{next(iter(odd))!r}"):
            keras3.KerasLayer(FRUIT, **odd)
