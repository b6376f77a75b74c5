"""A group of commands, each of which is imported when it is called."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click

from compat_hub.cli.errors import usage_in_one_line
from compat_hub.cli.interrupts import ended_by_interrupts


class LazyGroup(click.Group):
    """A group that knows of its commands their names, and one line of help.

    The command `do-this` is the object `do_this` in the file `do_this` of a package.

    Args:
        package: The package.
        helps: The help that the list of commands has, by the command's name.
    """

    def __init__(self, *args: Any, package: str, helps: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._package = package
        self._helps = dict(helps)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self._helps)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._helps:
            return None
        name = cmd_name.replace("-", "_")
        return getattr(importlib.import_module(f"{self._package}.{name}"), name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(self._helps.items()))

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with usage_in_one_line():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        with ended_by_interrupts(), usage_in_one_line():
            return super().invoke(ctx)
