"""What a program is, the registry of all of them, and how what a program returns is written down.

A program is a function `(tf, hub, folder)` that returns values by name. `tf` is TensorFlow 1.15 or
`tensorflow.compat.v1`, `hub` is tensorflow_hub or `compat_hub`, and `folder` is an empty folder.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

OUTPUTS = 1e-5
STEPS = 1e-4


@dataclass
class Program:
    """A registered program."""

    run: Callable[..., Mapping[str, Any]]
    tolerance: float  # of numbers, relative to the largest magnitude of their array
    # Values whose keys start with one of these name what TensorFlow builds for a cond or a loop,
    # so they say nothing where control flow is functions.
    control_flow_names: Sequence[str]
    # Why the program cannot run where control flow is functions, whatever hub does.
    needs_tf1_control_flow: str | None


PROGRAMS: dict[str, Program] = {}


def program(
    tolerance: float = OUTPUTS,
    control_flow_names: Sequence[str] = (),
    needs_tf1_control_flow: str | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Registers a function as the program of the same name."""

    def register(run: Callable[..., Any]) -> Callable[..., Any]:
        name = run.__name__
        if name in PROGRAMS:
            raise ValueError("Two programs are called %r." % name)
        PROGRAMS[name] = Program(run, tolerance, control_flow_names, needs_tf1_control_flow)
        return run

    return register


@dataclass
class Failure:
    """An exception, by the builtin exceptions that a handler for it may name."""

    families: list[str]
    message: str = ""  # for reading, not recorded


@dataclass
class Kept:
    """A module that the program exported, and what it computes; the record keeps the module."""

    path: str
    inputs: Mapping[str, Any]  # of the default signature, or the one that is named
    outputs: Mapping[str, Any]
    signature: str = "default"
    tags: Sequence[str] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)  # by name in the checkpoint


_FAMILIES = (ValueError, TypeError, RuntimeError, LookupError, KeyError, OSError)


def failure(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Failure:
    """Calls a function that should fail; says how."""
    try:
        function(*args, **kwargs)
    except Exception as error:
        families = [kind.__name__ for kind in _FAMILIES if isinstance(error, kind)]
        return Failure(families, "%s: %s" % (type(error).__name__, error))
    return Failure(["nothing raised"])


# As JSON -----------------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """A value of a program as JSON can hold it."""
    if isinstance(value, Failure):
        return {"raises": value.families}
    if isinstance(value, Kept):
        return {
            "module": value.path,
            "signature": value.signature,
            "tags": sorted(value.tags),
            "inputs": plain(value.inputs),
            "outputs": plain(value.outputs),
            "variables": plain(value.variables),
        }
    if isinstance(value, Mapping):
        return {key: plain(value[key]) for key in sorted(value)}
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, (list, tuple)) and _holds_strings(value):
        return [plain(item) for item in value]
    array = np.asarray(value)
    if array.dtype.kind in "OSU":
        return plain(array.tolist())
    flat = array.reshape(-1)
    # The shortest decimal that gives the same float again.
    numbers = [float(str(x)) for x in flat] if array.dtype.kind == "f" else flat.tolist()
    return {"dtype": array.dtype.name, "shape": list(array.shape), "values": numbers}


def _holds_strings(value: Any) -> bool:
    """Whether all that lists hold is strings."""
    if isinstance(value, (list, tuple)):
        return all(map(_holds_strings, value))
    return isinstance(value, (str, bytes))


def array_of(value: Mapping[str, Any]) -> np.ndarray:
    """The array that `plain` wrote down."""
    return np.array(value["values"], value["dtype"]).reshape(value["shape"])


def is_array(value: Any) -> bool:
    """Whether `plain` wrote this down for an array."""
    return isinstance(value, dict) and set(value) == {"dtype", "shape", "values"}


def to_text(values: Mapping[str, Any]) -> str:
    """The record of a program, one value to a line."""
    lines = ["%s: %s" % (json.dumps(key), json.dumps(values[key])) for key in sorted(values)]
    return "{\n%s\n}\n" % ",\n".join(" " + line for line in lines)
