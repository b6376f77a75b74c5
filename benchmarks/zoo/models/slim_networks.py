"""Image and video networks of TF-Slim's model code, as the image modules on TF Hub were made."""

from __future__ import annotations

import tensorflow as tf
import tensorflow_hub as hub
from case import TRAIN_AND_SERVE, Case, Train, normal
from entry import entry
from tensorflow.contrib import slim

SLIM = "tf_slim"
NETS = "tf-object-detection (TF-Slim's nets)"


def image_case(name, network, size, rate=1e-5, steps=2, train=True, frames=None, shards=1) -> Case:
    """A case of a network: a function of images and is_training that gives features by name."""

    def build(training: bool) -> None:
        shape = [None] + ([frames] if frames else []) + [size, size, 3]
        images = tf.placeholder(tf.float32, shape, "images")
        hub.add_signature(inputs={"images": images}, outputs=network(images, training))
        if not frames:
            hub.add_signature("pooled", {"images": images}, tf.reduce_mean(images, [1, 2]))

    shape = [2] + ([frames] if frames else []) + [size, size, 3]
    inputs = {"default": {"images": normal(name, *shape) * 0.3}}
    how = Train(tags=("train",), outputs=["default"], learning_rate=rate, steps=steps)
    return Case(
        build,
        inputs,
        TRAIN_AND_SERVE,
        how if train else None,
        shards=shards,
    )


def _spatial_mean(net):
    return tf.reduce_mean(net, list(range(1, net.shape.rank - 1)))


@entry("Inception v1", SLIM, known_as="google/imagenet/inception_v1 (GoogLeNet)")
def inception_v1() -> Case:
    from tf_slim.nets import inception  # noqa: PLC0415

    def network(images, training):
        with slim.arg_scope([]):
            logits, ends = inception.inception_v1(
                images, 11, is_training=training, dropout_keep_prob=1.0, spatial_squeeze=True
            )
        return {"default": logits, "Mixed_4b": ends["Mixed_4b"]}

    return image_case("inception_v1", network, 224, rate=1e-4)


@entry("Inception v2", SLIM, known_as="google/imagenet/inception_v2")
def inception_v2() -> Case:
    from tf_slim.nets import inception  # noqa: PLC0415

    def network(images, training):
        logits, ends = inception.inception_v2(
            images, 11, is_training=training, dropout_keep_prob=1.0, depth_multiplier=0.25
        )
        return {"default": logits, "Mixed_4a": ends["Mixed_4a"]}

    return image_case("inception_v2", network, 224)


@entry("Inception v4", NETS)
def inception_v4() -> Case:
    from nets import inception_v4 as code  # noqa: PLC0415

    def network(images, training):
        with slim.arg_scope(code.inception_v4_arg_scope()):
            with slim.arg_scope([slim.batch_norm], is_training=training):
                net, _ = code.inception_v4_base(images, "Mixed_5e")
        return {"default": _spatial_mean(net)}

    return image_case("inception_v4", network, 96)


@entry("Inception-ResNet v2", NETS, known_as="google/imagenet/inception_resnet_v2")
def inception_resnet_v2() -> Case:
    from nets import inception_resnet_v2 as code  # noqa: PLC0415

    def network(images, training):
        with slim.arg_scope(code.inception_resnet_v2_arg_scope()):
            with slim.arg_scope([slim.batch_norm], is_training=training):
                net, ends = code.inception_resnet_v2_base(images, "Mixed_5b")
        return {"default": _spatial_mean(net), "map": net}

    return image_case("inception_resnet_v2", network, 96)


@entry("ResNet v1", SLIM, known_as="google/imagenet/resnet_v1_50")
def resnet_v1_50() -> Case:
    from tf_slim.nets import resnet_v1  # noqa: PLC0415

    def network(images, training):
        with slim.arg_scope([]):
            net, ends = resnet_v1.resnet_v1(
                images,
                [resnet_v1.resnet_v1_block("block%d" % k, 8 * k, 3, 2) for k in (1, 2, 3)],
                7,
                is_training=training,
                scope="resnet_v1_small",
            )
        return {"default": net}

    return image_case("resnet_v1_50", network, 64, rate=1e-4)


@entry("MobileNet v1", NETS, known_as="google/imagenet/mobilenet_v1_100_224")
def mobilenet_v1() -> Case:
    from nets import mobilenet_v1 as code  # noqa: PLC0415

    def network(images, training):
        with slim.arg_scope(code.mobilenet_v1_arg_scope(is_training=training)):
            logits, ends = code.mobilenet_v1(
                images, 11, is_training=training, depth_multiplier=0.25, dropout_keep_prob=1.0
            )
        return {"default": logits, "Conv2d_5_depthwise": ends["Conv2d_5_depthwise"]}

    return image_case("mobilenet_v1", network, 128)


@entry("MobileNet v2", NETS, known_as="google/imagenet/mobilenet_v2_100_224")
def mobilenet_v2() -> Case:
    from nets.mobilenet import mobilenet_v2 as code  # noqa: PLC0415

    def network(images, training):
        with slim.arg_scope(code.training_scope(is_training=training, dropout_keep_prob=1.0)):
            logits, _ = code.mobilenet(images, 11, depth_multiplier=0.35)
        return {"default": logits}

    return image_case("mobilenet_v2", network, 96)


@entry(
    "MobileNet, quantized training", NETS, known_as="google/imagenet/mobilenet_v1_100_224/quantops"
)
def mobilenet_v1_quantized() -> Case:
    from nets import mobilenet_v1 as code  # noqa: PLC0415

    def network(images, training):
        with slim.arg_scope(code.mobilenet_v1_arg_scope(is_training=training)):
            logits, _ = code.mobilenet_v1(
                images, 11, is_training=training, depth_multiplier=0.25, dropout_keep_prob=1.0
            )
        graph = tf.get_default_graph()
        if training:
            tf.contrib.quantize.create_training_graph(graph, quant_delay=0)
        else:
            tf.contrib.quantize.create_eval_graph(graph)
        return {"default": graph.get_tensor_by_name(logits.name)}

    case = image_case("mobilenet_v1_quantized", network, 64)
    # The training graph has more variables than the one for inference.
    case.export_tags = ("train",)
    case.train.loss_with_step = True  # the forward pass moves averages
    return case


@entry("NASNet", NETS, known_as="google/imagenet/nasnet_mobile")
def nasnet_cifar() -> Case:
    from nets.nasnet import nasnet  # noqa: PLC0415

    def network(images, training):
        config = nasnet.cifar_config()
        config.set_hparam("num_cells", 3)
        config.set_hparam("num_conv_filters", 8)
        config.set_hparam("drop_path_keep_prob", 1.0)
        config.set_hparam("use_aux_head", 0)
        with slim.arg_scope(nasnet.nasnet_cifar_arg_scope()):
            logits, _ = nasnet.build_nasnet_cifar(images, 10, is_training=training, config=config)
        return {"default": logits}

    return image_case("nasnet_cifar", network, 32)


@entry("NASNet", NETS, known_as="google/imagenet/nasnet_large")
def nasnet_cifar_drop_path() -> Case:
    """The auxiliary head and the steps of drop path are in the training variant only."""
    from nets.nasnet import nasnet  # noqa: PLC0415

    def network(images, training):
        config = nasnet.cifar_config()
        config.set_hparam("num_cells", 3)
        config.set_hparam("num_conv_filters", 8)
        with slim.arg_scope(nasnet.nasnet_cifar_arg_scope()):
            logits, _ = nasnet.build_nasnet_cifar(images, 10, is_training=training, config=config)
        return {"default": logits}

    case = image_case("nasnet_cifar_drop_path", network, 32, train=False)
    case.variants = [case.variants[0]]
    return case


@entry("PNASNet", NETS, known_as="google/imagenet/pnasnet_large")
def pnasnet_mobile() -> Case:
    from nets.nasnet import pnasnet  # noqa: PLC0415

    def network(images, training):
        config = pnasnet.mobile_imagenet_config()
        config.set_hparam("num_cells", 3)
        config.set_hparam("num_conv_filters", 8)
        config.set_hparam("drop_path_keep_prob", 1.0)
        config.set_hparam("dense_dropout_keep_prob", 1.0)
        config.set_hparam("use_aux_head", 0)
        with slim.arg_scope(pnasnet.pnasnet_mobile_arg_scope()):
            logits, _ = pnasnet.build_pnasnet_mobile(
                images, 10, is_training=training, config=config
            )
        return {"default": logits}

    return image_case("pnasnet_mobile", network, 96)


@entry("I3D", NETS, known_as="deepmind/i3d-kinetics-400")
def i3d() -> Case:
    from nets import i3d as code  # noqa: PLC0415

    def network(video, training):
        with slim.arg_scope(code.i3d_arg_scope()):
            net, _ = code.i3d(video, 11, dropout_keep_prob=1.0, is_training=training)
        return {"default": net}

    return image_case("i3d", network, 64, frames=8)


@entry("S3D-G", NETS, known_as="deepmind/mil-nce/s3d")
def s3dg() -> Case:
    from nets import s3dg as code  # noqa: PLC0415

    def network(video, training):
        with slim.arg_scope(code.s3dg_arg_scope()):
            with slim.arg_scope([slim.batch_norm], is_training=training):
                net, _ = code.s3dg_base(video, final_endpoint="Mixed_3c")
        return {"default": _spatial_mean(net)}

    return image_case("s3dg", network, 32, frames=8)


@entry("LeNet", NETS)
def lenet() -> Case:
    from nets import lenet as code  # noqa: PLC0415

    def network(images, training):
        logits, _ = code.lenet(images, 5, is_training=training, dropout_keep_prob=1.0)
        return {"default": logits}

    return image_case("lenet", network, 28, rate=1e-4)


@entry("CycleGAN", NETS)
def cyclegan() -> Case:
    from nets import cyclegan as code  # noqa: PLC0415

    def network(images, training):
        del training
        with slim.arg_scope(code.cyclegan_arg_scope()):
            made, _ = code.cyclegan_generator_resnet(images, num_resnet_blocks=2, num_filters=8)
        return {"default": made}

    return image_case("cyclegan", network, 32, rate=1e-6)


@entry("pix2pix", NETS)
def pix2pix() -> Case:
    from nets import pix2pix as code  # noqa: PLC0415

    def network(images, training):
        images = tf.reshape(images, [2, 32, 32, 3])  # the code asks for a fixed size
        blocks = [code.Block(8, 1.0), code.Block(16, 1.0), code.Block(16, 1.0)]
        with slim.arg_scope(code.pix2pix_arg_scope()):
            made, _ = code.pix2pix_generator(images, 3, blocks, is_training=training)
        return {"default": made}

    return image_case("pix2pix", network, 32, rate=1e-6)


@entry("DCGAN", NETS)
def dcgan() -> Case:
    from nets import dcgan as code  # noqa: PLC0415

    def build(training: bool) -> None:
        z = tf.placeholder(tf.float32, [None, 6], "z")
        made, _ = code.generator(z, is_training=training, depth=4, final_size=16)
        hub.add_signature(inputs={"z": z}, outputs={"default": made})
        images = tf.placeholder(tf.float32, [None, 16, 16, 3], "images")
        score, _ = code.discriminator(images, is_training=training, depth=4)
        hub.add_signature("discriminator", {"images": images}, score)

    return Case(
        build,
        {
            "default": {"z": normal("dcgan", 4, 6)},
            "discriminator": {"images": normal("dcgan/images", 4, 16, 16, 3)},
        },
        TRAIN_AND_SERVE,
        Train(tags=("train",), outputs=["default"], learning_rate=1e-4),
        # Its batch normalization has averages that only the training variant knows.
        export_tags=("train",),
    )


@entry("Inception v3", SLIM, known_as="google/imagenet/inception_v3")
def inception_v3() -> Case:
    from tf_slim.nets import inception  # noqa: PLC0415

    def network(images, training):
        logits, ends = inception.inception_v3(
            images, 11, is_training=training, dropout_keep_prob=1.0, min_depth=4,
            depth_multiplier=0.1, create_aux_logits=False,
        )  # fmt: skip
        return {"default": logits, "Mixed_5d": ends["Mixed_5d"]}

    return image_case("inception_v3", network, 107)


@entry("ResNet v2", SLIM, known_as="google/imagenet/resnet_v2_50")
def resnet_v2_50() -> Case:
    from tf_slim.nets import resnet_v2  # noqa: PLC0415

    def network(images, training):
        net, ends = resnet_v2.resnet_v2(
            images,
            [resnet_v2.resnet_v2_block("block%d" % k, 4 * k, 2, 2) for k in (1, 2, 3)],
            7,
            is_training=training,
            scope="resnet_v2_small",
        )
        return {"default": net, "block1": ends["resnet_v2_small/block1"]}

    return image_case("resnet_v2_50", network, 48, rate=1e-4)


@entry("CifarNet", NETS)
def cifarnet() -> Case:
    from nets import cifarnet as code  # noqa: PLC0415

    def network(images, training):
        with slim.arg_scope(code.cifarnet_arg_scope()):
            logits, ends = code.cifarnet(images, 5, is_training=training, dropout_keep_prob=1.0)
        return {"default": logits, "pool2": ends["pool2"]}

    return image_case("cifarnet", network, 16, rate=1e-4)
