"""The options that say what of another model of TensorFlow 1 is wanted."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import click

_OPTIONS = (
    "input_tensors",
    "output_tensors",
    "feeds",
    "training_feeds",
    "unfreeze",
    "unfreeze_only",
)


def model_options(*, short: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Adds the options.

    Args:
        short: Whether `--input` and `--output` name tensors, too.
    """

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in (
            click.option(
                "--unfreeze-only",
                metavar="REGEX",
                multiple=True,
                help="The constants of a frozen graph to unfreeze, by their names.",
            ),
            click.option(
                "--unfreeze",
                is_flag=True,
                help="Make variables of all constants of a frozen graph that are weights.",
            ),
            click.option(
                "--training-feed",
                "training_feeds",
                metavar="TENSOR=VALUE",
                multiple=True,
                help="Another value in training.",
            ),
            click.option(
                "--feed",
                "feeds",
                metavar="TENSOR=VALUE",
                multiple=True,
                help="A value, as JSON, that a tensor has for good: keep_prob:0=1.",
            ),
            click.option(
                "--output-tensor",
                *(["--output"] if short else []),
                "output_tensors",
                metavar="NAME=TENSOR",
                multiple=True,
                help="An output of a checkpoint or graph, and its tensor: y=logits:0.",
            ),
            click.option(
                "--input-tensor",
                *(["--input"] if short else []),
                "input_tensors",
                metavar="NAME=TENSOR",
                multiple=True,
                help="An input of a checkpoint or graph, and its tensor: x=x:0.",
            ),
        ):
            command = option(command)
        return command

    return add


def take_model(handle: str, options: dict[str, Any], tags: str | None = None, **others: Any) -> Any:
    """The `ModuleSpec` of a model of TensorFlow 1, or None where the handle is another one.

    Args:
        handle: What the command was given.
        options: The command's options; those of `model_options` are taken out.
        tags: The tags of a SavedModel's graph.
        others: Further arguments of `make_spec`.

    Raises:
        HubError: It cannot be read.
    """
    from compat_hub.errors import InputTypeError  # noqa: PLC0415
    from compat_hub.format.tf1_models.files import is_tf1_model  # noqa: PLC0415
    from compat_hub.format.tf1_models.make_spec import make_spec  # noqa: PLC0415

    given = {name: options.pop(name) for name in _OPTIONS}
    if not is_tf1_model(handle):
        if any(given.values()):
            raise InputTypeError(
                f"{handle!r} is no checkpoint, frozen graph or SavedModel of TensorFlow 1: options "
                "that name tensors are for these."
            )
        return None
    outputs = _pairs("--output-tensor", given["output_tensors"])
    return make_spec(
        handle,
        _pairs("--input-tensor", given["input_tensors"]) if outputs else None,
        outputs or None,
        feed_dict=_values("--feed", given["feeds"]),
        training_feed_dict=_values("--training-feed", given["training_feeds"]) or None,
        unfreeze=list(given["unfreeze_only"]) or given["unfreeze"],
        tags=None if tags is None else [tag for tag in tags.split(",") if tag],
        **others,
    )


def _pairs(option: str, values: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for value in values:
        name, equals, rest = value.partition("=")
        if not equals or not name or not rest:
            raise click.UsageError(f"{option} takes NAME=TENSOR, found {value!r}")
        found[name] = rest
    return found


def _values(option: str, values: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, text in _pairs(option, values).items():
        try:
            found[name] = json.loads(text)
        except ValueError:
            found[name] = text
    return found
