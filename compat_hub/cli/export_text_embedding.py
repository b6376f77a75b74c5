"""The command `compat-hub export-text-embedding`."""

from __future__ import annotations

from typing import Any

import click

from compat_hub.cli.errors import bad_input
from compat_hub.cli.json_output import json_option, print_json
from compat_hub.common.quiet_import import import_quietly


@click.command()
@click.argument("embedding_file")
@click.argument("path")
@click.option(
    "--num-oov-buckets",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Vectors for tokens that the file lacks. With 0 such tokens are left out.",
)
@click.option(
    "--oov-stddev",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="Standard deviation of these vectors, drawn at random; 0 makes them zeros.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="The seed for drawing them.",
)
@click.option(
    "--preprocess-text/--no-preprocess-text",
    default=True,
    show_default=True,
    help="Whether the module removes punctuation from sentences.",
)
@click.option(
    "--lowercase/--no-lowercase",
    default=False,
    show_default=True,
    help="Whether the module turns sentences to lower case.",
)
@click.option(
    "--combiner",
    type=click.Choice(["sqrtn", "mean", "sum"]),
    default="sqrtn",
    show_default=True,
    help="How the vectors of a sentence's tokens become one; sqrtn divides their sum by the square "
    "root of their number.",
)
@click.option(
    "--header/--no-header",
    default=None,
    help="Whether the first line is `count dimensions`. Found out where neither is given.",
)
@json_option
def export_text_embedding(embedding_file: str, path: str, as_json: bool, **options: Any) -> None:
    """Write a module that embeds texts by the vectors of their words.

    EMBEDDING_FILE has a token and the values of its vector on each line, with spaces between them,
    in UTF-8. It may be compressed by gzip. PATH is the folder to make.

    The exit status is 0 when the module was written. It is 2 where the options or the file are not
    as they should be; then nothing was written, and the message has the number of the line.
    """
    import_quietly()
    from compat_hub.v1.text_embedding import export as text_embedding  # noqa: PLC0415

    with bad_input():
        written = text_embedding.export(embedding_file, path, progress=True, **options)
    if as_json:
        print_json({"embedding_file": embedding_file, "path": written})
    else:
        click.echo(f"Wrote the module {written}")
