"""The command line: `compat-hub`."""

from __future__ import annotations

import json
from typing import Any

import click

import compat_hub
from compat_hub._quiet_import import import_quietly
from compat_hub.cache_commands import cache
from compat_hub.command_errors import BadInputError
from compat_hub.errors import HubError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(
    compat_hub.__version__, prog_name="compat-hub", message="%(prog)s %(version)s"
)
def main() -> None:
    """Models in the legacy TF1 Hub format, in TensorFlow 2."""


main.add_command(cache)


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


@main.command()
@click.argument("handle")
@click.option(
    "--against",
    metavar="PATH",
    help="What convert made of the module: its signatures are compared, too.",
)
@click.option(
    "--rtol", default=1e-4, show_default=True, help="Error allowed, relative to a tensor."
)
@click.option("--atol", default=1e-5, show_default=True, help="Error allowed besides.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole report as JSON.")
def verify(handle: str, against: str | None, rtol: float, atol: float, as_json: bool) -> None:
    """Compare a module with a session of TF1, tensor by tensor.

    For every graph variant and signature, on inputs that are made up to fit: the outputs, the
    gradients of all trainable variables, the variables after a training call, the regularization
    losses.

    The exit status is 0 when all agrees, 1 when something does not, and 2 when HANDLE leads to no
    module that can be read.
    """
    import_quietly()
    from compat_hub._report import Report  # noqa: PLC0415
    from compat_hub._verify import verify as verify_module  # noqa: PLC0415

    try:
        result = verify_module(handle, rtol=rtol, atol=atol, against=against)
    except HubError as error:
        raise BadInputError(str(error)) from error
    if as_json:
        click.echo(json.dumps(result.to_dict(), indent=2))
    else:
        report = Report()
        report.rows(
            ["variant", "signature", "compared", "tensors", "largest error", ""],
            [
                (*names, count, f"{worst:.1e}", "ok" if passed else "FAILED")
                for *names, count, worst, passed in result.summary()
            ],
        )
        for check in result.failures:
            report.check(
                False,
                f"{check.kind} {check.name!r} of {check.signature!r}: error {check.max_error:.2e}, "
                f"limit {check.limit:.2e}. {check.note}",
            )
        report.line("PASS" if result.passed else "FAIL", "bold")
    if not result.passed:
        raise SystemExit(1)


@main.command()
@click.argument("handle")
@click.argument("path")
@click.option(
    "--signature",
    "signatures",
    multiple=True,
    help="A signature to write, once for each; all of them when not given.",
)
def convert(handle: str, path: str, signatures: tuple[str, ...]) -> None:
    """Convert a module to a SavedModel of TensorFlow 2.

    PATH is the folder to make. What is written needs neither compat_hub nor the module.

    The exit status is 0 when it was written. It is 2 when HANDLE leads to no module that can be
    read, or PATH exists already; then nothing was written.
    """
    import_quietly()
    from compat_hub._convert import convert as convert_module  # noqa: PLC0415

    try:
        written = convert_module(handle, path, signatures=signatures or None)
    except HubError as error:
        raise BadInputError(str(error)) from error
    click.echo(f"Wrote the SavedModel {written}")
