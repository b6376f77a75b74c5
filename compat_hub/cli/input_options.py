"""The options that say where the inputs of a signature come from."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import click


class ImageSize(click.ParamType):
    """`HEIGHTxWIDTH` in pixels."""

    name = "HEIGHTxWIDTH"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if not isinstance(value, str):
            return value
        match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", value)
        if match is None:
            self.fail(f"{value!r} is not HEIGHTxWIDTH, as in 224x224.", param, ctx)
        return [int(match[1]), int(match[2])]


input_option = click.option(
    "--input",
    "inputs",
    metavar="[NAME=]VALUE",
    multiple=True,
    help="A value for an input: JSON, or a file. Once for each input.",
)
image_size_option = click.option(
    "--image-size", type=ImageSize(), help="To scale images to. [default: what the module says]"
)


def _delimiter(ctx: Any, param: Any, value: str | None) -> str | None:
    """A tab may be written as it is in programs."""
    del ctx, param
    return "\t" if value in {"\\t", "tab"} else value


def reading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that say how tables and texts are read."""
    for option in (
        click.option("--encoding", help="That of text files, such as cp1252. [default: utf-8]"),
        click.option(
            "--delimiter",
            metavar="CHARACTER",
            callback=_delimiter,
            help="What stands between the cells of CSV files. [default: ,]",
        ),
        click.option(
            "--format",
            type=click.Choice(["csv", "tsv", "txt", "jsonl", "parquet"]),
            help="What the standard input has, and files whose name does not say.",
        ),
    ):
        command = option(command)
    return command
