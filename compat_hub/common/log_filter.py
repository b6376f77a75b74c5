"""Log messages of TensorFlow that would mislead, kept away."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

import tensorflow as tf


@contextlib.contextmanager
def no_word_of(text: str) -> Iterator[None]:
    """Keeps TensorFlow from logging, as it does in notebooks, messages with a text in them."""

    def is_of_interest(record: logging.LogRecord) -> bool:
        return text not in record.getMessage()

    logger = tf.get_logger()
    logger.addFilter(is_of_interest)
    try:
        yield
    finally:
        logger.removeFilter(is_of_interest)
