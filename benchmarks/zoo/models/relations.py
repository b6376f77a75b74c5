"""Graph networks, recommenders, policies, and other networks that are not about media."""

from __future__ import annotations

import collections

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
from case import TRAIN_AND_SERVE, Case, Train, generator, normal, strings
from entry import entry


@entry("Graph network", "graph-nets")
def graph_network() -> Case:
    def build() -> None:
        import graph_nets as gn  # noqa: PLC0415
        import sonnet as snt  # noqa: PLC0415

        nodes = tf.placeholder(tf.float32, [None, 3], "nodes")
        edges = tf.placeholder(tf.float32, [None, 2], "edges")
        senders = tf.placeholder(tf.int32, [None], "senders")
        receivers = tf.placeholder(tf.int32, [None], "receivers")
        graphs = gn.graphs.GraphsTuple(
            nodes=nodes, edges=edges, globals=tf.zeros([1, 2]), receivers=receivers,
            senders=senders, n_node=tf.shape(nodes)[:1], n_edge=tf.shape(edges)[:1],
        )  # fmt: skip
        network = gn.modules.GraphNetwork(
            lambda: snt.nets.MLP([6, 4]), lambda: snt.nets.MLP([6, 4]), lambda: snt.nets.MLP([5])
        )
        found = network(graphs)
        hub.add_signature(
            inputs={"nodes": nodes, "edges": edges, "senders": senders, "receivers": receivers},
            outputs={"default": found.globals, "nodes": found.nodes},
        )

    random = generator("graph_network")
    inputs = {
        "nodes": normal("graph/nodes", 4, 3),
        "edges": normal("graph/edges", 6, 2),
        "senders": random.randint(0, 4, 6).astype("int32"),
        "receivers": random.randint(0, 4, 6).astype("int32"),
    }
    return Case(build, {"default": inputs}, train=Train(learning_rate=1e-3, steps=2))


@entry("Relational memory", "dm-sonnet 1")
def relational_memory() -> Case:
    def build() -> None:
        import sonnet as snt  # noqa: PLC0415

        x = tf.placeholder(tf.float32, [2, 4, 5], "x")
        core = snt.RelationalMemory(mem_slots=2, head_size=3, num_heads=2)
        output, _ = tf.nn.dynamic_rnn(core, x, initial_state=core.initial_state(2))
        hub.add_signature(inputs={"x": x}, outputs=output)

    return Case(
        build,
        {"default": {"x": normal("memory", 2, 4, 5)}},
        train=Train(learning_rate=1e-3, steps=2),
    )


@entry("Convolutional network of Sonnet", "dm-sonnet 1")
def sonnet_conv_net() -> Case:
    def build(training: bool) -> None:
        import sonnet as snt  # noqa: PLC0415

        images = tf.placeholder(tf.float32, [None, 8, 8, 3], "images")
        network = snt.nets.ConvNet2D(
            [4, 6], [3], [2], ["SAME"], use_batch_norm=True,
            regularizers={"w": tf.contrib.layers.l2_regularizer(0.01)},
        )  # fmt: skip
        found = network(images, is_training=training, test_local_stats=False)
        hub.add_signature(inputs={"images": images}, outputs=snt.BatchFlatten()(found))

    return Case(
        build,
        {"default": {"images": normal("sonnet_conv_net", 3, 8, 8, 3)}},
        TRAIN_AND_SERVE,
        Train(tags=("train",), learning_rate=1e-3, steps=2),
    )


def _deepctr_case(name, make) -> Case:
    """A Keras model of DeepCTR as a module: its Input layers are placeholders."""

    def build() -> None:
        model = make()
        inputs = dict(zip(model.input_names, model.inputs))
        hub.add_signature(inputs=inputs, outputs=model.outputs[0])

    inputs = {
        "user": generator(name).randint(0, 10, [3, 1]).astype("int32"),
        "item": generator(name).randint(0, 10, [3, 1]).astype("int32"),
        "price": normal(name, 3, 1),
    }
    return Case(build, {"default": inputs}, train=Train(learning_rate=1e-2, steps=2))


def _features():
    from deepctr.feature_column import DenseFeat, SparseFeat  # noqa: PLC0415

    return [SparseFeat("user", 10, 4), SparseFeat("item", 10, 4), DenseFeat("price", 1)]


@entry("DeepFM", "deepctr")
def deep_fm() -> Case:
    def make():
        from deepctr.models import DeepFM  # noqa: PLC0415

        return DeepFM(_features(), _features(), dnn_hidden_units=(6, 4))

    return _deepctr_case("deep_fm", make)


@entry("Deep & Cross", "deepctr")
def deep_cross() -> Case:
    def make():
        from deepctr.models import DCN  # noqa: PLC0415

        return DCN(_features(), _features(), cross_num=2, dnn_hidden_units=(6, 4))

    return _deepctr_case("deep_cross", make)


@entry("xDeepFM", "deepctr")
def x_deep_fm() -> Case:
    def make():
        from deepctr.models import xDeepFM  # noqa: PLC0415

        return xDeepFM(_features(), _features(), (6, 4), (4, 4))

    return _deepctr_case("x_deep_fm", make)


@entry("Wide & deep, feature columns")
def wide_and_deep() -> Case:
    def build() -> None:
        columns = tf.feature_column
        word = columns.categorical_column_with_vocabulary_list("word", ["a", "b", "c"])
        place = columns.categorical_column_with_hash_bucket("place", 7)
        cross = columns.crossed_column(["word", "place"], 11)
        features = {
            "word": tf.placeholder(tf.string, [None], "word"),
            "place": tf.placeholder(tf.string, [None], "place"),
            "age": tf.placeholder(tf.float32, [None], "age"),
        }
        deep = columns.input_layer(
            features,
            [
                columns.embedding_column(word, 3),
                columns.embedding_column(place, 3),
                columns.bucketized_column(columns.numeric_column("age"), [18.0, 65.0]),
            ],
        )
        wide = columns.linear_model(features, [cross, word])
        hub.add_signature(
            inputs=features, outputs=wide + tf.layers.dense(tf.layers.dense(deep, 5, tf.nn.relu), 1)
        )

    inputs = {
        "word": strings("a", "c", "other"),
        "place": strings("here", "there", "here"),
        "age": np.array([10, 30, 70], "float32"),
    }
    return Case(build, {"default": inputs}, train=Train(learning_rate=0.1, steps=2))


def _policy(name, make) -> Case:
    def build() -> None:
        state = tf.placeholder(tf.uint8, [None, 84, 84, 4], "state")
        hub.add_signature(inputs={"state": state}, outputs=make(state))

    state = generator(name).randint(0, 255, [2, 84, 84, 4]).astype("uint8")
    return Case(build, {"default": {"state": state}}, train=Train(learning_rate=1e-6, steps=1))


@entry("DQN", "dopamine-rl")
def dqn() -> Case:
    def make(state):
        from dopamine.discrete_domains import atari_lib  # noqa: PLC0415

        kind = collections.namedtuple("network", ["q_values"])
        return atari_lib.nature_dqn_network(4, kind, state).q_values

    return _policy("dqn", make)


@entry("Rainbow", "dopamine-rl")
def rainbow() -> Case:
    def make(state):
        from dopamine.discrete_domains import atari_lib  # noqa: PLC0415

        kind = collections.namedtuple("network", ["q_values", "logits", "probabilities"])
        support = tf.linspace(-10.0, 10.0, 5)
        return atari_lib.rainbow_network(3, 5, support, kind, state).q_values

    return _policy("rainbow", make)


@entry("Recurrent policy")
def recurrent_policy() -> Case:
    """Keeps its state in a variable between calls; a flag resets it."""

    def build() -> None:
        observation = tf.placeholder(tf.float32, [2, 4], "observation")
        reset = tf.placeholder_with_default(False, [], "reset")
        memory = tf.get_variable("memory", [2, 5], trainable=False, use_resource=True)
        cell = tf.nn.rnn_cell.GRUCell(5)
        start = tf.where(reset, tf.zeros([2, 5]), memory.read_value())
        output, state = cell(observation, start)
        with tf.control_dependencies([memory.assign(state)]):
            logits = tf.layers.dense(tf.identity(output), 3)
        hub.add_signature(inputs={"observation": observation, "reset": reset}, outputs=logits)

    inputs = {"observation": normal("policy", 2, 4), "reset": np.bool_(False)}
    return Case(
        build,
        {"default": inputs},
        calls=2,
        train=Train(learning_rate=0.01, steps=2, loss_with_step=True),
    )
