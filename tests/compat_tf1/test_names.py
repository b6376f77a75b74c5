"""`compat_hub.tf1`: the names of TensorFlow 1.15, and nothing that changes TensorFlow."""

from __future__ import annotations

import gzip
import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf2

import compat_hub
from compat_hub import tf1 as tf
from tests.packages import HAS_ESTIMATOR

_TESTS = Path(__file__).parents[1]
# What TensorFlow 1.15 had and today's TensorFlow and tf_keras have no longer.
_GONE = {
    "config.experimental_list_devices",
    "keras.wrappers",
    "lite.experimental.get_potentially_supported_ops",
    "lite.experimental.nn",
    "pywrap_tensorflow",
    "tpu.experimental.AdagradParameters",
    "tpu.experimental.AdamParameters",
    "tpu.experimental.StochasticGradientDescentParameters",
    *(
        f"data.experimental.{name}"
        for name in (
            "CheckpointInputPipelineHook",
            "MapVectorizationOptions",
            "StatsAggregator",
            "StatsOptions",
            "bytes_produced_stats",
            "latency_stats",
        )
    ),
}

# The package with the Estimators dropped these itself.
_GONE_WITH_ESTIMATORS = {
    f"estimator.BoostedTrees{name}" for name in ("Classifier", "Estimator", "Regressor")
}


def _has(path: str) -> bool:
    value = tf
    try:
        for name in path.split("."):
            value = getattr(value, name)
    except (AttributeError, ImportError):
        return False
    return True


def test_the_names_of_tensorflow_1_15_are_there() -> None:
    packed = (_TESTS / "whole_programs_fixtures" / "names.txt.gz").read_bytes()
    names = gzip.decompress(packed).decode().split()
    assert len(names) > 2000
    missing = {name for name in names if not _has(name)}
    gone = _GONE | _GONE_WITH_ESTIMATORS if HAS_ESTIMATOR else _GONE | {"estimator"}
    in_gone = tuple(f"{name}." for name in gone)
    assert {name for name in missing if not name.startswith(in_gone)} == gone
    assert set(dir(tf)) > {"Session", "contrib", "estimator", "keras", "layers", "nn", "train"}


def test_importing_it_imports_no_tensorflow_and_changes_none() -> None:
    code = """
import sys
from compat_hub import tf1 as tf
assert "tensorflow" not in sys.modules and "tf_keras" not in sys.modules
import tensorflow
import tensorflow.compat.v1 as v1
before = {name: getattr(v1, name) for name in dir(v1)}
keras = tensorflow.keras
tf.layers.dense, tf.nn.rnn_cell.LSTMCell, tf.keras.layers.Dense, tf.compat.v1.Session
import compat_hub.tf1.keras.backend as K
from compat_hub.tf1.nn import rnn_cell
from compat_hub.tf1.compat import v1 as again
assert K is tf.keras.backend and rnn_cell is tf.nn.rnn_cell and again is tf
changed = [n for n in dir(v1) if before.get(n) is not getattr(v1, n)]
assert set(changed) <= {'logging'}, changed  # tf_keras imports it once more
assert tensorflow.keras is keras and keras.__version__.startswith("3")
print("done")
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=_TESTS.parent, capture_output=True, text=True, check=False)
    assert done.stdout == "done\n", done.stderr


def test_imports_of_parts() -> None:
    dense = importlib.import_module("compat_hub.tf1.keras.layers").Dense
    assert dense is tf.keras.layers.Dense
    assert dense.__module__.startswith("tf_keras.")
    with pytest.raises(ModuleNotFoundError, match=r"compat_hub\.tf1\.nothing"):
        importlib.import_module("compat_hub.tf1.nothing")
    with pytest.raises(ModuleNotFoundError, match=r"compat_hub\.tf1\.Session"):
        importlib.import_module("compat_hub.tf1.Session")
    with pytest.raises(AttributeError, match="nothing"):
        _ = tf.nothing


@pytest.mark.filterwarnings("ignore:`tf.layers:UserWarning")
def test_layers_in_a_module_that_is_made() -> None:
    def module_fn() -> None:
        inputs = tf.placeholder(tf.float32, [None, 50])
        l2 = tf.keras.regularizers.l2(0.1)
        layer1 = tf.layers.dense(inputs, 200, kernel_regularizer=l2)
        layer1 = tf.layers.batch_normalization(layer1, training=True)
        layer2 = tf.layers.dense(layer1, 100)
        compat_hub.add_signature(
            inputs=inputs, outputs={"default": layer2, "hidden_activations": layer1}
        )

    spec = compat_hub.create_module_spec(module_fn)
    with tf.Graph().as_default(), tf.Session() as session:
        m = compat_hub.Module(spec, trainable=True)
        y = m(np.ones([2, 50]), as_dict=True)
        session.run(tf.global_variables_initializer())
        assert session.run(y)["default"].shape == (2, 100)
        assert len(tf.losses.get_regularization_losses()) == 1
        assert len(tf.get_collection(tf.GraphKeys.UPDATE_OPS)) == 2
        names = sorted(v.op.name for v in tf.trainable_variables())
        assert names == [
            *("module/batch_normalization/beta", "module/batch_normalization/gamma"),
            *("module/dense/bias", "module/dense/kernel"),
            *("module/dense_1/bias", "module/dense_1/kernel"),
        ]


def test_an_optimizer_of_keras_trains_the_variables_of_a_module(fixture_path) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        tf.keras.backend.set_session(session)
        m = compat_hub.Module(fixture_path("nnlm"), trainable=True)
        assert m.variables
        variables = tf.trainable_variables()
        loss = tf.add_n([tf.reduce_sum(v * v) for v in variables])
        optimizer = tf.keras.optimizers.SGD(0.25, momentum=0.5)
        step = optimizer.apply_gradients(zip(tf.gradients(loss, variables), variables, strict=True))
        session.run(tf.global_variables_initializer())
        before = session.run(variables)
        for _ in range(2):
            session.run(step)
        for old, new in zip(before, session.run(variables), strict=True):
            # The first step halves, the second adds half of the first: 0.5 - 0.25 - 0.25.
            np.testing.assert_allclose(new, np.zeros_like(old), atol=1e-6)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow_estimator", None)
    monkeypatch.setitem(sys.modules, "tf_slim", None)
    with pytest.raises(compat_hub.BackendError, match=r"compat-hub\[estimator\]"):
        _ = compat_hub.estimator.DNNClassifier
    with pytest.raises(compat_hub.BackendError, match=r"compat-hub\[slim\]"):
        _ = tf.contrib.losses.mean_squared_error
    assert tf.contrib.framework.is_tensor is tf2.compat.v1.is_tensor
