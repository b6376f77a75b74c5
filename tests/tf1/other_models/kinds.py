"""The kinds of files that programs of TensorFlow 1 left behind, one function each."""

import os

import numpy as np
import tensorflow as tf
from recorder import Case

KINDS = {}
layers = tf.layers


def kind(function):
    KINDS[function.__name__] = function
    return function


def _values(*shape):
    return np.random.RandomState(7).uniform(-1, 1, shape).astype(np.float32)


def _session(devices=1):
    tf.set_random_seed(5)
    return tf.Session(config=tf.ConfigProto(device_count={"CPU": devices}))


def _start(session):
    """Initial values that are no zeros and ones, from a seed."""
    session.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
    random = np.random.RandomState(3)
    for variable in tf.global_variables():
        shape = variable.shape.as_list()
        if not variable.dtype.is_floating or "beta" in variable.op.name.split("/")[-1]:
            continue
        value = random.uniform(0.1, 0.6, shape) * random.choice([-1, 1], shape)
        if "variance" in variable.op.name:
            value = np.abs(value) + 0.5
        variable.load(value.astype(variable.dtype.base_dtype.as_numpy_dtype), session)


def _adam(loss):
    """A training part, with slots, summaries, a Python function and a label."""
    labels = tf.placeholder(tf.float32, [None], "labels")
    seen = tf.py_func(lambda value: value, [labels], tf.float32)
    total = tf.reduce_mean(tf.square(loss - tf.reduce_mean(seen)))
    tf.summary.scalar("total", total)
    tf.losses.add_loss(total)
    step = tf.train.get_or_create_global_step()
    return tf.train.AdamOptimizer(0.01).minimize(total, global_step=step, name="train_op")


def _dense(x, units, name, **options):
    with tf.variable_scope(name):
        w = tf.get_variable("w", [x.shape[-1], units], **options)
        b = tf.get_variable("b", [units], initializer=tf.zeros_initializer())
    return tf.matmul(x, w) + b


def _perceptron(keep_prob):
    x = tf.placeholder(tf.float32, [None, 5], "x")
    l2 = lambda w: 0.01 * tf.nn.l2_loss(w)  # noqa: E731
    hidden = tf.nn.relu(_dense(x, 4, "hidden", regularizer=l2))
    if keep_prob:
        hidden = tf.nn.dropout(hidden, keep_prob=tf.placeholder(tf.float32, [], "keep_prob"))
    logits = tf.identity(_dense(hidden, 3, "out"), "logits")
    return x, logits


@kind
def checkpoint(folder):
    """A Saver checkpoint with `.meta`; keep_prob is a placeholder; old-style variables."""
    x, logits = _perceptron(True)
    _adam(logits)
    session = _session()
    _start(session)
    tf.train.Saver().save(session, os.path.join(folder, "model.ckpt"), global_step=12)
    return Case(
        session,
        "model.ckpt-12",
        {"x": (x, _values(6, 5))},
        {"logits": logits},
        feeds={"keep_prob:0": 1.0},
        arguments={"feed_dict": {"keep_prob:0": 1.0}},
    )


@kind
def checkpoint_v1(folder):
    """The first checkpoint format: one file without an index."""
    with tf.variable_scope("", use_resource=True):
        x = tf.placeholder(tf.float32, [None, 6, 6, 2], "images")
        y = layers.conv2d(x, 3, 3, activation=tf.nn.relu, name="conv")
        y = tf.identity(layers.dense(layers.flatten(y), 2, name="top"), "scores")
    _adam(y)
    session = _session()
    _start(session)
    saver = tf.train.Saver(write_version=tf.train.SaverDef.V1)
    saver.save(session, os.path.join(folder, "old.ckpt"))
    return Case(session, "old.ckpt.meta", {"x": (x, _values(2, 6, 6, 2))}, {"default": y})


@kind
def checkpoint_v1_sharded(folder):
    x, logits = _perceptron(False)
    for k, op in enumerate(v.op for v in tf.global_variables()):
        op._set_device("/cpu:%d" % (k % 2))
    session = _session(2)
    _start(session)
    saver = tf.train.Saver(sharded=True, write_version=tf.train.SaverDef.V1)
    saver.save(session, os.path.join(folder, "old.ckpt"))
    return Case(session, "", {"x": (x, _values(6, 5))}, {"logits": logits})


@kind
def checkpoint_sharded(folder):
    """Two shards, and a partitioned embedding."""
    ids = tf.placeholder(tf.int32, [None, 3], "ids")
    with tf.device("/cpu:0"):
        parts = tf.get_variable(
            "embedding", [7, 4], partitioner=tf.fixed_size_partitioner(3), use_resource=False
        )
    with tf.device("/cpu:1"):
        found = tf.nn.embedding_lookup(parts, ids, partition_strategy="div")
        y = tf.nn.tanh(_dense(tf.reduce_mean(found, 1), 2, "top"), name="y")
    session = _session(2)
    _start(session)
    tf.train.Saver(sharded=True).save(session, os.path.join(folder, "model"))
    return Case(session, "", {"ids": (ids, np.arange(6).reshape(2, 3))}, {"y": y})


@kind
def checkpoint_partial(folder):
    """A checkpoint that lacks the variables of a new head."""
    x, logits = _perceptron(False)
    saver = tf.train.Saver()
    head = tf.get_variable("head", [3, 2], initializer=tf.constant_initializer(0.25))
    y = tf.matmul(logits, head, name="y")
    session = _session()
    _start(session)
    session.run(head.initializer)
    saver.save(session, os.path.join(folder, "model"))
    return Case(
        session,
        "model",
        {"x": (x, _values(6, 5))},
        {"y": y},
        arguments={"missing": "initial"},
    )


@kind
def checkpoint_of_averages(folder):
    """A Saver that stores moving averages under the names of averages."""
    x, logits = _perceptron(False)
    averages = tf.train.ExponentialMovingAverage(0.9)
    averages.apply(tf.trainable_variables())
    session = _session()
    _start(session)
    saver = tf.train.Saver(
        {averages.average_name(v): v for v in tf.trainable_variables()}, max_to_keep=1
    )
    saver.save(session, os.path.join(folder, "model"))
    return Case(session, "model", {"x": (x, _values(6, 5))}, {"logits": logits})


@kind
def without_collections(folder):
    """A meta graph from which all collections were cleared, in text."""
    x, logits = _perceptron(False)
    session = _session()
    _start(session)
    saver = tf.train.Saver()
    prefix = os.path.join(folder, "model")
    saver.save(session, prefix, write_meta_graph=False)
    saver.export_meta_graph(prefix + ".meta", collection_list=[], as_text=True)
    graph = tf.get_default_graph()
    graph.clear_collection(tf.GraphKeys.REGULARIZATION_LOSSES)
    return Case(session, "model.meta", {"x": (x, _values(6, 5))}, {"logits": logits})


@kind
def is_training(folder):
    """Batch normalization with a placeholder `is_training`; resource variables."""
    with tf.variable_scope("", use_resource=True):
        x = tf.placeholder(tf.float32, [None, 6, 6, 2], "x")
        flag = tf.placeholder(tf.bool, [], "is_training")
        y = layers.conv2d(x, 3, 3, use_bias=False, name="conv")
        y = layers.batch_normalization(y, training=flag, momentum=0.9, name="bn")
        y = layers.dropout(tf.nn.relu(y), 0.0, training=flag)
        l2 = lambda w: 0.01 * tf.nn.l2_loss(w)  # noqa: E731
        y = layers.dense(tf.reduce_mean(y, [1, 2]), 2, name="top", kernel_regularizer=l2)
    _adam(y)
    session = _session()
    _start(session)
    tf.train.Saver().save(session, os.path.join(folder, "model"))
    return Case(
        session,
        "",
        {"x": (x, _values(3, 6, 6, 2))},
        {"default": y},
        feeds={"is_training:0": False},
        training_feeds={"is_training:0": True},
        arguments={
            "feed_dict": {"is_training:0": False},
            "training_feed_dict": {"is_training:0": True},
        },
    )


@kind
def two_graphs(folder):
    """A SavedModel with a graph for training and one for serving."""

    def build(training):
        x = tf.placeholder(tf.float32, [None, 5], "x")
        y = layers.dense(x, 4, name="hidden")
        y = layers.batch_normalization(y, training=training, momentum=0.8, fused=False, name="bn")
        return x, layers.dense(y, 2, name="top")

    def signature(x, y):
        info = tf.saved_model.build_signature_def(
            {"x": tf.saved_model.build_tensor_info(x)}, {"y": tf.saved_model.build_tensor_info(y)}
        )
        return {"serving_default": info}

    builder = tf.saved_model.Builder(os.path.join(folder, "model"))
    with tf.Graph().as_default():
        train_x, train_y = build(True)
        train_session = _session()
        _start(train_session)
        builder.add_meta_graph_and_variables(
            train_session, ["train"], signature_def_map=signature(train_x, train_y)
        )
    with tf.Graph().as_default():
        x, y = build(False)
        session = _session()
        _start(session)
        builder.add_meta_graph(["serve"], signature_def_map=signature(x, y))
        builder.save()
    value = _values(6, 5)
    train = Case(train_session, "", {"x": (train_x, value)}, {"y": train_y})
    return Case(
        session,
        "model",
        {"x": (x, value)},
        {"y": y},
        train=train,
        signature="serving_default",
        is_named=False,
    )


def _lstm(x, use_resource):
    with tf.variable_scope("rnn", use_resource=use_resource):
        cell = tf.nn.rnn_cell.LSTMCell(3)
        outputs, _ = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32)
        return _dense(outputs[:, -1], 2, "top")


@kind
def simple_save(folder):
    """`simple_save` of a recurrent network with old-style variables."""
    x = tf.placeholder(tf.float32, [None, 4, 2], "x")
    y = _lstm(x, False)
    _adam(y)
    session = _session()
    _start(session)
    tf.saved_model.simple_save(session, os.path.join(folder, "model"), {"x": x}, {"y": y})
    return Case(
        session,
        "model",
        {"x": (x, _values(2, 4, 2))},
        {"y": y},
        signature="serving_default",
        is_named=False,
    )


@kind
def tables(folder):
    """A builder, with a vocabulary in a file, a main op, and several tags."""
    vocabulary = os.path.join(folder, "words.txt")
    with open(vocabulary, "w") as file:
        file.write("one\ntwo\nthree\n")
    words = tf.placeholder(tf.string, [None, None], "words")
    table = tf.contrib.lookup.index_table_from_file(vocabulary, num_oov_buckets=1)
    embedding = tf.get_variable("embedding", [4, 3])
    y = _dense(tf.reduce_mean(tf.nn.embedding_lookup(embedding, table.lookup(words)), 1), 2, "top")
    tf.add_to_collection(tf.GraphKeys.ASSET_FILEPATHS, tf.constant(vocabulary))
    session = _session()
    _start(session)
    session.run(tf.tables_initializer())
    builder = tf.saved_model.Builder(os.path.join(folder, "model"))
    info = tf.saved_model.build_tensor_info
    builder.add_meta_graph_and_variables(
        session,
        ["serve", "cpu"],
        signature_def_map={
            "classify": tf.saved_model.build_signature_def(
                {"words": info(words)}, {"scores": info(y)}, "tensorflow/serving/classify"
            )
        },
        assets_collection=tf.get_collection(tf.GraphKeys.ASSET_FILEPATHS),
        main_op=tf.group(tf.tables_initializer(), tf.no_op("anything")),
    )
    builder.save()
    os.remove(vocabulary)
    value = np.array([["one", "three"], ["two", "what"]])
    return Case(
        session,
        "model",
        {"words": (words, value)},
        {"scores": y},
        signature="classify",
        is_named=False,
    )


@kind
def estimator(folder):
    """The export of an Estimator, which takes serialized Examples."""
    columns = [
        tf.feature_column.numeric_column("size", [2]),
        tf.feature_column.embedding_column(
            tf.feature_column.categorical_column_with_vocabulary_list(
                "kind", ["a", "b"], num_oov_buckets=1
            ),
            2,
        ),
    ]
    model = tf.estimator.DNNClassifier(
        [3],
        columns,
        os.path.join(folder, "run"),
        n_classes=3,
        config=tf.estimator.RunConfig(tf_random_seed=3),
    )

    def data():
        features = {"size": _values(8, 2), "kind": np.array(list("abcabcab"))}
        return tf.data.Dataset.from_tensors((features, np.arange(8) % 3)).repeat()

    model.train(data, steps=3)
    receive = tf.estimator.export.build_parsing_serving_input_receiver_fn(
        tf.feature_column.make_parse_example_spec(columns)
    )
    path = model.export_saved_model(os.path.join(folder, "export"), receive)
    os.rename(path, os.path.join(folder, "model").encode())
    os.rmdir(os.path.join(folder, "export"))
    tf.io.gfile.rmtree(os.path.join(folder, "run"))
    session = _session()
    meta = tf.saved_model.loader.load(session, ["serve"], os.path.join(folder, "model"))
    info = meta.signature_def["predict"]
    example = tf.train.Example()
    example.features.feature["size"].float_list.value.extend([0.5, -0.25])
    example.features.feature["kind"].bytes_list.value.append(b"b")
    get = session.graph.get_tensor_by_name
    return Case(
        session,
        "model",
        {
            n: (get(i.name), np.array([example.SerializeToString()] * 2))
            for n, i in info.inputs.items()
        },
        {n: get(info.outputs[n].name) for n in ("logits", "probabilities")},
        signature="predict",
        is_named=False,
    )


@kind
def queue_fed(folder):
    """A model whose input is taken from a queue of files."""
    names = tf.train.string_input_producer(["/nowhere/a.csv", "/nowhere/b.csv"])
    _, line = tf.TextLineReader().read(names)
    row = tf.stack(tf.decode_csv(line, [[0.0]] * 5))
    batch = tf.train.shuffle_batch([row], 6, 100, 10, name="batch")
    batch.set_shape([None, 5])
    hidden = tf.nn.relu(_dense(batch, 4, "hidden"))
    y = tf.nn.softmax(_dense(hidden, 3, "out"), name="probabilities")
    _adam(y)
    session = _session()
    _start(session)
    tf.train.Saver().save(session, os.path.join(folder, "model"))
    return Case(session, "", {"x": (batch, _values(6, 5))}, {"probabilities": y})


@kind
def iterator_fed(folder):
    """A model whose input comes from an iterator over a dataset that calls Python."""
    data = tf.data.Dataset.from_tensor_slices((_values(6, 5), np.arange(6)))
    data = data.map(lambda x, y: (tf.reshape(tf.py_func(lambda v: v, [x], tf.float32), [5]), y))
    iterator = tf.data.make_initializable_iterator(data.batch(3))
    x, labels = iterator.get_next()
    y = tf.identity(_dense(tf.nn.relu(_dense(x, 4, "hidden")), 3, "out"), "logits")
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=y)
    tf.train.AdagradOptimizer(0.1).minimize(tf.reduce_mean(loss))
    session = _session()
    _start(session)
    tf.train.Saver().save(session, os.path.join(folder, "model"))
    return Case(session, "", {"x": (x, _values(6, 5))}, {"logits": y})


def _freeze(session, folder, outputs, change=None, name="frozen.pb"):
    names = [t.op.name for t in outputs]
    graph_def = tf.graph_util.convert_variables_to_constants(
        session, session.graph.as_graph_def(), names
    )
    if change:
        graph_def = change(graph_def)
    text = name.endswith("txt")
    tf.io.write_graph(graph_def, folder, name, as_text=text)


def _convolutional(resource=False, fused=True):
    with tf.variable_scope("", use_resource=resource):
        x = tf.placeholder(tf.float32, [None, 6, 6, 2], "x")
        y = layers.conv2d(x, 3, 3, name="conv", bias_initializer=tf.ones_initializer())
        y = layers.batch_normalization(y, training=False, name="bn", fused=fused)
        y = layers.flatten(tf.nn.relu(y))
        return x, tf.nn.softmax(layers.dense(y, 2, name="top"), name="scores")


@kind
def frozen(folder):
    x, y = _convolutional()
    session = _session()
    _start(session)
    _freeze(session, folder, [y])
    return Case(
        session,
        "frozen.pb",
        {"x": (x, _values(3, 6, 6, 2))},
        {"default": y},
        arguments={"unfreeze": True},
    )


@kind
def frozen_resource(folder):
    """Frozen resource variables and a loop, in text."""
    x = tf.placeholder(tf.float32, [None, 4, 2], "x")
    y = tf.identity(_lstm(x, True), "y")
    session = _session()
    _start(session)
    _freeze(session, folder, [y], name="frozen.pbtxt")
    return Case(
        session,
        "frozen.pbtxt",
        {"x": (x, _values(2, 4, 2))},
        {"default": y},
        arguments={"unfreeze": True},
    )


@kind
def frozen_embedding(folder):
    """A frozen embedding, a convolution over words and a GRU loop with old-style variables."""
    ids = tf.placeholder(tf.int32, [None, 5], "ids")
    table = tf.get_variable("table", [7, 3])
    words = layers.conv1d(tf.nn.embedding_lookup(table, ids), 3, 3, name="conv")
    states, _ = tf.nn.dynamic_rnn(tf.nn.rnn_cell.GRUCell(2), words, dtype=tf.float32)
    y = tf.identity(tf.reduce_sum(states, 1), "y")
    session = _session()
    _start(session)
    _freeze(session, folder, [y])
    return Case(
        session,
        "frozen.pb",
        {"ids": (ids, np.arange(10).reshape(2, 5) % 7)},
        {"default": y},
        arguments={"unfreeze": True},
    )


@kind
def frozen_optimized(folder):
    """After `optimize_for_inference`, which folds batch normalization into the convolution."""
    from tensorflow.python.tools import optimize_for_inference_lib as lib

    x, y = _convolutional()
    session = _session()
    _start(session)
    number = tf.float32.as_datatype_enum
    _freeze(
        session,
        folder,
        [y],
        lambda graph: lib.optimize_for_inference(graph, ["x"], ["scores"], number),
    )
    return _reopened(folder, {"x": _values(3, 6, 6, 2)}, "scores")


@kind
def frozen_folded(folder):
    """After the transforms fold_constants, fold_batch_norms and strip_unused_nodes."""
    from tensorflow.tools.graph_transforms import TransformGraph

    x, y = _convolutional(True, fused=False)
    session = _session()
    _start(session)
    transforms = ["strip_unused_nodes", "fold_constants(ignore_errors=true)", "fold_batch_norms"]
    transform = lambda graph: TransformGraph(graph, ["x"], ["scores"], transforms)  # noqa: E731
    _freeze(session, folder, [y], transform)
    return _reopened(folder, {"x": _values(3, 6, 6, 2)}, "scores")


def _reopened(folder, values, output):
    """The graph as it was written, with its weights as variables again."""
    graph_def = tf.GraphDef()
    with open(os.path.join(folder, "frozen.pb"), "rb") as file:
        graph_def.ParseFromString(file.read())
    with tf.Graph().as_default() as graph:
        session = _session()
        weights = [
            n
            for n in graph_def.node
            if n.op == "Const"
            and n.attr["dtype"].type == tf.float32.as_datatype_enum
            and tf.make_ndarray(n.attr["value"].tensor).ndim
        ]
        changed, averages = {}, []
        for node in weights:
            value = tf.make_ndarray(node.attr["value"].tensor)
            variable = tf.Variable(value, name=node.name, use_resource=True)
            changed[node.name + ":0"] = variable.read_value()
            if "moving" in node.name:
                averages.append(variable)
        tf.import_graph_def(graph_def, changed, name="again")
        session.run(tf.global_variables_initializer())
        get = graph.get_tensor_by_name
        return Case(
            session,
            "frozen.pb",
            {n: (get("again/%s:0" % n), value) for n, value in values.items()},
            {"default": get("again/%s:0" % output)},
            arguments={"unfreeze": True},
            trainable=[v for v in tf.trainable_variables() if v not in averages],
        )
