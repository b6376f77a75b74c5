"""The command `compat-hub convert`."""

from __future__ import annotations

import click

from compat_hub._masking import masked
from compat_hub._quiet_import import import_quietly
from compat_hub.commands.errors import bad_input
from compat_hub.commands.json_output import json_option, print_json
from compat_hub.commands.permissions import host_access_option, links_option


@click.command()
@click.argument("handle")
@click.argument("path")
@click.option(
    "--signature",
    "signatures",
    multiple=True,
    help="A signature to write, once for each; all of them when not given.",
)
@host_access_option
@links_option
@json_option
def convert(
    handle: str, path: str, signatures: tuple[str, ...], as_json: bool, **permissions: bool
) -> None:
    """Convert a module to a SavedModel of TensorFlow 2.

    PATH is the folder to make. What is written needs neither compat_hub nor the module.

    The exit status is 0 when it was written. It is 2 when HANDLE leads to no module that can be
    read, or there is something at PATH already; then nothing was written.
    """
    import_quietly()
    from compat_hub._convert import convert as convert_module  # noqa: PLC0415
    from compat_hub.spec import load_module_spec  # noqa: PLC0415

    with bad_input():
        module = load_module_spec(handle, **permissions) if any(permissions.values()) else handle
        written = convert_module(module, path, signatures=signatures or None)
    if as_json:
        print_json(
            {"handle": masked(handle), "path": written, "signatures": list(signatures) or None}
        )
    else:
        click.echo(f"Wrote the SavedModel {written}")
