"""What one fixture is made of, the registry of all of them, and seeded data to feed them."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Train:
    """How a module is trained for its record: plain SGD on one signature of one graph variant."""

    signature: str = "default"
    tags: Sequence[str] = ()
    outputs: Sequence[str] | None = None  # None: every floating point output of the signature
    learning_rate: float = 0.01
    steps: int = 3
    # Fetch the loss in the run that trains. For graphs whose forward pass has side effects.
    loss_with_step: bool = False
    # Where float32 noise exceeds the usual bound; the case's notes say why.
    tolerance: float | None = None


@dataclass
class Case:
    """A module to author: the function that builds its graph, and what to record of it."""

    build: Callable[..., None]
    inputs: dict[str, dict[str, Any]]  # by signature
    variants: Sequence[tuple[Sequence[str], dict[str, Any]]] = (((), {}),)
    train: Train | None = None
    gradients: Sequence[str] = ()  # signatures whose outputs are differentiated one by one
    stochastic: Sequence[Sequence[str]] = ()  # the variants whose outputs are random
    export_tags: Sequence[str] | None = None  # the variant that has all variables; None: the first
    drop_collections: Sequence[str] = ()
    # Removed from the file after the record is made: TF 1.15 needs some of them for gradients.
    strip_collections: Sequence[str] = ()
    shards: int = 1
    calls: int = 1  # in succession, of each signature, where one changes what the next one sees
    unknown_op: str | None = None  # an op of TF 1.15 that TF 2 does not have
    # The variants with variables that the exported one does not have, nor then the checkpoint.
    incomplete: Sequence[Sequence[str]] = ()
    # Whether {"train"} has inputs of a signature that inference does not have.
    inputs_of_training: bool = False
    package: str | None = None  # has ops that the module needs, in TF 2
    imports: Sequence[str] = ()  # have ops that the module needs, in TF 1.15
    notes: list[str] = field(default_factory=list)

    @property
    def folder(self) -> str:
        """The folder of fixtures that tests of what every module can do leave alone."""
        if self.inputs_of_training:
            return "inputs_of_training"
        if self.package:
            return "packages"
        return "unknown_ops" if self.unknown_op else "incomplete" if self.incomplete else ""


TRAIN_AND_SERVE = (
    ((), {"training": False}),
    (("train",), {"training": True}),
)

CASES: dict[str, Callable[[], Case]] = {}


def case(function: Callable[[], Case]) -> Callable[[], Case]:
    """Registers the function that describes the fixture of the same name."""
    if function.__name__ in CASES:
        raise ValueError("Two cases are called %r." % function.__name__)
    CASES[function.__name__] = function
    return function


def tag_string(tags: Sequence[str]) -> str:
    """The name that records use for a set of tags."""
    return "+".join(sorted(tags)) or "none"


def generator(key: str) -> np.random.RandomState:
    """A random generator that depends on nothing but the key."""
    return np.random.RandomState(zlib.crc32(key.encode()) & 0x7FFFFFFF)


def normal(key: str, *shape: int, dtype: str = "float32") -> np.ndarray:
    """Normally distributed values that depend on nothing but the key."""
    return np.asarray(generator(key).randn(*shape)).astype(dtype)


def strings(*values: Any) -> np.ndarray:
    """A string array; nested lists give it more dimensions."""
    return np.array(values, dtype=object)


def text_file(path: str, lines: Sequence[str]) -> str:
    """Writes a text file below the recorder's scratch directory; returns the relative path."""
    folder = os.path.dirname(path)
    if folder:
        os.makedirs(folder, exist_ok=True)
    with open(path, "w") as file:
        file.write("".join(line + "\n" for line in lines))
    return path
