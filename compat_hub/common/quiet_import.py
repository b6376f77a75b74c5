"""TensorFlow and tf_keras imported without the messages that they print meanwhile."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"


def import_quietly() -> None:
    """Imports both and starts the devices, which logs too.

    A user who set TF_CPP_MIN_LOG_LEVEL to less than 3 gets messages.
    """
    if os.environ.setdefault(_LOG_LEVEL, "3") != "3":
        _import()
        return
    # TensorFlow 2.19 and later logs before it looks at the level:
    # https://github.com/tensorflow/tensorflow/issues/100442
    with _standard_error_set_aside():
        _import()


def _import() -> None:
    import tensorflow as tf  # noqa: PLC0415

    tf.get_logger().setLevel("ERROR")  # tf_keras warns of old names that it uses itself
    import tf_keras  # noqa: F401, PLC0415

    tf.constant(0)


@contextlib.contextmanager
def _standard_error_set_aside() -> Iterator[None]:
    """Keeps what is written to file descriptor 2, and shows it only after an exception."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as file:
        original = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield
        except Exception:
            os.dup2(original, 2)
            file.seek(0)
            sys.stderr.write(file.read().decode(errors="replace"))
            raise
        finally:
            sys.stderr.flush()
            os.dup2(original, 2)
            os.close(original)
