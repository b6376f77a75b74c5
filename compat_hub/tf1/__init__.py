"""TensorFlow 1.x on today's TensorFlow: `from compat_hub import tf1 as tf`.

All of `tensorflow.compat.v1`, plus replacements for what today's TensorFlow refuses or lacks:
`layers` and `keras` (tf_keras), `estimator` (the extra `[estimator]`), and of `contrib` what has an
exact counterpart. Its parts can be imported: `from compat_hub.tf1.keras.layers import Dense`.

Nothing in `tensorflow` changes. As with `tensorflow.compat.v1`, graph mode is
`with tf.Graph().as_default():`, or `tf.disable_v2_behavior()` at the start of the program.

The names of files in this room begin with an underscore: other names are TensorFlow's.
May import: `tf_private`, `errors`, `common`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compat_hub.common import import_parts

if TYPE_CHECKING:
    from tensorflow._api.v2.compat.v1 import *  # noqa: F403  # pyright: ignore[reportWildcardImportFromLibrary]

import_parts.install(__name__)


def __getattr__(name: str) -> Any:
    if name.startswith("_"):  # a file of this room, which the import system asks for
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from compat_hub.tf1 import _names

    return _names.find(name)


def __dir__() -> list[str]:
    from compat_hub.tf1 import _names

    return _names.names()
