"""The command `compat-hub run`."""

from __future__ import annotations

from typing import Any

import click

from compat_hub.cli.errors import bad_input
from compat_hub.cli.input_options import image_size_option, input_option, reading_options
from compat_hub.cli.json_output import json_option, print_json
from compat_hub.cli.model_options import model_options, take_model
from compat_hub.cli.permissions import host_access_option, links_option
from compat_hub.common.quiet_import import import_quietly


@click.command()
@click.argument("handle")
@click.option("--signature", help="The signature to call. [default: default]")
@input_option
@click.option(
    "--output",
    type=click.Path(),
    metavar="FILE",
    help="A .npz, .npy, .jsonl, .csv, .tsv or .parquet file to write; also .csv.gz and the like. "
    "Without it a summary is printed.",
)
@click.option("--only", multiple=True, metavar="OUTPUT", help="An output to compute, not all.")
@click.option(
    "--keep",
    multiple=True,
    metavar="COLUMN",
    help="A column of the input to write beside the outputs: a name, a range (a:c), a pattern "
    "('pixel_*'), '*' for all. The names of image files are the column `file`.",
)
@click.option(
    "--batch-size",
    type=click.IntRange(min=0),
    help="How many rows a call gets, 0 for all in one call. [default: 32; 1024 for short "
    "vectors of numbers]",
)
@image_size_option
@reading_options
@click.option("--tags", metavar="TAG,...", help="The graph variant. [default: that for inference]")
@click.option("--overwrite", is_flag=True, help="Replace the file that --output names.")
@model_options()
@host_access_option
@links_option
@json_option
def run(handle: str, tags: str | None, as_json: bool, **options: Any) -> None:
    """Run a signature on files: images, arrays, texts, CSV, Parquet, JSON lines.

    HANDLE is a module in TF1 Hub format, or a plain SavedModel; or a checkpoint or a frozen graph,
    with --output-tensor and --input-tensor.

    A VALUE is JSON, or a file: .npy, .npz (:ARRAY), .txt (a text on each line), .csv, .tsv and
    .parquet (:COLUMN,...), .jsonl (:KEY), .json, or images: a file, a folder, or a pattern in
    quotes, once or several times; `-` is the standard input. NAME= may be left out where the
    signature has one input, and for a table that has the inputs by name.

    \b
    Examples:
      compat-hub run MODULE --input '["a text", "another"]'
      compat-hub run MODULE --input reviews.txt --output vectors.npz
      compat-hub run MODULE --input reviews.csv:text --keep id --output vectors.csv
      compat-hub run MODULE --input photos/ --keep file --output vectors.parquet
      compat-hub run MODULE --input x=data.csv.gz:f1:f2048 --output y.npy
      zcat lines.gz | compat-hub run MODULE --input - --format txt --output vectors.npz

    Rows go through the module in batches. The output file appears when all is done, or not at all.

    The exit status is 0 when all was computed, and 2 when something that was given cannot be used:
    the message has the file, the line and the input.
    """  # noqa: D301 click reads the character
    if options["keep"] and options["output"] is None and not as_json:
        raise click.UsageError("--keep needs --output or --json")
    import_quietly()
    from compat_hub.tools.batch.run import run as run_module  # noqa: PLC0415
    from compat_hub.tools.demo.console_report import Report  # noqa: PLC0415

    with bad_input():
        permissions = {n: options[n] for n in ("allow_host_access", "allow_links")}
        model = take_model(handle, options, tags, **permissions)
        result = run_module(
            model or handle,
            options.pop("inputs"),
            tags=None if tags is None or model else [tag for tag in tags.split(",") if tag],
            keep_values=as_json and options["output"] is None,
            progress=True,
            **options,
        )
    if as_json:
        print_json(result.to_dict())
        return
    report = Report()
    report.rows(
        ["output", "dtype", "shape", "first values"],
        [
            (name, summary.dtype, summary.shape, " ".join(map(_shown, summary.first)))
            for name, summary in result.outputs.items()
        ],
    )
    if result.output is not None:
        rows = "" if result.rows is None else f", {result.rows:,} rows"
        report.line(f"Wrote {result.output}{rows}")


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
