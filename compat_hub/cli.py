"""The command line: `compat-hub`."""

from __future__ import annotations

from typing import Any

import click

import compat_hub
from compat_hub._quiet_import import import_quietly
from compat_hub.errors import HubError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(
    compat_hub.__version__, prog_name="compat-hub", message="%(prog)s %(version)s"
)
def main() -> None:
    """Models in the legacy TF1 Hub format, in TensorFlow 2."""


@main.command()
def demo() -> None:
    """Load, call and fine-tune a small sample module.

    Takes some seconds, needs no network and writes no files. The exit status is 0 when all went as
    it should, else 1.
    """
    click.echo("Importing TensorFlow ...")
    import_quietly()
    from compat_hub.demo import run_demo  # noqa: PLC0415

    try:
        passed = run_demo()
    except HubError as error:
        raise click.ClickException(str(error)) from error
    if not passed:
        raise SystemExit(1)


@main.command()
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
def export_text_embedding(embedding_file: str, path: str, **options: Any) -> None:
    """Write a module that embeds texts by the vectors of their words.

    EMBEDDING_FILE has a token and the values of its vector on each line, with spaces between them,
    in UTF-8. It may be compressed by gzip. PATH is the folder to make.

    The exit status is 0 when the module was written. It is 2 where the options or the file are not
    as they should be; then nothing was written, and the message has the number of the line.
    """
    import_quietly()
    from compat_hub import text_embedding  # noqa: PLC0415

    try:
        written = text_embedding.export(embedding_file, path, progress=True, **options)
    except HubError as error:
        raise BadInputError(str(error)) from error
    click.echo(f"Wrote the module {written}")


class BadInputError(click.ClickException):
    """What a command was given cannot be used: one line, and exit status 2."""

    exit_code = 2

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))
