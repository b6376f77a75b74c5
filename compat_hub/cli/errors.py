"""How commands end when they cannot do what they were asked for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import click

from compat_hub.common.masking import masked
from compat_hub.common.words import printable
from compat_hub.errors import HubError


class BadInputError(click.ClickException):
    """What a command was given cannot be used: one line, and exit status 2."""

    exit_code = 2

    def __init__(self, message: str) -> None:
        super().__init__(printable(masked(" ".join(message.split()))))


@contextlib.contextmanager
def bad_input() -> Iterator[None]:
    """Ends the command with exit status 2 where the body raises an error of the library."""
    try:
        yield
    except HubError as error:
        raise BadInputError(str(error)) from error


@contextlib.contextmanager
def usage_in_one_line() -> Iterator[None]:
    """Makes one line of what click says of arguments that do not fit."""
    try:
        yield
    except click.exceptions.NoArgsIsHelpError:
        raise
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx is not None else "compat-hub"
        message = error.format_message().rstrip(".")
        raise BadInputError(f"{message}. See `{path} --help`.") from error
