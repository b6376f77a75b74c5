"""Columns of the input that are kept beside the outputs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np


def as_text(value: Any) -> str:
    """A plain value as a cell of text."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    return value if isinstance(value, str) else json.dumps(as_json(value), ensure_ascii=False)


def as_json(value: Any) -> Any:
    """A plain value, such as a date, as JSON can hold it."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, bytes):
        return as_text(value)
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, list | tuple):
        return [as_json(element) for element in value]
    if isinstance(value, dict):
        return {str(key): as_json(element) for key, element in value.items()}
    return str(value)


def as_array(values: Sequence[Any]) -> np.ndarray:
    """Plain values as an array of integers, floats or booleans, otherwise of text as bytes."""
    plain = [value.item() if isinstance(value, np.generic) else value for value in values]
    kinds = set(map(type, plain))
    for allowed, dtype in (({bool}, np.bool_), ({int}, np.int64), ({int, float}, np.float64)):
        if kinds and kinds <= allowed:
            try:
                return np.array(plain, dtype)
            except OverflowError:
                break
    if kinds == {np.ndarray} and len({value.shape for value in plain}) == 1:
        return np.stack(plain)
    texts = np.empty(len(plain), object)
    texts[:] = [as_text(value).encode() for value in plain]
    return texts
