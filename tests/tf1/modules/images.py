"""Image networks of tf.contrib.slim, with the common signatures of image modules."""

from __future__ import annotations

import functools

import tensorflow as tf
import tensorflow_hub as hub
from case import TRAIN_AND_SERVE, Case, Train, case, generator, normal

slim = tf.contrib.slim
_SIZE = 8


def _arguments(training: bool, momentum: tf.Tensor):
    """The slim defaults of a network: weight decay, batch norm."""
    normalization = {"is_training": training, "decay": momentum, "epsilon": 0.01, "scale": True}
    with slim.arg_scope(
        [slim.conv2d, slim.fully_connected],
        weights_regularizer=slim.l2_regularizer(0.001),
        weights_initializer=slim.variance_scaling_initializer(),
        normalizer_fn=slim.batch_norm,
        normalizer_params=normalization,
    ):
        with slim.arg_scope([slim.batch_norm], **normalization) as scope:
            return scope


def _residual_unit(net: tf.Tensor, depth: int, stride: int, scope: str) -> tf.Tensor:
    with tf.variable_scope(scope):
        active = slim.batch_norm(net, activation_fn=tf.nn.relu, scope="preact")
        plain = {"activation_fn": None, "normalizer_fn": None}
        if depth == net.shape[-1]:
            shortcut = slim.max_pool2d(net, 1, stride) if stride > 1 else net
        else:
            shortcut = slim.conv2d(active, depth, 1, stride, scope="shortcut", **plain)
        net = slim.conv2d(active, depth // 2, 1, scope="conv1")
        net = slim.conv2d(net, depth // 2, 3, stride, scope="conv2")
        return shortcut + slim.conv2d(net, depth, 1, scope="conv3", **plain)


def _resnet(images: tf.Tensor, points: dict[str, tf.Tensor]) -> tf.Tensor:
    net = slim.conv2d(images, 4, 3, activation_fn=None, normalizer_fn=None, scope="root")
    net = points["block1"] = _residual_unit(net, 4, 1, "block1")
    net = points["block2"] = _residual_unit(net, 8, 2, "block2")
    net = slim.batch_norm(net, activation_fn=tf.nn.relu, scope="postnorm")
    return tf.reduce_mean(net, [1, 2], name="global_pool")


def _inception(images: tf.Tensor, points: dict[str, tf.Tensor]) -> tf.Tensor:
    net = slim.conv2d(images, 6, 3, stride=2, scope="stem")
    for k in (1,):
        with tf.variable_scope("mixed_%d" % k):
            direct = slim.conv2d(net, 4, 1, scope="direct")
            wide = slim.conv2d(net, 3, 1, scope="wide_1x1")
            wide = slim.conv2d(wide, 4, [1, 3], scope="wide_1x3")
            wide = slim.conv2d(wide, 4, [3, 1], scope="wide_3x1")
            pooled = slim.avg_pool2d(net, 3, 1, padding="SAME", scope="pool")
            pooled = slim.conv2d(pooled, 2, 1, scope="pool_1x1")
            net = tf.concat([direct, wide, pooled], 3)
            points["mixed_%d" % k] = net
    pooled = slim.avg_pool2d(net, net.shape[1:3].as_list(), scope="pool")
    net = slim.dropout(pooled, 1.0, scope="dropout")
    return slim.flatten(net)


def _build(network, prefix: str, training: bool) -> None:
    images = tf.placeholder(tf.float32, [None, _SIZE, _SIZE, 3], "images")
    momentum = tf.placeholder_with_default(0.9, [], "batch_norm_momentum")
    points = {}
    with tf.variable_scope(prefix), slim.arg_scope(_arguments(training, momentum)):
        feature = network(2.0 * images - 1.0, points)
        logits = slim.fully_connected(
            feature, 3, activation_fn=None, normalizer_fn=None, scope="logits"
        )
    for kind, output in (("feature_vector", feature), ("classification", logits)):
        outputs = {"default": output}
        outputs.update(("%s/%s" % (prefix, name), point) for name, point in points.items())
        if kind == "feature_vector":
            hub.add_signature(None, {"images": images}, output)
        hub.add_signature("image_" + kind, {"images": images}, outputs)
        inputs = {"images": images, "batch_norm_momentum": momentum}
        hub.add_signature("image_%s_with_bn_hparams" % kind, inputs, outputs)
    hub.attach_image_module_info(
        hub.ImageModuleInfo(default_image_size={"height": _SIZE, "width": _SIZE})
    )


def _case(network, prefix: str, train: Train) -> Case:
    images = {"images": generator(prefix).rand(6, _SIZE, _SIZE, 3).astype("float32")}
    inputs = {"default": images}
    for kind in ("image_feature_vector", "image_classification"):
        inputs[kind] = images
        inputs[kind + "_with_bn_hparams"] = dict(images, batch_norm_momentum=0.5)
    return Case(functools.partial(_build, network, prefix), inputs, TRAIN_AND_SERVE, train)


@case
def resnet_v2() -> Case:
    train = Train("image_feature_vector_with_bn_hparams", ["train"], ["default"])
    return _case(_resnet, "resnet", train)


@case
def inception() -> Case:
    train = Train("image_classification", ["train"], ["default"])
    return _case(_inception, "inception", train)


def _fused(op: str, training: bool) -> None:
    """Batch norm by one of the ops themselves, with the moving averages that go with it."""
    kernel = getattr(tf.raw_ops, op)
    images = tf.placeholder(tf.float32, [None, 4, 4, 3], "images")
    net = tf.layers.conv2d(images, 4, 3, padding="same", use_bias=False)
    scale = tf.get_variable("scale", [4], initializer=tf.ones_initializer())
    offset = tf.get_variable("offset", [4], initializer=tf.zeros_initializer())
    averages = [
        tf.get_variable(name, [4], initializer=start(), trainable=False)
        for name, start in (("mean", tf.zeros_initializer), ("variance", tf.ones_initializer))
    ]
    given = [tf.constant([]), tf.constant([])] if training else averages
    result = kernel(
        x=net,
        scale=scale,
        offset=offset,
        mean=given[0],
        variance=given[1],
        epsilon=0.01,
        data_format="NHWC",
        is_training=training,
    )
    if training:
        for average, now in zip(averages, (result.batch_mean, result.batch_variance)):
            update = average.assign_sub(0.2 * (average - now))
            tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, update)
    y = tf.layers.conv2d(tf.nn.relu(result.y), 2, 3)
    hub.add_signature(inputs={"images": images}, outputs=tf.reduce_mean(y, [1, 2]))


def _fused_case(op: str, tags: list[str]) -> Case:
    return Case(
        functools.partial(_fused, op),
        {"default": {"images": normal("fused", 5, 4, 4, 3)}},
        TRAIN_AND_SERVE,
        Train(tags=tags),
    )


@case
def fused_bn_v1() -> Case:
    return _fused_case("FusedBatchNorm", ["train"])


@case
def fused_bn_v1_frozen() -> Case:
    return _fused_case("FusedBatchNorm", [])


@case
def fused_bn_v2() -> Case:
    return _fused_case("FusedBatchNormV2", ["train"])


@case
def fused_bn_v3() -> Case:
    return _fused_case("FusedBatchNormV3", ["train"])


@case
def fused_bn_v3_frozen() -> Case:
    return _fused_case("FusedBatchNormV3", [])
