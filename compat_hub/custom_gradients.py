"""`compat_hub.custom_gradients.LostGradientWarning`, which warning filters may name."""

from compat_hub.programs.gradients.custom import LostGradientWarning as LostGradientWarning
