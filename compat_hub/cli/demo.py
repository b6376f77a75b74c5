"""The command `compat-hub demo`."""

from __future__ import annotations

import contextlib
import sys

import click

from compat_hub.cli.json_output import json_option, print_json
from compat_hub.common.quiet_import import import_quietly
from compat_hub.errors import HubError


@click.command()
@json_option
def demo(as_json: bool) -> None:
    """Load, call and fine-tune a small sample module.

    Takes some seconds, needs no network and writes no files. The exit status is 0 when all went as
    it should, else 1.
    """
    click.echo("Importing TensorFlow ...", err=as_json)
    import_quietly()
    from compat_hub.tools.demo.console_report import Report  # noqa: PLC0415
    from compat_hub.tools.demo.demo import run_demo  # noqa: PLC0415

    # With --json, what the demo prints goes where messages go.
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        report = Report()
        try:
            passed = run_demo(report=report)
        except HubError as error:
            raise click.ClickException(str(error)) from error
    if as_json:
        print_json({"passed": passed, "checks": report.checks})
    if not passed:
        raise SystemExit(1)
