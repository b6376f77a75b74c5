"""The option `--allow-host-access`."""

from __future__ import annotations

import click

host_access_option = click.option(
    "--allow-host-access",
    is_flag=True,
    help="Let the module's graph read and write files other than its own assets, call Python and "
    "reach the network. Only for modules whose source you trust.",
)
