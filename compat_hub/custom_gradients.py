"""`compat_hub.custom_gradients.LostGradientWarning`, which warning filters name."""

from compat_hub.programs.gradients.custom import (
    LostGradientWarning,
)

__all__ = ["LostGradientWarning"]
