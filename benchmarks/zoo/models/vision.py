"""Vision modules beyond classifiers: detection, segmentation, contrast, encoded images."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
from case import TRAIN_AND_SERVE, Case, Train, generator, normal
from entry import entry

OBJECTS = "tf-object-detection"

_SSD = """
ssd {
  num_classes: 3
  image_resizer { fixed_shape_resizer { height: 96 width: 96 } }
  feature_extractor {
    type: "%s"
    depth_multiplier: 0.25
    min_depth: 8
    conv_hyperparams {
      regularizer { l2_regularizer { weight: 0.0004 } }
      initializer { truncated_normal_initializer { stddev: 0.03 } }
      activation: RELU_6
      batch_norm { decay: 0.97 scale: true epsilon: 0.001 }
    }
    %s
  }
  box_coder { faster_rcnn_box_coder { y_scale: 10 x_scale: 10 height_scale: 5 width_scale: 5 } }
  matcher { argmax_matcher { matched_threshold: 0.5 unmatched_threshold: 0.5 } }
  similarity_calculator { iou_similarity {} }
  box_predictor { %s }
  anchor_generator { %s }
  post_processing {
    batch_non_max_suppression {
      score_threshold: 0.0 iou_threshold: 0.6 max_detections_per_class: 4 max_total_detections: 5
    }
    score_converter: SIGMOID
  }
  loss {
    classification_loss { weighted_sigmoid_focal {} }
    localization_loss { weighted_smooth_l1 {} }
  }
}
"""
_PREDICTOR = (
    "convolutional_box_predictor { kernel_size: 1 conv_hyperparams { regularizer { l2_regularizer "
    "{ weight: 0.0004 } } initializer { truncated_normal_initializer { stddev: 0.03 } } } }"
)
_SHARED = (
    "weight_shared_convolutional_box_predictor { depth: 8 num_layers_before_predictor: 1 "
    "kernel_size: 3 conv_hyperparams { activation: RELU_6 regularizer { l2_regularizer { weight: "
    "0.0004 } } initializer { random_normal_initializer { stddev: 0.01 } } batch_norm { scale: "
    "true decay: 0.97 epsilon: 0.001 } } }"
)


def _detector_case(name: str, config: str, size: int) -> Case:
    def build(training: bool) -> None:
        from google.protobuf import text_format  # noqa: PLC0415
        from object_detection.builders import model_builder  # noqa: PLC0415
        from object_detection.protos import model_pb2  # noqa: PLC0415

        proto = text_format.Parse(config, model_pb2.DetectionModel())
        model = model_builder.build(proto, is_training=training)
        images = tf.placeholder(tf.float32, [2, size, size, 3], "images")
        prepared, shapes = model.preprocess(images * 255)
        found = model.predict(prepared, shapes)
        boxes = found["box_encodings"]
        outputs = {
            "default": boxes,
            "class_predictions": found["class_predictions_with_background"],
        }
        if not training:
            detections = model.postprocess(found, shapes)
            outputs.update({n: detections["detection_" + n] for n in ("boxes", "scores")})
        hub.add_signature(inputs={"images": images}, outputs=outputs)

    return Case(
        build,
        {"default": {"images": np.abs(normal(name, 2, size, size, 3)) * 0.3}},
        TRAIN_AND_SERVE,
        Train(tags=("train",), outputs=["default"], learning_rate=1e-5, steps=2),
    )


@entry("SSD", OBJECTS, known_as="google/openimages_v4/ssd/mobilenet_v2")
def ssd_mobilenet_v2() -> Case:
    anchors = "ssd_anchor_generator { num_layers: 6 min_scale: 0.2 max_scale: 0.95 }"
    return _detector_case(
        "ssd_mobilenet_v2", _SSD % ("ssd_mobilenet_v2", "", _PREDICTOR, anchors), 96
    )


@entry("SSD with FPN", OBJECTS)
def ssd_mobilenet_fpn() -> Case:
    anchors = (
        "multiscale_anchor_generator { min_level: 3 max_level: 5 anchor_scale: 4.0 "
        "scales_per_octave: 1 }"
    )
    fpn = "fpn { min_level: 3 max_level: 5 additional_layer_depth: 8 }"
    return _detector_case(
        "ssd_mobilenet_fpn", _SSD % ("ssd_mobilenet_v1_fpn", fpn, _SHARED, anchors), 96
    )


@entry("Faster R-CNN, in training", known_as="google/faster_rcnn/openimages_v4/inception_resnet_v2")
def faster_rcnn_like() -> Case:
    """Proposals by non-max suppression in map_fn, crops by crop_and_resize, a second stage."""

    def build(training: bool) -> None:
        images = tf.placeholder(tf.float32, [2, 16, 16, 3], "images")
        features = tf.layers.conv2d(images, 6, 3, 2, "same", activation=tf.nn.relu)
        objectness = tf.reshape(tf.layers.conv2d(features, 1, 1), [2, -1])
        offsets = tf.reshape(tf.layers.conv2d(features, 4, 1), [2, -1, 4])
        grid = np.stack(np.meshgrid(np.arange(8), np.arange(8), indexing="ij"), -1) / 8.0
        anchors = np.concatenate([grid, grid + 0.25], -1).reshape(1, 64, 4).astype("float32")
        boxes = anchors + 0.05 * tf.tanh(offsets)

        def propose(pair):
            chosen = tf.image.non_max_suppression(pair[0], pair[1], 3, 0.7)
            return tf.gather(pair[0], tf.pad(chosen, [[0, 3 - tf.shape(chosen)[0]]])[:3])

        proposals = tf.map_fn(propose, (boxes, objectness), dtype=tf.float32, back_prop=False)
        proposals = tf.reshape(proposals, [6, 4])
        crops = tf.image.crop_and_resize(features, proposals, [0, 0, 0, 1, 1, 1], [4, 4])
        crops = tf.layers.batch_normalization(crops, training=training, momentum=0.9)
        second = tf.layers.dense(tf.layers.flatten(crops), 5)
        hub.add_signature(
            inputs={"images": images},
            outputs={"default": second, "objectness": objectness, "boxes": boxes},
        )

    return Case(
        build,
        {"default": {"images": normal("faster_rcnn", 2, 16, 16, 3)}},
        TRAIN_AND_SERVE,
        Train(tags=("train",), outputs=["default", "objectness"], learning_rate=1e-4, steps=2),
    )


@entry("SimCLR", known_as="google/simclr")
def simclr_like() -> Case:
    """A ResNet with a projection head; block outputs by name, as the published modules."""

    def build(training: bool) -> None:
        images = tf.placeholder(tf.float32, [None, 16, 16, 3], "images")

        def norm(net, relu=True):
            net = tf.layers.batch_normalization(net, training=training, momentum=0.9)
            return tf.nn.relu(net) if relu else net

        net = norm(tf.layers.conv2d(images, 6, 3, 1, "same", use_bias=False))
        outputs = {"initial_conv": net}
        for k, filters in enumerate((6, 8), 1):
            short = tf.layers.conv2d(net, filters, 1, 2, "same", use_bias=False)
            net = norm(tf.layers.conv2d(net, filters, 3, 2, "same", use_bias=False))
            net = tf.layers.conv2d(net, filters, 3, 1, "same", use_bias=False)
            net = tf.nn.relu(norm(net, False) + norm(short, False))
            outputs["block_group%d" % k] = net
        outputs["final_avg_pool"] = pooled = tf.reduce_mean(net, [1, 2])
        outputs["proj_head_output"] = norm(tf.layers.dense(pooled, 5, use_bias=False), False)
        outputs["default"] = pooled
        hub.add_signature(inputs={"images": images}, outputs=outputs)

    return Case(
        build,
        {"default": {"images": normal("simclr", 4, 16, 16, 3)}},
        TRAIN_AND_SERVE,
        Train(tags=("train",), outputs=["proj_head_output"], learning_rate=1e-3, steps=2),
    )


@entry("AmoebaNet", known_as="google/imagenet/amoebanet_a_n18_f448")
def amoeba_like() -> Case:
    """Cells of separable convolutions and pools, with decayed weights."""

    def build(training: bool) -> None:
        images = tf.placeholder(tf.float32, [None, 16, 16, 3], "images")
        decay = tf.contrib.layers.l2_regularizer(4e-5)

        def norm(net):
            return tf.layers.batch_normalization(net, training=training, momentum=0.9)

        def separable(net, size):
            for _ in range(2):
                net = tf.layers.separable_conv2d(
                    tf.nn.relu(net), 6, size, padding="same", depthwise_regularizer=decay,
                    pointwise_regularizer=decay, use_bias=False,
                )  # fmt: skip
                net = norm(net)
            return net

        before = net = norm(tf.layers.conv2d(images, 6, 3, 2, "same", use_bias=False))
        for _ in range(2):
            states = [
                separable(net, 3) + tf.layers.average_pooling2d(before, 3, 1, "same"),
                separable(before, 5) + tf.layers.max_pooling2d(net, 3, 1, "same"),
            ]
            joined = tf.nn.relu(tf.concat(states, 3))
            before, net = net, norm(tf.layers.conv2d(joined, 6, 1, use_bias=False))
        hub.add_signature(inputs={"images": images}, outputs=tf.reduce_mean(net, [1, 2]))

    return Case(
        build,
        {"default": {"images": normal("amoeba", 3, 16, 16, 3)}},
        TRAIN_AND_SERVE,
        Train(tags=("train",), learning_rate=1e-3, steps=2),
    )


@entry("U-Net")
def u_net() -> Case:
    def build() -> None:
        images = tf.placeholder(tf.float32, [None, 16, 16, 1], "images")
        net, kept = images, []
        for filters in (4, 6):
            net = tf.layers.conv2d(net, filters, 3, padding="same", activation=tf.nn.relu)
            kept.append(net)
            net = tf.layers.max_pooling2d(net, 2, 2)
        for filters, skip in zip((6, 4), kept[::-1]):
            net = tf.layers.conv2d_transpose(net, filters, 2, 2)
            net = tf.layers.conv2d(tf.concat([net, skip], 3), filters, 3, padding="same")
        logits = tf.layers.conv2d(net, 2, 1)
        hub.add_signature(
            inputs={"images": images},
            outputs={"default": logits, "mask": tf.argmax(logits, 3, output_type=tf.int32)},
        )

    return Case(
        build,
        {"default": {"images": normal("u_net", 2, 16, 16, 1)}},
        train=Train(outputs=["default"], learning_rate=1e-4, steps=2),
    )


@entry("DeepLab")
def deeplab_like() -> Case:
    """Atrous convolutions, image pooling, bilinear upsampling to the input's own size."""

    def build(training: bool) -> None:
        images = tf.placeholder(tf.float32, [None, None, None, 3], "images")
        net = tf.layers.conv2d(images, 6, 3, 2, "same", activation=tf.nn.relu)
        branches = [
            tf.layers.conv2d(net, 4, 3, padding="same", dilation_rate=rate) for rate in (1, 2, 3)
        ]
        pooled = tf.reduce_mean(net, [1, 2], keepdims=True)
        size = tf.shape(net)[1:3]
        branches.append(tf.image.resize_bilinear(tf.layers.conv2d(pooled, 4, 1), size, True))
        net = tf.concat(branches, 3)
        net = tf.nn.relu(tf.layers.batch_normalization(net, training=training, momentum=0.9))
        logits = tf.layers.conv2d(net, 3, 1)
        whole = tf.image.resize_bilinear(logits, tf.shape(images)[1:3], align_corners=True)
        hub.add_signature(inputs={"images": images}, outputs=whole)

    return Case(
        build,
        {"default": {"images": normal("deeplab", 2, 13, 17, 3)}},
        TRAIN_AND_SERVE,
        Train(tags=("train",), learning_rate=1e-5, steps=2),
    )


@entry("FaceNet")
def facenet_like() -> Case:
    """Inception-ResNet blocks, weight decay, unit embeddings, a switch for the phase."""

    def build() -> None:
        from tensorflow.contrib import slim  # noqa: PLC0415

        images = tf.placeholder(tf.float32, [None, 16, 16, 3], "image_batch")
        phase = tf.placeholder_with_default(False, [], "phase_train")
        normalizer = {"is_training": phase, "decay": 0.9, "updates_collections": None}
        with slim.arg_scope(
            [slim.conv2d, slim.fully_connected],
            weights_regularizer=slim.l2_regularizer(5e-4),
            normalizer_fn=slim.batch_norm,
            normalizer_params=normalizer,
        ):
            net = slim.conv2d(images, 6, 3, 2)
            for _ in range(2):
                mixed = tf.concat([slim.conv2d(net, 4, 1), slim.conv2d(net, 4, 3)], 3)
                net += 0.17 * slim.conv2d(mixed, 6, 1, activation_fn=None, normalizer_fn=None)
                net = tf.nn.relu(net)
            net = slim.fully_connected(tf.reduce_mean(net, [1, 2]), 5, activation_fn=None)
        hub.add_signature(
            inputs={"image_batch": images, "phase_train": phase},
            outputs={"default": tf.nn.l2_normalize(net, 1, 1e-10), "raw": net},
        )

    inputs = {"image_batch": normal("facenet", 4, 16, 16, 3), "phase_train": np.bool_(False)}
    return Case(
        build, {"default": inputs}, train=Train(outputs=["raw"], learning_rate=0.01, steps=2)
    )


@entry("Module of encoded images", known_as="google/image_augmentation")
def encoded_images() -> Case:
    """Files of JPEG and PNG as strings, decoded in map_fn, resized, classified."""

    def build() -> None:
        files = tf.placeholder(tf.string, [None], "files")

        def decode(data):
            image = tf.image.decode_image(data, channels=3)
            image.set_shape([None, None, 3])
            image = tf.image.convert_image_dtype(image, tf.float32)
            return tf.image.resize_images(image, [8, 8])

        images = tf.map_fn(decode, files, dtype=tf.float32)
        net = tf.layers.conv2d(images, 5, 3, 2, activation=tf.nn.relu)
        hub.add_signature(
            inputs={"files": files},
            outputs={"default": tf.layers.dense(tf.layers.flatten(net), 4), "images": images},
        )

    with tf.Graph().as_default(), tf.Session() as session:
        pixels = generator("encoded").randint(0, 255, [9, 11, 3]).astype("uint8")
        files = session.run([tf.image.encode_png(pixels), tf.image.encode_png(pixels[:7])])
    return Case(
        build,
        {"default": {"files": np.array(files, dtype=object)}},
        train=Train(outputs=["default"], learning_rate=0.01, steps=2),
    )


@entry("MobileNet of tf.keras", "tensorflow 1.15")
def keras_mobilenet() -> Case:
    def build(training: bool) -> None:
        images = tf.placeholder(tf.float32, [None, 32, 32, 3], "images")
        model = tf.keras.applications.MobileNetV2(
            (32, 32, 3), alpha=0.35, include_top=False, weights=None, pooling="avg"
        )
        found = model(images, training=training)
        for update in model.get_updates_for(images):
            tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, update)
        hub.add_signature(inputs={"images": images}, outputs=found)

    return Case(
        build,
        {"default": {"images": normal("keras_mobilenet", 2, 32, 32, 3)}},
        TRAIN_AND_SERVE,
        Train(tags=("train",), learning_rate=1e-6, steps=2),
    )


@entry("DenseNet of tf.keras", "tensorflow 1.15")
def keras_densenet() -> Case:
    def build() -> None:
        images = tf.placeholder(tf.float32, [None, 32, 32, 3], "images")
        from tensorflow.python.keras.applications import densenet  # noqa: PLC0415

        model = densenet.DenseNet(
            [2, 2, 2, 2], include_top=False, weights=None, input_shape=(32, 32, 3), pooling="avg"
        )
        hub.add_signature(inputs={"images": images}, outputs=model(images, training=False))

    return Case(
        build,
        {"default": {"images": normal("keras_densenet", 2, 32, 32, 3)}},
        train=Train(learning_rate=1e-5, steps=2),
    )


@entry("DELF", known_as="google/delf")
def delf_like() -> Case:
    """An image pyramid in a while loop without gradients, boxes by non-max suppression."""

    def build() -> None:
        image = tf.placeholder(tf.uint8, [None, None, 3], "image")
        scales = tf.placeholder(tf.float32, [None], "image_scales")
        threshold = tf.placeholder_with_default(0.0, [], "score_threshold")
        most = tf.placeholder_with_default(8, [], "max_feature_num")
        pixels = (tf.cast(image, tf.float32) - 128) / 128

        def network(batch):
            with tf.variable_scope("network", reuse=tf.AUTO_REUSE):
                net = tf.layers.conv2d(batch, 4, 3, 2, "same", activation=tf.nn.relu, name="a")
                net = tf.layers.conv2d(net, 6, 3, 2, "same", activation=tf.nn.relu, name="b")
                return net, tf.layers.conv2d(net, 1, 1, activation=tf.nn.softplus, name="attention")

        def at_scale(k, boxes, features, scores, taken):
            size = tf.cast(tf.round(tf.cast(tf.shape(image)[:2], tf.float32) * scales[k]), tf.int32)
            net, attention = network(tf.image.resize_bilinear(pixels[None], size))
            where = tf.where(attention[0, :, :, 0] > threshold)
            corners = tf.cast(where, tf.float32) * 4 / scales[k]
            found = tf.concat([corners, corners + 8 / scales[k]], 1)
            return (
                k + 1,
                tf.concat([boxes, found], 0),
                tf.concat([features, tf.gather_nd(net[0], where)], 0),
                tf.concat([scores, tf.gather_nd(attention[0, :, :, 0], where)], 0),
                tf.concat([taken, tf.fill([tf.shape(where)[0]], scales[k])], 0),
            )

        start = [0, tf.zeros([0, 4]), tf.zeros([0, 6]), tf.zeros([0]), tf.zeros([0])]
        shapes = [[], [None, 4], [None, 6], [None], [None]]
        _, boxes, features, scores, taken = tf.while_loop(
            lambda k, *_: k < tf.size(scales), at_scale, start,
            [tf.TensorShape(s) for s in shapes], back_prop=False, parallel_iterations=1,
        )  # fmt: skip
        kept = tf.image.non_max_suppression(boxes, scores, most, 0.8)
        network_output, _ = network(pixels[None])
        hub.add_signature(
            inputs={
                "image": image,
                "image_scales": scales,
                "score_threshold": threshold,
                "max_feature_num": most,
            },
            outputs={
                "locations": tf.gather(boxes, kept),
                "descriptors": tf.nn.l2_normalize(tf.gather(features, kept), 1),
                "scales": tf.gather(taken, kept),
                "global": tf.reduce_mean(network_output, [1, 2]),
            },
        )

    inputs = {
        "image": generator("delf").randint(0, 256, [20, 24, 3]).astype("uint8"),
        "image_scales": np.array([0.5, 0.7071, 1.0], "float32"),
        "score_threshold": np.float32(0.1),
        "max_feature_num": np.int32(8),
    }
    return Case(
        build,
        {"default": inputs},
        train=Train(outputs=["descriptors", "global"], learning_rate=1e-3, steps=2),
    )


def _squeeze(net, channels):
    pooled = tf.reduce_mean(net, [1, 2], keepdims=True)
    gate = tf.layers.conv2d(tf.layers.conv2d(pooled, 2, 1, activation=tf.nn.relu), channels, 1)
    return net, gate


@entry("EfficientNet", known_as="google/efficientnet/b0")
def efficientnet_like() -> Case:
    """Inverted bottlenecks, squeeze and excitation, swish."""

    def build(training: bool) -> None:
        images = tf.placeholder(tf.float32, [None, 16, 16, 3], "images")

        def norm(net):
            return tf.layers.batch_normalization(net, training=training, momentum=0.9)

        def swish(net):
            return net * tf.sigmoid(net)  # tf.nn.swish has a gradient that no module keeps

        net = swish(norm(tf.layers.conv2d(images, 6, 3, 2, "same", use_bias=False)))
        for stride in (1, 2):
            wide = swish(norm(tf.layers.conv2d(net, 12, 1, use_bias=False)))
            kernel = tf.get_variable("depthwise%d" % stride, [3, 3, 12, 1])
            wide = tf.nn.depthwise_conv2d(wide, kernel, [1, stride, stride, 1], "SAME")
            wide, gate = _squeeze(swish(norm(wide)), 12)
            narrow = norm(tf.layers.conv2d(wide * tf.sigmoid(gate), 6, 1, use_bias=False))
            net = net + narrow if stride == 1 else narrow
        hub.add_signature(
            inputs={"images": images},
            outputs={"default": tf.reduce_mean(net, [1, 2]), "reduction": net},
        )

    return Case(
        build,
        {"default": {"images": normal("efficientnet", 4, 16, 16, 3)}},
        TRAIN_AND_SERVE,
        Train(tags=("train",), outputs=["default"], learning_rate=1e-3, steps=2),
    )


@entry("MobileNet v3", known_as="google/imagenet/mobilenet_v3_small_100_224")
def mobilenet_v3_like() -> Case:
    """Hard swish, squeeze and excitation with a hard sigmoid, dynamic batch normalization."""

    def build(training: bool) -> None:
        images = tf.placeholder(tf.float32, [None, 16, 16, 3], "images")
        momentum = tf.placeholder_with_default(0.9, [], "batch_norm_momentum")

        def norm(net):
            return tf.layers.batch_normalization(
                net, training=training, momentum=momentum, fused=False
            )

        def hard_swish(net):
            return net * tf.nn.relu6(net + 3) / 6

        net = hard_swish(norm(tf.layers.conv2d(images, 6, 3, 2, "same", use_bias=False)))
        for _ in range(2):
            wide = norm(tf.layers.separable_conv2d(net, 12, 5, padding="same", use_bias=False))
            wide, gate = _squeeze(hard_swish(wide), 12)
            wide *= tf.nn.relu6(gate + 3) / 6
            net += norm(tf.layers.conv2d(wide, 6, 1, use_bias=False))
        pooled = tf.layers.average_pooling2d(net, 8, 8)
        logits = tf.squeeze(tf.layers.conv2d(hard_swish(pooled), 5, 1), [1, 2])
        hub.add_signature(
            inputs={"images": images, "batch_norm_momentum": momentum}, outputs=logits
        )

    inputs = {
        "images": normal("mobilenet_v3", 4, 16, 16, 3),
        "batch_norm_momentum": np.float32(0.8),
    }
    return Case(
        build,
        {"default": inputs},
        TRAIN_AND_SERVE,
        Train(tags=("train",), learning_rate=1e-3, steps=2),
    )
