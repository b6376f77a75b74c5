from __future__ import annotations

import pytest
import tensorflow as tf

import compat_hub
from compat_hub.building import building


@pytest.mark.parametrize(
    "error",
    [KeyError("k"), RecursionError("deep"), tf.errors.InternalError(None, None, "k")],
    ids=lambda error: type(error).__name__,
)
def test_errors_become_those_of_the_module(error: Exception) -> None:
    expected = rf"In module 'm'.*{type(error).__name__}.*fresh copy"
    with (
        pytest.raises(compat_hub.ModuleFormatError, match=expected) as caught,
        building("module 'm'"),
    ):
        raise error
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [compat_hub.GraphError("g"), KeyboardInterrupt(), MemoryError()])
def test_others_pass(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, building("module 'm'"):
        raise error
    assert caught.value is error
