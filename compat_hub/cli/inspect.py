"""The command `compat-hub inspect`."""

from __future__ import annotations

import click

from compat_hub.cli.errors import bad_input
from compat_hub.cli.json_output import json_option, print_json
from compat_hub.cli.permissions import links_option
from compat_hub.common.quiet_import import import_quietly


@click.command()
@click.argument("handle")
@click.option("--all", "show_all", is_flag=True, help="Show long lists whole.")
@click.option("--weights", is_flag=True, help="Read the weights too, and show their statistics.")
@links_option
@json_option
@click.option(
    "--html",
    metavar="FILE",
    help="Also write the report as a page, with pictures of the graph and of the weights. Needs "
    "the extra compat-hub[html].",
)
@click.option(
    "--tensorboard",
    metavar="DIR",
    help="Also write the graphs for TensorBoard, a run for each variant.",
)
def inspect(
    handle: str,
    show_all: bool,
    weights: bool,
    allow_links: bool,
    as_json: bool,
    html: str | None,
    tensorboard: str | None,
) -> None:
    """Tell what is in a module, and what of it works in TensorFlow 2.

    HANDLE is a path or a web address. Nothing of the module runs, and no weights are read unless
    --weights or --html asks for them. A module that load() refuses can be inspected, too. Of a
    checkpoint or a frozen graph, it proposes inputs and outputs, and prints a command to go on.

    The exit status is 0 when load() takes the module and all signatures can be called, 1 when not,
    and 2 when HANDLE leads to no module that can be read, or a file cannot be written.
    """
    import_quietly()
    from compat_hub.format.tf1_models.files import (  # noqa: PLC0415
        is_tf1_model,
        is_tf1_saved_model,
    )
    from compat_hub.tools.demo.console_report import Report  # noqa: PLC0415
    from compat_hub.tools.inspection.as_html import check_installed  # noqa: PLC0415
    from compat_hub.tools.inspection.as_text import lines_of  # noqa: PLC0415
    from compat_hub.tools.inspection.inspect import inspect as inspect_module  # noqa: PLC0415

    with bad_input():
        if is_tf1_model(handle) and not is_tf1_saved_model(handle):
            _inspect_model(handle, show_all, allow_links, as_json)
            return
        if html is not None:
            check_installed()
        result = inspect_module(
            handle, weights=weights or html is not None, allow_links=allow_links
        )
        if html is not None:
            result.write_html(html)
        if tensorboard is not None:
            result.write_tensorboard(tensorboard)
    if as_json:
        print_json(result.to_dict())
    else:
        report = Report()
        for text, style in lines_of(result.blocks(show_all), report.width, " (--all shows them)"):
            report.line(text, style)
    if not result.passed:
        raise SystemExit(1)


def _inspect_model(handle: str, show_all: bool, allow_links: bool, as_json: bool) -> None:
    """The report on a checkpoint or a frozen graph."""
    from compat_hub.tools.demo.console_report import Report  # noqa: PLC0415
    from compat_hub.tools.tf1_models.inspect_model import inspect_model  # noqa: PLC0415

    result = inspect_model(handle, allow_links)
    if as_json:
        print_json(result.to_dict())
    else:
        report = Report()
        for line in result.lines(show_all):
            report.line(line)
