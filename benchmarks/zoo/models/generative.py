"""Generators of images and sketches: GANs, flows, autoencoders, style transfer."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
from case import TRAIN_AND_SERVE, Case, Train, normal
from entry import entry, forget_gradient_of_lstm_blocks


@entry("ProGAN, GANSynth", "magenta", known_as="google/progan-128")
def gansynth() -> Case:
    def build() -> None:
        from magenta.models.gansynth.lib import networks  # noqa: PLC0415

        z = tf.placeholder(tf.float32, [2, 8], "z")
        schedule = networks.ResolutionSchedule("ALL", (4, 4), 2, 3)
        made, _ = networks.generator(
            z, tf.constant(1.5), lambda block: 8, schedule, colors=2, to_rgb_activation=tf.tanh
        )
        hub.add_signature(inputs={"z": z}, outputs=made)

    return Case(
        build,
        {"default": {"z": normal("gansynth", 2, 8)}},
        train=Train(learning_rate=1e-3, steps=2),
    )


@entry("Style transfer, fixed styles", "magenta")
def image_stylization() -> Case:
    """Conditional instance normalization: each style has its scales."""

    def build() -> None:
        from magenta.models.image_stylization import model  # noqa: PLC0415

        images = tf.placeholder(tf.float32, [None, 16, 16, 3], "images")
        style = tf.placeholder(tf.int32, [None], "style")
        params = {"labels": style, "num_categories": 3, "center": True, "scale": True}
        made = model.transform(images, alpha=0.25, normalizer_params=params)
        hub.add_signature(inputs={"images": images, "style": style}, outputs=made)

    inputs = {
        "images": np.abs(normal("image_stylization", 2, 16, 16, 3)) * 0.3,
        "style": np.array([0, 2], "int32"),
    }
    return Case(build, {"default": inputs}, train=Train(learning_rate=1e-5, steps=2))


@entry(
    "Style transfer, arbitrary styles",
    "magenta",
    known_as="google/magenta/arbitrary-image-stylization-v1-256",
)
def arbitrary_stylization() -> Case:
    def build() -> None:
        from magenta.models.arbitrary_image_stylization import (  # noqa: PLC0415
            arbitrary_image_stylization_build_model as code,
        )

        content = tf.placeholder(tf.float32, [None, None, None, 3], "content")
        style = tf.placeholder(tf.float32, [None, None, None, 3], "style")
        made, _, _, bottleneck = code.build_model(
            content, style, trainable=False, is_training=False, inception_end_point="Mixed_5b",
            style_prediction_bottleneck=8, adds_losses=False,
        )  # fmt: skip
        hub.add_signature(
            inputs={"content": content, "style": style},
            outputs={"default": made, "bottleneck": bottleneck},
        )

    inputs = {
        "content": np.abs(normal("arbitrary", 1, 16, 16, 3)) * 0.3,
        "style": np.abs(normal("arbitrary/style", 1, 75, 75, 3)) * 0.3,
    }
    return Case(build, {"default": inputs})


@entry("StyleGAN")
def stylegan() -> Case:
    """A mapping network, modulated convolutions, noise by stateless seeds, truncation."""

    def build() -> None:
        z = tf.placeholder(tf.float32, [None, 6], "z")
        psi = tf.placeholder_with_default(0.7, [], "truncation")
        w = z * tf.rsqrt(tf.reduce_mean(z * z, 1, keepdims=True) + 1e-8)
        for _ in range(3):
            w = tf.nn.leaky_relu(tf.layers.dense(w, 6), 0.2)
        average = tf.get_variable("w_average", [6], trainable=False)
        w = average + psi * (w - average)
        net = tf.tile(tf.get_variable("constant", [1, 4, 4, 6]), [tf.shape(z)[0], 1, 1, 1])
        for size in (4, 8):
            if size > 4:
                net = tf.image.resize_nearest_neighbor(net, [size, size])
            style = tf.layers.dense(w, 6)
            kernel = tf.get_variable("kernel%d" % size, [3, 3, 6, 6])
            scaled = kernel[None] * style[:, None, None, :, None]
            norm = tf.rsqrt(tf.reduce_sum(scaled * scaled, [1, 2, 3]) + 1e-8)
            net = tf.nn.conv2d(net * style[:, None, None, :], kernel, [1] * 4, "SAME")
            net = net * norm[:, None, None, :]
            noise = tf.random.stateless_normal([1, size, size, 1], [3, size])
            net += noise * tf.get_variable("noise%d" % size, [])
            net = tf.nn.leaky_relu(tf.nn.bias_add(net, tf.get_variable("bias%d" % size, [6])), 0.2)
        hub.add_signature(inputs={"z": z, "truncation": psi}, outputs=tf.layers.conv2d(net, 3, 1))

    inputs = {"z": normal("stylegan", 2, 6), "truncation": np.float32(0.5)}
    return Case(build, {"default": inputs}, train=Train(learning_rate=1e-3, steps=2))


@entry(
    "BigGAN, spectral normalization",
    "tensorflow-gan",
    known_as="deepmind/biggan-128, google/compare_gan",
)
def spectral_gan() -> Case:
    """Weights normalized by a power iteration whose vector a training call moves."""

    def build(training: bool) -> None:
        import tensorflow_gan as tfgan  # noqa: PLC0415

        images = tf.placeholder(tf.float32, [None, 8, 8, 3], "images")
        custom = tfgan.features.spectral_normalization_custom_getter(training=training)
        with tf.variable_scope("discriminator", custom_getter=custom):
            net = tf.layers.conv2d(images, 6, 3, 2, activation=tf.nn.leaky_relu)
            score = tf.layers.dense(tf.layers.flatten(net), 1)
        hub.add_signature(inputs={"images": images}, outputs=score)

    return Case(
        build,
        {"default": {"images": normal("spectral_gan", 2, 8, 8, 3)}},
        TRAIN_AND_SERVE,
        Train(tags=("train",), learning_rate=1e-2, steps=2, loss_with_step=True),
    )


@entry("RealNVP, flows", "tensorflow-probability")
def real_nvp() -> Case:
    def build() -> None:
        import tensorflow_probability as tfp  # noqa: PLC0415

        x = tf.placeholder(tf.float32, [None, 4], "x")
        layers = [
            tfp.bijectors.RealNVP(
                2, tfp.bijectors.real_nvp_default_template([8, 8], name="nvp%d" % k)
            )
            for k in range(2)
        ]
        chain = tfp.bijectors.Chain([layers[0], tfp.bijectors.Permute([2, 3, 0, 1]), layers[1]])
        base = tfp.distributions.MultivariateNormalDiag(tf.zeros([4]))
        flow = tfp.distributions.TransformedDistribution(base, chain)
        hub.add_signature(
            inputs={"x": x}, outputs={"default": flow.log_prob(x), "z": chain.inverse(x)}
        )

    return Case(
        build,
        {"default": {"x": normal("real_nvp", 3, 4)}},
        train=Train(outputs=["default"], learning_rate=1e-4, steps=2),
    )


@entry("MAF, flows", "tensorflow-probability")
def masked_autoregressive_flow() -> Case:
    """The forward direction runs a while loop over the dimensions."""

    def build() -> None:
        import tensorflow_probability as tfp  # noqa: PLC0415

        z = tf.placeholder(tf.float32, [None, 3], "z")
        made = tfp.bijectors.masked_autoregressive_default_template([8], name="made")
        flow = tfp.bijectors.MaskedAutoregressiveFlow(shift_and_log_scale_fn=made)
        hub.add_signature(
            inputs={"z": z}, outputs={"default": flow.forward(z), "inverse": flow.inverse(z)}
        )

    return Case(
        build,
        {"default": {"z": normal("maf", 3, 3)}},
        train=Train(outputs=["inverse"], learning_rate=1e-3, steps=2),
    )


@entry("VQ-VAE", "dm-sonnet 1")
def vq_vae() -> Case:
    """The codebook moves by averages, not by gradients; those pass straight through."""

    def build(training: bool) -> None:
        import sonnet as snt  # noqa: PLC0415

        images = tf.placeholder(tf.float32, [None, 8, 8, 3], "images")
        encoded = snt.Conv2D(4, 3, 2)(images)
        vq = snt.nets.VectorQuantizerEMA(4, 6, 0.25, 0.9)
        found = vq(encoded, is_training=training)
        made = snt.Conv2DTranspose(3, [8, 8], 4, 2)(found["quantize"])
        hub.add_signature(
            inputs={"images": images},
            outputs={"default": made, "codes": found["encoding_indices"], "loss": found["loss"]},
        )

    return Case(
        build,
        {"default": {"images": normal("vq_vae", 2, 8, 8, 3)}},
        TRAIN_AND_SERVE,
        Train(tags=("train",), outputs=["default", "loss"], learning_rate=1e-4, steps=1),
        # The averages are without bias in the training variant, which has variables for that.
        export_tags=("train",),
    )


@entry("Variational autoencoder", "tensorflow-probability")
def vae() -> Case:
    def build(training: bool) -> None:
        import tensorflow_probability as tfp  # noqa: PLC0415

        x = tf.placeholder(tf.float32, [None, 6], "x")
        hidden = tf.layers.dense(x, 8, tf.nn.softplus)
        posterior = tfp.distributions.MultivariateNormalDiag(
            tf.layers.dense(hidden, 2), tf.nn.softplus(tf.layers.dense(hidden, 2))
        )
        noise = tf.random.stateless_normal([tf.shape(x)[0], 2], [1, 2])
        z = posterior.mean() + (posterior.stddev() * noise if training else 0)
        logits = tf.layers.dense(tf.layers.dense(z, 8, tf.nn.softplus), 6)
        likelihood = tfp.distributions.Independent(tfp.distributions.Bernoulli(logits))
        prior = tfp.distributions.MultivariateNormalDiag(tf.zeros([2]))
        tf.add_to_collection(
            tf.GraphKeys.REGULARIZATION_LOSSES,
            tf.reduce_mean(tfp.distributions.kl_divergence(posterior, prior)),
        )
        hub.add_signature(
            inputs={"x": x},
            outputs={"default": z, "log_prob": likelihood.log_prob(tf.cast(x > 0, tf.float32))},
        )

    return Case(
        build,
        {"default": {"x": normal("vae", 3, 6)}},
        TRAIN_AND_SERVE,
        Train(tags=("train",), outputs=["log_prob"], learning_rate=1e-3, steps=2),
    )


@entry("PixelCNN")
def pixel_cnn() -> Case:
    """Masked convolutions; sampling sets pixel after pixel in a while loop."""

    def build() -> None:
        images = tf.placeholder(tf.float32, [None, 4, 4, 1], "images")

        def masked(net, filters, size, kind, name):
            mask = np.ones([size, size, 1, 1], "float32")
            mask[size // 2, size // 2 + (kind == "B") :] = 0
            mask[size // 2 + 1 :] = 0
            kernel = tf.get_variable(name, [size, size, net.shape[-1].value, filters])
            return tf.nn.conv2d(net, kernel * mask, [1] * 4, "SAME")

        def network(x):
            with tf.variable_scope("pixels", reuse=tf.AUTO_REUSE):
                net = tf.nn.relu(masked(x, 6, 3, "A", "a"))
                net += masked(tf.nn.relu(net), 6, 3, "B", "b")
                return masked(tf.nn.relu(net), 1, 1, "B", "c")

        def step(k, x):
            at = tf.stack([k // 4, k % 4])
            here = tf.one_hot(k, 16)
            mean = tf.nn.sigmoid(network(x))
            return k + 1, x + tf.reshape(here, [1, 4, 4, 1]) * (mean - x) + 0 * tf.cast(
                at[0], tf.float32
            )

        _, sampled = tf.while_loop(
            lambda k, x: k < 16, step, [0, tf.zeros_like(images)], parallel_iterations=1
        )
        hub.add_signature(inputs={"images": images}, outputs=network(images))
        hub.add_signature("sample", {"images": images}, sampled)

    inputs = {"images": normal("pixel_cnn", 2, 4, 4, 1)}
    return Case(
        build,
        {"default": inputs, "sample": inputs},
        train=Train("sample", learning_rate=0.1, steps=2),
    )


@entry("Sketch-RNN", "magenta")
def sketch_rnn() -> Case:
    def build() -> None:
        forget_gradient_of_lstm_blocks()
        from magenta.models.sketch_rnn import rnn  # noqa: PLC0415

        strokes = tf.placeholder(tf.float32, [2, 5, 5], "strokes")
        cell = rnn.HyperLSTMCell(8, hyper_num_units=4, hyper_embedding_size=2)
        states, _ = tf.nn.dynamic_rnn(cell, strokes, dtype=tf.float32)
        hub.add_signature(inputs={"strokes": strokes}, outputs=tf.layers.dense(states, 6))

    return Case(
        build,
        {"default": {"strokes": normal("sketch_rnn", 2, 5, 5)}},
        train=Train(learning_rate=1e-3, steps=2),
    )


@entry("Disentanglement VAE", known_as="google/disentanglement_lib")
def beta_vae() -> Case:
    def build(training: bool) -> None:
        images = tf.placeholder(tf.float32, [None, 16, 16, 1], "images")
        net = tf.layers.conv2d(images, 4, 4, 2, "same", activation=tf.nn.relu)
        net = tf.layers.dense(tf.layers.flatten(net), 8, tf.nn.relu)
        mean, log_variance = tf.layers.dense(net, 3), tf.layers.dense(net, 3)
        hub.add_signature(
            "gaussian_encoder", {"images": images}, {"mean": mean, "logvar": log_variance}
        )
        latent = tf.placeholder(tf.float32, [None, 3], "latent")
        net = tf.reshape(tf.layers.dense(latent, 64, tf.nn.relu), [-1, 4, 4, 4])
        net = tf.layers.conv2d_transpose(net, 4, 4, 2, "same", activation=tf.nn.relu)
        made = tf.layers.conv2d_transpose(net, 1, 4, 2, "same")
        hub.add_signature("decoder", {"latent_vectors": latent}, {"images": made})
        del training

    return Case(
        build,
        {
            "gaussian_encoder": {"images": normal("beta_vae", 2, 16, 16, 1)},
            "decoder": {"latent_vectors": normal("beta_vae/latent", 2, 3)},
        },
        TRAIN_AND_SERVE,
        Train("gaussian_encoder", ("train",), learning_rate=1e-2, steps=2),
    )
