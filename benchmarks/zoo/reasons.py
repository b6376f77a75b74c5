"""Why a module does not work in a way, where the error alone does not say it well enough."""

from __future__ import annotations

_CONSTANT_FOLDING = (
    "constant folding in TensorFlow 2 breaks a gradient, also for TensorFlow 2 alone; it trains "
    "after `tf.config.optimizer.set_experimental_options({'constant_folding': False})`"
)

# By the model and the way; "*" stands for all ways of a model.
REASONS: dict[tuple[str, str], str] = {
    ("t2t_bytenet", "*"): _CONSTANT_FOLDING,
}
