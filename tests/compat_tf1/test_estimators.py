"""Estimators of tensorflow_estimator on a TensorFlow that has none."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow
from tensorflow.python.util import tf_export

import compat_hub
from compat_hub import tf1 as tf
from tests.packages import HAS_ESTIMATOR

pytestmark = pytest.mark.skipif(not HAS_ESTIMATOR, reason="tensorflow_estimator is not installed")


def test_what_is_put_back_is_there_for_the_package_alone() -> None:
    estimator = tf.estimator
    assert compat_hub.estimator.DNNClassifier is estimator.DNNClassifier
    assert compat_hub.estimator.tpu.TPUEstimator is tf.contrib.tpu.TPUEstimator
    assert "tensorflow.python.distribute.estimator_training" not in sys.modules
    assert not hasattr(tensorflow.compat.v1, "estimator")
    assert tf_export.api_export.__module__ == "tensorflow.python.util.tf_export"
    assert not hasattr(tf_export, "ESTIMATOR_API_NAME")


def _numbers(mode: str) -> tuple[dict[str, np.ndarray], np.ndarray]:
    x = np.linspace(-1, 1, 8).astype(np.float32)[:, np.newaxis]
    return {"x": x}, (x[:, 0] > -0.5).astype(np.int32 if mode == "class" else np.float32)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("BaselineClassifier", {}),
        ("BaselineRegressor", {}),
        ("LinearClassifier", {"feature_columns": "x"}),
        ("LinearRegressor", {"feature_columns": "x"}),
        ("DNNRegressor", {"feature_columns": "x", "hidden_units": [4]}),
        (
            "DNNLinearCombinedClassifier",
            {"dnn_feature_columns": "x", "linear_feature_columns": "x", "dnn_hidden_units": [4]},
        ),
    ],
)
def test_canned_estimators(name: str, options: dict[str, object], tmp_path: Path) -> None:
    columns = [tf.feature_column.numeric_column("x")]
    options = {key: columns if value == "x" else value for key, value in options.items()}
    estimator = getattr(tf.estimator, name)(model_dir=str(tmp_path), **options)
    features, labels = _numbers("class" if "Classifier" in name else "number")
    input_fn = tf.estimator.inputs.numpy_input_fn(
        features, labels, batch_size=8, num_epochs=None, shuffle=False
    )
    estimator.train(input_fn, steps=1)
    first = estimator.evaluate(input_fn, steps=1)["loss"]
    estimator.train(input_fn, steps=20)
    found = estimator.evaluate(input_fn, steps=1)
    assert found["global_step"] == 21
    assert found["loss"] < first


def test_what_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(compat_hub.HubError, match=r"distributed .*tf\.distribute"):
        tf.estimator.RunConfig(train_distribute=tf.distribute.MirroredStrategy(["cpu:0"]))
    embedding = sys.modules["tensorflow_estimator.python.estimator.tpu._tpu_estimator_embedding"]
    with pytest.raises(compat_hub.HubError, match=r"AdagradParameters .*TPU"):
        embedding.tpu_embedding.AdagradParameters(0.1)
