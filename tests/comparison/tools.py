"""The tools that are compared, each as far as a probe needs it, and what a probe finds."""

from __future__ import annotations

import dataclasses
import importlib
import re
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

TOOLS = {
    "compat_hub": "compat_hub",
    "tensorflow_hub": "tensorflow_hub 0.16.1",
    "tensorflow": "`tf.saved_model.load`",
}


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a probe finds: yes, no, partly or a figure, and why."""

    answer: str
    note: str = ""


class UnableError(Exception):
    """The tool cannot do it; the message says why."""


def yes(note: str = "") -> Outcome:
    return Outcome("yes", note)


def no(note: str) -> Outcome:
    return Outcome("no", note)


def partly(note: str) -> Outcome:
    return Outcome("partly", note)


def attempt(call: Callable[[], T]) -> T:
    """What a call returns; where it raises, the tool is not able to do it.

    Raises:
        UnableError: The call has raised something.
    """
    try:
        return call()
    except UnableError:
        raise
    except Exception as error:
        raise UnableError(_what_it_says(error)) from error


def _what_it_says(error: Exception) -> str:
    """The line that says it: Keras puts where it happened before."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("Exception encountered")] or [""]
    # What follows are the values that were passed.
    line = re.split(r"\. Received| \(file: ", lines[0])[0].rstrip(".")
    return (
        f"`{type(error).__name__}: {line}`"
        if "`" not in line
        else f"{type(error).__name__}: {line}"
    )


@dataclasses.dataclass(frozen=True)
class Tool:
    """A tool by its name in `TOOLS`."""

    name: str

    @property
    def package(self) -> Any:
        import tensorflow as tf

        return tf.saved_model if self.name == "tensorflow" else importlib.import_module(self.name)

    def find(self, name: str) -> Any:
        """What the tool has of this name.

        Raises:
            UnableError: It has none.
        """
        found = self.package
        for part in name.split("."):
            if not hasattr(found, part):
                where = "tf.saved_model" if self.name == "tensorflow" else self.name
                raise UnableError(f"`{where}` has no `{name}`")
            found = getattr(found, part)
        return found

    def load(self, path: str, tags: list[str] | None = None) -> Any:
        """The module at a path, of the variant with these tags; of inference when None."""
        if self.name == "compat_hub":
            return self.package.load(path, tags=tags)
        return self.package.load(path, tags=tags or [])


def member(loaded: Any, name: str) -> Any:
    """An attribute of what a tool has loaded.

    Raises:
        UnableError: There is none.
    """
    if not hasattr(loaded, name):
        raise UnableError(f"what it returns has no `{name}`")
    return getattr(loaded, name)
