"""The options that allow a module more: `--allow-host-access` and `--allow-links`."""

from __future__ import annotations

import click

host_access_option = click.option(
    "--allow-host-access",
    is_flag=True,
    help="Let the module's graph read and write files other than its own assets, call Python and "
    "reach the network. Only for modules whose source you trust.",
)
links_option = click.option(
    "--allow-links",
    is_flag=True,
    help="Let links in the module's folder lead out of it, as in stores that are laid out with "
    "links. Only for folders whose maker you trust.",
)
