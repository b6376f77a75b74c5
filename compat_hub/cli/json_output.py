"""The option `--json`, and what it prints."""

from __future__ import annotations

import json
from typing import Any

import click

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print the result as JSON, and nothing else."
)


def print_json(value: Any) -> None:
    """Prints a value to the standard output; what is not a number becomes null."""
    click.echo(json.dumps(value, indent=2, allow_nan=False))
