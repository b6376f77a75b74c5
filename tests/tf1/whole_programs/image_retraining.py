"""Retrains the last layer on an image module: bottlenecks that are cached, distortions, exports."""

from __future__ import absolute_import
from __future__ import division
from __future__ import print_function

import argparse
import json
import os
import sys

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
from tensorflow.python.platform import gfile

FLAGS = None
CLASSES = 3


def make_images(folder):
    rng = np.random.RandomState(1)
    paths = []
    with tf.Graph().as_default(), tf.Session() as sess:
        content = tf.placeholder(tf.uint8, [None, None, 3])
        encoded = tf.image.encode_png(content)
        for k in range(9):
            image = rng.randint(0, 128, size=[12, 10, 3]).astype(np.uint8)
            image[:, :, k % CLASSES] += 100
            path = os.path.join(folder, "image_%d.png" % k)
            with gfile.FastGFile(path, "wb") as f:
                f.write(sess.run(encoded, {content: image}))
            paths.append(path)
    return paths


def add_decoding(module_spec):
    height, width = hub.get_expected_image_size(module_spec)
    depth = hub.get_num_image_channels(module_spec)
    data = tf.placeholder(tf.string, name="DecodeInput")
    decoded = tf.image.decode_png(data, channels=depth)
    image = tf.image.convert_image_dtype(decoded, tf.float32)
    resized = tf.image.resize_bilinear(tf.expand_dims(image, 0), tf.stack([height, width]))
    return data, resized


def add_distortions(module_spec):
    height, width = hub.get_expected_image_size(module_spec)
    data = tf.placeholder(tf.string, name="DistortInput")
    image = tf.image.convert_image_dtype(tf.image.decode_png(data, channels=3), tf.float32)
    scale = tf.random_uniform(shape=[], minval=1.0, maxval=1.3, seed=11)
    size = tf.to_int32(tf.to_float([height, width]) * scale)
    precropped = tf.squeeze(
        tf.image.resize_bilinear(tf.expand_dims(image, 0), size), squeeze_dims=[0]
    )
    cropped = tf.random_crop(precropped, [height, width, 3], seed=12)
    flipped = tf.image.random_flip_left_right(cropped, seed=13)
    brightness = tf.random_uniform(shape=[], minval=0.9, maxval=1.1, seed=14)
    result = tf.multiply(flipped, brightness)
    return data, tf.expand_dims(result, 0, name="DistortResult")


def create_module_graph(module_spec):
    height, width = hub.get_expected_image_size(module_spec)
    with tf.Graph().as_default() as graph:
        tf.set_random_seed(5)
        resized_input_tensor = tf.placeholder(tf.float32, [None, height, width, 3])
        m = hub.Module(module_spec)
        bottleneck_tensor = m(resized_input_tensor)
    return graph, bottleneck_tensor, resized_input_tensor


def add_final_retrain_ops(bottleneck_tensor):
    size = bottleneck_tensor.get_shape().as_list()[1]
    with tf.name_scope("input"):
        bottleneck_input = tf.placeholder_with_default(
            bottleneck_tensor, shape=[None, size], name="BottleneckInputPlaceholder"
        )
        ground_truth = tf.placeholder(tf.int64, [None], name="GroundTruthInput")
    with tf.name_scope("final_retrain_ops"):
        initial = tf.truncated_normal([size, CLASSES], stddev=0.1, seed=7)
        weights = tf.Variable(initial, name="final_weights")
        biases = tf.Variable(tf.zeros([CLASSES]), name="final_biases")
        logits = tf.matmul(bottleneck_input, weights) + biases
        tf.summary.histogram("pre_activations", logits)
    final_tensor = tf.nn.softmax(logits, name="final_result")
    with tf.name_scope("cross_entropy"):
        loss = tf.losses.sparse_softmax_cross_entropy(labels=ground_truth, logits=logits)
    tf.summary.scalar("cross_entropy", loss)
    with tf.name_scope("train"):
        train_step = tf.train.GradientDescentOptimizer(0.5).minimize(loss)
    with tf.name_scope("accuracy"):
        correct = tf.equal(tf.argmax(final_tensor, 1), ground_truth)
        accuracy = tf.reduce_mean(tf.cast(correct, tf.float32))
    return train_step, loss, bottleneck_input, ground_truth, final_tensor, accuracy


def get_or_create_bottleneck(sess, path, decode, resized_input_tensor, bottleneck_tensor):
    cache = path + ".txt"
    if not tf.gfile.Exists(cache):
        data, resized = decode
        image = sess.run(resized, {data: tf.gfile.GFile(path, "rb").read()})
        values = sess.run(bottleneck_tensor, {resized_input_tensor: image})
        with open(cache, "w") as f:
            f.write(",".join(repr(float(x)) for x in np.squeeze(values)))
    with open(cache) as f:
        return [float(x) for x in f.read().split(",")]


def main(_):
    tf.logging.set_verbosity(tf.logging.ERROR)
    tf.gfile.MakeDirs(os.path.join(FLAGS.out, "summaries"))
    paths = make_images(FLAGS.out)
    labels = [k % CLASSES for k in range(len(paths))]
    module_spec = hub.load_module_spec(os.path.join(FLAGS.modules, "image_bn", "module"))
    graph, bottleneck_tensor, resized_input_tensor = create_module_graph(module_spec)
    record = {"losses": [], "distorted_losses": []}
    with graph.as_default():
        train_step, loss, bottleneck_input, ground_truth, final, accuracy = add_final_retrain_ops(
            bottleneck_tensor
        )
        decode = add_decoding(module_spec)
        distort = add_distortions(module_spec)
    with tf.Session(graph=graph) as sess:
        sess.run(tf.global_variables_initializer())
        merged = tf.summary.merge_all()
        writer = tf.summary.FileWriter(os.path.join(FLAGS.out, "summaries"), sess.graph)
        bottlenecks = [
            get_or_create_bottleneck(sess, path, decode, resized_input_tensor, bottleneck_tensor)
            for path in paths
        ]
        for step in range(5):
            feed = {bottleneck_input: bottlenecks, ground_truth: labels}
            summary, value, _ = sess.run([merged, loss, train_step], feed)
            writer.add_summary(summary, step)
            record["losses"].append(float(value))
        for _ in range(3):
            distorted = []
            for path in paths:
                image = sess.run(distort[1], {distort[0]: gfile.GFile(path, "rb").read()})
                distorted.append(
                    np.squeeze(sess.run(bottleneck_tensor, {resized_input_tensor: image}))
                )
            feed = {bottleneck_input: distorted, ground_truth: labels}
            record["distorted_losses"].append(float(sess.run([loss, train_step], feed)[0]))
        record["accuracy"] = float(
            sess.run(accuracy, {bottleneck_input: bottlenecks, ground_truth: labels})
        )
        train_saver = tf.train.Saver()
        checkpoint = train_saver.save(sess, os.path.join(FLAGS.out, "retrain_checkpoint"))
        writer.close()

    graph, bottleneck_tensor, resized_input_tensor = create_module_graph(module_spec)
    with graph.as_default(), tf.Session(graph=graph) as sess:
        final = add_final_retrain_ops(bottleneck_tensor)[4]
        tf.train.Saver().restore(sess, checkpoint)
        images = np.random.RandomState(2).rand(2, 8, 8, 3)
        record["restored"] = sess.run(final, {resized_input_tensor: images}).tolist()
        frozen = tf.graph_util.convert_variables_to_constants(
            sess, graph.as_graph_def(), [final.op.name]
        )
        inputs = {"image": tf.saved_model.utils.build_tensor_info(resized_input_tensor)}
        outputs = {"prediction": tf.saved_model.utils.build_tensor_info(final)}
        signature = tf.saved_model.signature_def_utils.build_signature_def(
            inputs=inputs,
            outputs=outputs,
            method_name=tf.saved_model.signature_constants.PREDICT_METHOD_NAME,
        )
        builder = tf.saved_model.builder.SavedModelBuilder(os.path.join(FLAGS.out, "saved_model"))
        builder.add_meta_graph_and_variables(
            sess,
            [tf.saved_model.tag_constants.SERVING],
            signature_def_map={"serving_default": signature},
            legacy_init_op=tf.group(tf.tables_initializer(), name="legacy_init_op"),
        )
        builder.save()
    with tf.Graph().as_default(), tf.Session() as sess:
        feeds = {resized_input_tensor.name: images}
        (fetched,) = tf.import_graph_def(frozen, return_elements=[final.name], name="")
        record["frozen"] = sess.run(fetched, feeds).tolist()
    with tf.Session(graph=tf.Graph()) as sess:
        tf.saved_model.loader.load(sess, ["serve"], os.path.join(FLAGS.out, "saved_model"))
        record["served"] = sess.run(final.name, feeds).tolist()
    with open(os.path.join(FLAGS.out, "record.json"), "w") as f:
        json.dump(record, f, indent=1, sort_keys=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--modules")
    parser.add_argument("--data")
    parser.add_argument("--out")
    FLAGS, unparsed = parser.parse_known_args()
    tf.app.run(main=main, argv=[sys.argv[0]] + unparsed)
