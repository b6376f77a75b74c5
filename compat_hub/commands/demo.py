"""The command `compat-hub demo`."""

from __future__ import annotations

import click

from compat_hub._quiet_import import import_quietly
from compat_hub.errors import HubError


@click.command()
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
