"""The command `compat-hub migrate`."""

from __future__ import annotations

import os
import sys

import click

from compat_hub.cli.errors import BadInputError, bad_input
from compat_hub.cli.json_output import json_option, print_json
from compat_hub.common.quiet_import import import_quietly
from compat_hub.tools.migration.migrate import migrate as migrate_program


@click.command()
@click.argument("path", type=click.Path())
@click.option("--write", is_flag=True, help="Rewrite imports, and names that moved; nothing else.")
@click.option("--check", is_flag=True, help="Run the imports of the result in a process.")
@click.option("--diff", is_flag=True, help="Print what rewriting changes, as a unified diff.")
@json_option
def migrate(path: str, write: bool, check: bool, diff: bool, as_json: bool) -> None:
    """Show what a program has to change to leave tensorflow_hub.

    PATH is a .py or .ipynb file, or a folder of these. For each use of tensorflow_hub: whether it
    runs unchanged with `import compat_hub as hub`, and what to write in TF2 instead. In a program
    of TensorFlow 1 compat_hub.tf1 takes the place of TensorFlow, and names that are gone are
    listed. After changes by hand run it again. Nothing of the program runs, but its imports with
    --check; without --write nothing is changed.

    The exit status is 0 when all that is used is there, 1 when it is not or an import fails, and 2
    when a file cannot be read or written; the others are done all the same.
    """
    progress = _line if sys.stderr.isatty() else None
    if os.path.exists(path):
        import_quietly()  # the names of TensorFlow are looked up
    with bad_input():
        report = migrate_program(path, write=write, check=check, progress=progress)
    if sys.stderr.isatty():
        _line("")
    if as_json:
        print_json(report.to_dict())
    elif diff:
        click.echo("".join(file.diff for file in report.files), nl=False)
    else:
        click.echo(str(report))
    if report.errors:
        broken = [file for file in report.files if file.error is not None]
        more = f" And {len(broken) - 1} more." if len(broken) > 1 else ""
        raise BadInputError(f"{broken[0].path!r}: {broken[0].error}{more}")
    if not report.passed:
        raise SystemExit(1)


def _line(path: str) -> None:
    """Shows a path in place of the one before."""
    click.echo(f"\r\x1b[K{path}", nl=False, err=True)
