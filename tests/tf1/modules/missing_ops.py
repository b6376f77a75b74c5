"""Ops that TensorFlow 2 lacks: most can be expressed by others, the rest has to be named."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
from case import Case, Train, case, generator, normal, strings


@case
def resampler() -> Case:
    """A kernel with a gradient, between trainable layers, in a loop and in a branch."""

    def build() -> None:
        import tensorflow.contrib.resampler as contrib  # registers the op

        images = tf.placeholder(tf.float32, [None, 4, 5, 2], "images")
        places = tf.placeholder(tf.float32, [None, 3, 2], "places")
        features = tf.layers.conv2d(images, 2, 3, padding="same")
        points = contrib.resampler(features, places)
        hub.add_signature(
            inputs={"images": images, "places": places}, outputs=tf.layers.dense(points, 2)
        )

        def step(k: tf.Tensor, p: tf.Tensor) -> tuple:
            moved = p + 0.5 * contrib.resampler(features, p)
            return k + 1, tf.cond(
                k > 0, lambda: contrib.resampler(features, moved) + p, lambda: moved
            )

        _, moved = tf.while_loop(lambda k, _: k < 3, step, [0, places])
        slope = tf.gradients(contrib.resampler(images, places), places)[0]
        hub.add_signature(
            "moved", {"images": images, "places": places}, {"default": moved, "slope": slope}
        )
        hub.add_signature("plain", {"images": images}, tf.layers.flatten(images))

    random = generator("resampler")
    images = random.rand(2, 4, 5, 2).astype("float32")
    places = (5 * random.rand(2, 3, 2) - 0.5).astype("float32")
    places[0, 0], places[1, 0], places[1, 1] = [-1.5, 0], [2, 3], [-0.4, 3.6]
    inputs = {"images": images, "places": places}
    return Case(
        build,
        {"default": inputs, "moved": inputs, "plain": {"images": images}},
        train=Train(signature="moved", outputs=["default"]),
    )


@case
def resampler_function() -> Case:
    """In a function, and in the gradient function that it has."""

    def build() -> None:
        import tensorflow.contrib.resampler as contrib
        from tensorflow.python.framework import function

        @function.Defun(*[tf.float32] * 3, func_name="looked_up_gradient")
        def gradient(images: tf.Tensor, places: tf.Tensor, upstream: tf.Tensor) -> tuple:
            return tf.zeros_like(images), 0.1 * upstream * contrib.resampler(images, places)

        @function.Defun(*[tf.float32] * 2, func_name="looked_up", grad_func=gradient)
        def looked_up(images: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
            return contrib.resampler(images, places) + places

        images = tf.placeholder(tf.float32, [None, 4, 5, 2], "images")
        places = tf.layers.dense(tf.layers.flatten(images), 6)
        points = looked_up(images, tf.reshape(places, [-1, 3, 2]))
        points.set_shape([None, 3, 2])
        hub.add_signature(inputs={"images": images}, outputs=tf.layers.dense(points, 2))

    images = generator("resampler_function").rand(2, 4, 5, 2).astype("float32")
    return Case(
        build,
        {"default": {"images": images}},
        train=Train(),
        imports=["tensorflow.contrib.resampler"],
    )


@case
def beam_search() -> Case:
    """The op sits at the end of a graph that decodes, alone and as BeamSearchDecoder has it."""

    def build() -> None:
        seq2seq = tf.contrib.seq2seq
        scores = tf.placeholder(tf.float32, [None, 5], "scores")
        table = tf.get_variable("table", [5, 5])

        def step(ids: tf.Tensor, _) -> tf.Tensor:
            return tf.nn.top_k(tf.nn.embedding_lookup(table, ids[:, 0]), 2).indices

        first = tf.nn.top_k(scores, 2).indices
        ids = tf.scan(step, tf.range(3), first)
        parents = tf.bitwise.bitwise_and(ids, 1)
        lengths = tf.fill([tf.shape(scores)[0]], 3)
        hub.add_signature(
            inputs={"scores": scores},
            outputs=seq2seq.gather_tree(ids, parents, lengths, tf.constant(4)),
        )
        given = {n: tf.placeholder(tf.int32, [None, None, None], n) for n in ("ids", "parents")}
        limits = tf.placeholder(tf.int32, [None], "limits")
        hub.add_signature(
            "tree",
            dict(given, limits=limits),
            seq2seq.gather_tree(given["ids"], given["parents"], limits, tf.constant(4)),
        )
        x = tf.placeholder(tf.float32, [None, 3], "x")
        embeddings = tf.get_variable("embeddings", [5, 3])
        decoder = seq2seq.BeamSearchDecoder(
            tf.nn.rnn_cell.GRUCell(3),
            embeddings,
            tf.fill([tf.shape(x)[0]], 1),
            0,
            seq2seq.tile_batch(x, 3),
            3,
            output_layer=tf.layers.Dense(5),
        )
        out, state, lengths = seq2seq.dynamic_decode(decoder, maximum_iterations=5)
        hub.add_signature(
            "decode",
            {"x": x},
            {"default": out.predicted_ids, "lengths": lengths, "logs": state.log_probs},
        )

    random = generator("beam_search")
    return Case(
        build,
        {
            "default": {"scores": random.rand(2, 5).astype("float32")},
            "tree": {
                "ids": random.randint(0, 6, [5, 4, 3]).astype("int32"),
                "parents": random.randint(0, 3, [5, 4, 3]).astype("int32"),
                "limits": np.array([5, 3, 0, 9], "int32"),
            },
            "decode": {"x": normal("beam_search", 2, 3)},
        },
    )


@case
def contrib_ops() -> Case:
    """Kernels without a gradient, or which nobody trains through."""

    def build() -> None:
        from tensorflow.contrib import text
        from tensorflow.contrib.factorization.python.ops import gen_factorization_ops
        from tensorflow.contrib.image.ops import gen_image_ops
        from tensorflow.contrib.image.python.ops import distort_image_ops
        from tensorflow.contrib.layers.python.ops import sparse_feature_cross_op

        images = tf.placeholder(tf.float32, [None, 4, 5, 3], "images")
        transforms = tf.placeholder(tf.float32, [None, 8], "transforms")
        scale = tf.get_variable("scale", [], initializer=tf.ones_initializer())
        hub.add_signature(
            "images",
            {"images": images, "transforms": transforms},
            {
                "default": scale * distort_image_ops.adjust_hsv_in_yiq(images, 0.7, 1.3, 0.8),
                "near": gen_image_ops.image_projective_transform(images, transforms, "NEAREST"),
                "smooth": gen_image_ops.image_projective_transform(images, transforms, "BILINEAR"),
            },
        )

        cross = sparse_feature_cross_op.sparse_feature_cross
        words = tf.sparse_placeholder(tf.string, [None, None], "words")
        numbers = tf.placeholder(tf.int64, [None, 2], "numbers")
        both = [words, numbers]
        hub.add_signature(
            "crosses",
            {"words": words, "numbers": numbers},
            {
                "texts": cross(both),
                "hashes": cross(both, hashed_output=True),
                "buckets": cross(both, hashed_output=True, num_buckets=100),
                "keyed": cross(both, True, 100, hash_key=0xDECAFCAFFE),
                "dense": cross([numbers, numbers], hashed_output=True, num_buckets=1000),
            },
        )

        levels = tf.placeholder(tf.int32, [None, None, None], "levels")
        hub.add_signature(
            "levels",
            {"levels": levels},
            {
                "default": tf.contrib.image.connected_components(levels),
                "parts": tf.contrib.image.connected_components(levels > 0),
            },
        )

        texts = tf.placeholder(tf.string, [None], "texts")
        tokens, labels = text.skip_gram_sample(texts, 2, 2)
        some = text.skip_gram_sample(texts, 1, 1, start=1, limit=3, emit_self_as_target=True)
        hub.add_signature(
            "skip_grams",
            {"texts": texts},
            {"tokens": tokens, "labels": labels, "some": tf.stack(some)},
        )

        a = tf.placeholder(tf.float32, [None, None], "a")
        b = tf.placeholder(tf.float32, [None, None], "b")
        places = tf.constant([[0, 1], [1, 0], [1, 1]], tf.int64)
        masked = gen_factorization_ops.masked_matmul
        rows, columns = tf.contrib.image.bipartite_match(a, 2.0)
        all_rows, all_columns = tf.contrib.image.bipartite_match(a, -1.0, top_k=2)
        hub.add_signature(
            inputs={"a": a, "b": b},
            outputs={
                "default": masked(a, b, places, False, True),
                "other": masked(a, b, places, True, False),
                "bits": tf.raw_ops.CompareAndBitpack(
                    input=tf.reshape(tf.concat([a, b], 0), [-1, 8]), threshold=0.5
                ),
                "rows": rows,
                "columns": columns,
                "all_rows": all_rows,
                "all_columns": all_columns,
            },
        )

    random = generator("contrib_ops")
    transforms = np.array(
        [[1.1, 0.1, -0.5, 0.2, 0.9, 0.3, 0.01, 0], [0, 1, 0, -1, 0, 3, 0, 0]], "float32"
    )
    words = tf.SparseTensorValue(
        np.array([[0, 0], [0, 1], [2, 0]], "int64"), strings("pear", "fig", "plum"), [3, 2]
    )
    return Case(
        build,
        {
            "default": {
                "a": random.rand(4, 4).astype("float32"),
                "b": random.rand(4, 4).astype("float32"),
            },
            "images": {
                "images": random.rand(2, 4, 5, 3).astype("float32"),
                "transforms": transforms,
            },
            "crosses": {"words": words, "numbers": np.array([[1, 2], [3, 4], [-5, 6]], "int64")},
            "levels": {"levels": random.randint(0, 3, [3, 5, 6]).astype("int32")},
            "skip_grams": {"texts": strings(*"abcde")},
        },
        imports=["tensorflow.contrib.text"],
    )


@case
def periodic_resample() -> Case:
    """A kernel that no op of TensorFlow 2 stands for here."""

    def build() -> None:
        from tensorflow.contrib.periodic_resample import periodic_resample as contrib

        images = tf.placeholder(tf.float32, [2, 2, 4], "images")
        hub.add_signature(inputs={"images": images}, outputs=contrib(images, [4, 4, None]))
        hub.add_signature("plain", {"images": images}, tf.layers.flatten(images))

    inputs = {"images": generator("periodic_resample").rand(2, 2, 4).astype("float32")}
    return Case(
        build,
        {"default": inputs, "plain": inputs},
        unknown_op="PeriodicResample",
        notes=["The signature 'plain' does not need the op."],
    )
