"""Makes a module with a variant for training, trains it, exports it, and loads it again."""

import argparse
import json
import os

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
from tensorflow.contrib import slim
from tensorflow.contrib.training import HParams

HPARAMS = HParams(filters=4, features=3, momentum=0.9)
HPARAMS.parse("filters=3")


def module_fn(is_training):
    images = tf.placeholder(tf.float32, [None, 8, 8, 3])
    initializer = tf.random_uniform_initializer(-0.3, 0.3, seed=2)
    with slim.arg_scope(
        [slim.conv2d],
        weights_initializer=initializer,
        weights_regularizer=slim.l2_regularizer(0.01),
        normalizer_fn=slim.batch_norm,
        normalizer_params={"is_training": is_training, "decay": HPARAMS.momentum},
    ):
        net = slim.conv2d(images, HPARAMS.filters, [3, 3], scope="conv_1")
    net = tf.layers.conv2d(net, HPARAMS.filters, 3, kernel_initializer=initializer, name="conv_2")
    net = tf.layers.batch_normalization(net, training=is_training, momentum=0.8, name="bn")
    net = tf.layers.max_pooling2d(tf.nn.relu(net), 2, 2)
    net = tf.layers.dropout(net, rate=0.25, training=is_training, seed=21)
    net = tf.layers.flatten(net)
    features = tf.layers.dense(
        net,
        HPARAMS.features,
        kernel_initializer=initializer,
        kernel_regularizer=tf.contrib.layers.l2_regularizer(0.02),
        name="features",
    )
    hub.add_signature(inputs={"images": images}, outputs={"default": features, "net": net})
    hub.attach_image_module_info(hub.image_util.ImageModuleInfo())


def main(args):
    tags_and_args = [(set(), {"is_training": False}), ({"train"}, {"is_training": True})]
    spec = hub.create_module_spec(module_fn, tags_and_args=tags_and_args)
    images = np.random.RandomState(3).rand(6, 8, 8, 3).astype(np.float32)
    losses = []
    with tf.Graph().as_default():
        tf.set_random_seed(1)
        m = hub.Module(spec, trainable=True, tags={"train"}, name="encoder")
        outputs = m(images)
        tf.losses.mean_squared_error(tf.ones([6, HPARAMS.features]), outputs)
        loss = tf.losses.get_total_loss()
        update_ops = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
        with tf.control_dependencies(update_ops):
            train_op = tf.train.MomentumOptimizer(0.002, 0.9).minimize(loss)
        n_losses, n_updates = len(tf.losses.get_regularization_losses()), len(update_ops)
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            for _ in range(5):
                losses.append(float(sess.run([loss, train_op])[0]))
            names = sorted(m.variable_map)
            m.export(os.path.join(args.out, "module"), sess)
    with tf.Graph().as_default(), tf.Session() as sess:
        m = hub.Module(os.path.join(args.out, "module"))
        outputs = m({"images": images}, as_dict=True)
        sess.run(tf.global_variables_initializer())
        after = sess.run(outputs)
    record = {
        "losses": losses,
        "counts": [n_losses, n_updates],
        "names": names,
        "default": after["default"].tolist(),
        "net": after["net"].tolist(),
    }
    with open(os.path.join(args.out, "record.json"), "w") as f:
        json.dump(record, f, indent=1, sort_keys=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ("modules", "data", "out"):
        parser.add_argument("--" + name)
    main(parser.parse_args())
