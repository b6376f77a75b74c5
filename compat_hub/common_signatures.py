"""`compat_hub.common_signatures`: whether a module implements a common signature."""

from compat_hub.format.common_signatures import *  # noqa: F403
