"""`tf.contrib` of `compat_hub.tf1`: counterparts that do the same, and advice for the rest."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from compat_hub import tf1 as tf
from compat_hub.tf1 import _contrib_table as table
from tests.packages import HAS_ESTIMATOR, HAS_SLIM, needs_slim


def test_every_name_of_the_table_leads_to_something() -> None:
    extras = (("tf_slim", HAS_SLIM), ("compat_hub.tf1:estimator", HAS_ESTIMATOR))
    missing = tuple(prefix for prefix, is_there in extras if not is_there)
    for path, source in table.NAMES.items():
        if missing and source.startswith(missing):
            continue
        value = tf
        for name in path.split("."):
            value = getattr(value, name)
        assert value is not None, path


@needs_slim
def test_every_module_of_the_table_can_be_imported() -> None:
    for path in table.MODULES:
        module = importlib.import_module(f"compat_hub.tf1.{path}")
        assert len(dir(module)) >= 3, path
    from compat_hub.tf1.contrib import slim
    from compat_hub.tf1.contrib.layers.python.layers import initializers

    assert slim.conv2d is tf.contrib.layers.conv2d
    assert initializers.xavier_initializer is tf.contrib.layers.xavier_initializer


@pytest.mark.parametrize(
    ("path", "advice"),
    [
        ("seq2seq", "tf.while_loop"),
        ("quantize.create_training_graph", "tf.lite"),
        pytest.param(
            "layers.real_valued_column", "tf.feature_column.numeric_column", marks=needs_slim
        ),
        ("rnn.NASCell", "RNNCell"),
        ("opt.AdamWOptimizer", "tf.train and tf.keras.optimizers"),
        ("nothing_of_the_kind", "Nothing takes its place"),
    ],
)
def test_names_without_a_counterpart(path: str, advice: str) -> None:
    first, _, last = path.partition(".")
    with pytest.raises(AttributeError, match=rf"tf\.contrib\.{first}.* {advice}"):
        _ = getattr(getattr(tf.contrib, first), last)
    with pytest.raises(ImportError):
        importlib.import_module(f"compat_hub.tf1.contrib.{path}")


def test_lookup_tables() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        lookup = tf.contrib.lookup
        words = tf.constant(["a", "cat", "sat"])
        ids = lookup.index_table_from_tensor(mapping=words, num_oov_buckets=1)
        back = lookup.index_to_string_table_from_tensor(words, default_value="?")
        values = lookup.KeyValueTensorInitializer(words, tf.constant([0.5, 1.5, 2.5]))
        table = lookup.HashTable(values, -1.0)
        mutable = lookup.MutableHashTable(tf.string, tf.int64, -1)
        insert = mutable.insert(words, tf.constant([1, 2, 3], tf.int64))
        session.run(tf.tables_initializer())
        session.run([table.init, insert])
        query = tf.constant(["sat", "dog"])
        found = [ids.lookup(query), back.lookup(tf.constant([1, 7], tf.int64))]
        found += [table.lookup(query), mutable.lookup(query)]
        found = [np.array(value).tolist() for value in session.run(found)]
        assert found == [[2, 3], [b"cat", b"?"], [2.5, -1.0], [3, -1]]


def test_hyperparameters() -> None:
    hparams = tf.contrib.training.HParams(
        rate=0.1, units=[8, 4], name="a", deep=False, steps=3, nothing=None
    )
    hparams.parse("rate=1,units=[1, 2,3],deep=true,name=b c")
    hparams.parse("units[1]=7")
    assert hparams.values() == {
        "rate": 1.0,
        "units": [1, 7, 3],
        "name": "b c",
        "deep": True,
        "steps": 3,
        "nothing": None,
    }
    assert isinstance(hparams.rate, float)
    assert "rate" in hparams
    assert hparams.get("none", 5) == 5
    hparams.add_hparam("more", 1)
    hparams.set_hparam("more", 2)
    hparams.override_from_dict({"steps": 9}).parse_json('{"rate": 0.25}')
    assert (hparams.more, hparams.steps, hparams.rate) == (2, 9, 0.25)
    hparams.del_hparam("more")
    assert "more" not in hparams
    assert '"units": [1, 7, 3]' in hparams.to_json()


@pytest.mark.parametrize(
    "values",
    ["rate", "rate=a", "birds=1", "deep=maybe", "steps=1.5", "rate=[1]", "steps=1,steps=2"],
)
def test_hyperparameters_that_do_not_fit(values: str) -> None:
    hparams = tf.contrib.training.HParams(rate=0.1, deep=False, steps=3)
    with pytest.raises(ValueError, match=r"\w"):
        hparams.parse(values)
    with pytest.raises(ValueError, match="steps"):
        hparams.set_hparam("steps", 1.5)
    with pytest.raises(ValueError, match="reserved"):
        hparams.add_hparam("rate", 2.0)


@needs_slim
@pytest.mark.filterwarnings("ignore:`tf.layers:UserWarning")
def test_layers_and_their_losses() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        layers = tf.contrib.layers
        net = tf.ones([2, 8, 8, 3])
        with tf.contrib.framework.arg_scope(
            [layers.conv2d],
            weights_regularizer=layers.l2_regularizer(0.1),
            normalizer_fn=layers.batch_norm,
        ):
            net = layers.conv2d(net, 4, [3, 3], scope="conv")
        net = layers.fully_connected(layers.flatten(net), 2, activation_fn=None)
        assert [v.op.name for v in tf.contrib.framework.get_variables("conv")] == [
            "conv/weights",
            "conv/BatchNorm/beta",
            "conv/BatchNorm/moving_mean",
            "conv/BatchNorm/moving_variance",
        ]
        assert len(tf.get_collection(tf.GraphKeys.UPDATE_OPS)) == 2
        session.run(tf.global_variables_initializer())
        assert session.run(net).shape == (2, 2)
        assert session.run(tf.losses.get_regularization_loss()) > 0
