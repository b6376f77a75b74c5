"""Modules that take waveforms: embeddings, recognizers, synthesizers."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
from case import TRAIN_AND_SERVE, Case, Train, generator, normal
from entry import entry, forget_gradient_of_lstm_blocks


def _log_mel(waveform, bands=8, frame=64, step=32, rate=1600):
    spectrogram = tf.abs(tf.signal.stft(waveform, frame, step))
    weights = tf.signal.linear_to_mel_weight_matrix(bands, frame // 2 + 1, rate, 60.0, rate / 2)
    return tf.log(tf.tensordot(spectrogram, weights, 1) + 0.01)


@entry("VGGish", known_as="google/vggish")
def vggish() -> Case:
    """A waveform cut into frames of mel bands, convolutions, quantized embeddings."""

    def build() -> None:
        waveform = tf.placeholder(tf.float32, [None], "waveform")
        mel = _log_mel(waveform)
        examples = tf.signal.frame(mel, 8, 8, axis=0)[..., None]
        net = tf.layers.conv2d(examples, 6, 3, padding="same", activation=tf.nn.relu)
        net = tf.layers.max_pooling2d(net, 2, 2)
        embedding = tf.layers.dense(tf.layers.flatten(net), 5, tf.nn.relu)
        quantized = tf.cast(tf.clip_by_value(embedding * 50, 0, 255), tf.uint8)
        hub.add_signature(
            inputs={"waveform": waveform}, outputs={"default": embedding, "quantized": quantized}
        )

    return Case(
        build,
        {"default": {"waveform": normal("vggish", 700)}},
        train=Train(outputs=["default"], learning_rate=1e-4, steps=2),
    )


@entry("YAMNet", known_as="google/yamnet")
def yamnet() -> Case:
    """Depthwise separable convolutions with batch normalization over log mel patches."""

    def build(training: bool) -> None:
        waveform = tf.placeholder(tf.float32, [None], "waveform")
        net = tf.signal.frame(_log_mel(waveform), 8, 4, axis=0)[..., None]
        for filters, stride in ((4, 2), (8, 1)):
            net = tf.layers.separable_conv2d(net, filters, 3, stride, "same", use_bias=False)
            net = tf.layers.batch_normalization(net, training=training, momentum=0.9)
            net = tf.nn.relu(net)
        embedding = tf.reduce_mean(net, [1, 2])
        scores = tf.layers.dense(embedding, 6, tf.sigmoid)
        hub.add_signature(
            inputs={"waveform": waveform}, outputs={"default": scores, "embedding": embedding}
        )

    return Case(
        build,
        {"default": {"waveform": normal("yamnet", 900)}},
        TRAIN_AND_SERVE,
        Train(tags=("train",), outputs=["default"], learning_rate=1e-2, steps=2),
    )


@entry("TRILL", known_as="google/nonsemantic-speech-benchmark/trill")
def trill_like() -> Case:
    """Batches of waveforms, a recurrent network over their mel frames, unit vectors."""

    def build() -> None:
        samples = tf.placeholder(tf.float32, [None, None], "samples")
        rate = tf.placeholder_with_default(1600, [], "sample_rate")
        with tf.control_dependencies([tf.assert_equal(rate, 1600)]):
            mel = _log_mel(tf.identity(samples))
        net = tf.layers.conv1d(mel, 8, 3, activation=tf.nn.elu)
        _, state = tf.nn.dynamic_rnn(tf.nn.rnn_cell.GRUCell(6), net, dtype=tf.float32)
        hub.add_signature(
            inputs={"samples": samples, "sample_rate": rate},
            outputs={"default": tf.nn.l2_normalize(state, 1), "raw": state},
        )

    inputs = {"samples": normal("trill_like", 2, 400), "sample_rate": np.int32(1600)}
    return Case(
        build, {"default": inputs}, train=Train(outputs=["raw"], learning_rate=0.01, steps=2)
    )


@entry("DeepSpeech")
def deep_speech() -> Case:
    """Clipped dense layers, a fused LSTM over time, CTC decoding to a sparse tensor."""

    def build() -> None:
        features = tf.placeholder(tf.float32, [None, 6, 5], "features")
        lengths = tf.placeholder(tf.int32, [None], "lengths")
        net = features
        for _ in range(2):
            net = tf.minimum(tf.layers.dense(net, 8, tf.nn.relu), 20.0)
        cell = tf.contrib.rnn.LSTMBlockFusedCell(8)
        net, _ = cell(tf.transpose(net, [1, 0, 2]), sequence_length=lengths, dtype=tf.float32)
        logits = tf.layers.dense(net, 5)
        (decoded,), scores = tf.nn.ctc_beam_search_decoder(logits, lengths, 4, 1)
        hub.add_signature(
            inputs={"features": features, "lengths": lengths},
            outputs={"default": decoded, "scores": scores, "logits": logits},
        )

    inputs = {
        "features": normal("deep_speech", 2, 6, 5),
        "lengths": np.array([6, 4], "int32"),
    }
    return Case(
        build,
        {"default": inputs},
        train=Train(outputs=["logits"], learning_rate=1e-4, steps=2),
    )


@entry("DDSP")
def ddsp_like() -> Case:
    """Harmonic oscillators by cumulated phases, filtered noise by the FFT."""

    def build() -> None:
        f0 = tf.placeholder(tf.float32, [None, 4, 1], "f0_hz")
        loudness = tf.placeholder(tf.float32, [None, 4, 1], "loudness")
        cell = tf.nn.rnn_cell.GRUCell(6)
        net, _ = tf.nn.dynamic_rnn(cell, tf.concat([f0 / 200, loudness], 2), dtype=tf.float32)
        amplitudes = tf.layers.dense(net, 3, tf.nn.softplus)
        upsampled = tf.image.resize_bilinear(f0[:, :, None, :], [64, 1])[:, :, 0]
        gains = tf.image.resize_bilinear(amplitudes[:, :, None, :], [64, 1])[:, :, 0]
        phases = tf.cumsum(2 * np.pi * upsampled / 1600 * [1.0, 2.0, 3.0], 1)
        audio = tf.reduce_sum(gains * tf.sin(phases), 2)
        response = tf.cast(tf.layers.dense(net[:, -1], 33, tf.sigmoid), tf.complex64)
        noise = tf.random.stateless_uniform([1, 64], [5, 6])
        audio += 0.1 * tf.signal.irfft(tf.signal.rfft(noise) * response)
        hub.add_signature(inputs={"f0_hz": f0, "loudness": loudness}, outputs=audio)

    inputs = {
        "f0_hz": np.abs(normal("ddsp", 2, 4, 1)) * 100 + 100,
        "loudness": normal("ddsp/loudness", 2, 4, 1),
    }
    return Case(build, {"default": inputs}, train=Train(learning_rate=1e-4, steps=2))


@entry("Tacotron")
def tacotron_like() -> Case:
    """Location-free attention, a decoder of tf.contrib.seq2seq that feeds itself."""

    def build(training: bool) -> None:
        characters = tf.placeholder(tf.int32, [None, None], "characters")
        encoded = tf.nn.embedding_lookup(tf.get_variable("characters", [20, 6]), characters)
        encoded = tf.layers.conv1d(encoded, 6, 3, padding="same")
        encoded = tf.nn.relu(tf.layers.batch_normalization(encoded, training=training))
        attention = tf.contrib.seq2seq.BahdanauAttention(6, encoded)
        cell = tf.contrib.seq2seq.AttentionWrapper(tf.nn.rnn_cell.GRUCell(6), attention, 6)
        batch = tf.shape(characters)[0]
        project = tf.layers.Dense(4)

        helper = tf.contrib.seq2seq.InferenceHelper(
            lambda outputs: outputs,
            [4],
            tf.float32,
            tf.zeros([batch, 4]),
            lambda outputs: tf.reduce_mean(outputs, 1) > 100.0,
        )
        decoder = tf.contrib.seq2seq.BasicDecoder(
            cell, helper, cell.zero_state(batch, tf.float32), project
        )
        made, _, _ = tf.contrib.seq2seq.dynamic_decode(decoder, maximum_iterations=5)
        hub.add_signature(inputs={"characters": characters}, outputs=made.rnn_output)

    characters = generator("tacotron").randint(0, 20, [2, 6]).astype("int32")
    return Case(
        build,
        {"default": {"characters": characters}},
        TRAIN_AND_SERVE,
        Train(tags=("train",), learning_rate=1e-2, steps=2),
    )


@entry("MusicVAE", "magenta")
def music_vae() -> Case:
    """A bidirectional encoder of sequences, its latent, and a teacher-forced decoder."""

    def build() -> None:
        forget_gradient_of_lstm_blocks()
        from magenta.models.music_vae import lstm_utils  # noqa: PLC0415

        notes = tf.placeholder(tf.float32, [None, None, 6], "notes")
        lengths = tf.placeholder(tf.int32, [None], "lengths")
        cells = [lstm_utils.rnn_cell([8], 1.0, residual=False, is_training=False) for _ in "fb"]
        _, states = tf.nn.bidirectional_dynamic_rnn(*cells, notes, lengths, dtype=tf.float32)
        last = tf.concat([s[-1].h if isinstance(s, tuple) else s for s in states], 1)
        mean = tf.layers.dense(last, 4)
        start = tf.layers.dense(mean, 8, tf.tanh)
        decoder = tf.nn.rnn_cell.LSTMCell(8)
        state = tf.nn.rnn_cell.LSTMStateTuple(start, start)
        made, _ = tf.nn.dynamic_rnn(decoder, notes, lengths, initial_state=state, scope="decoder")
        hub.add_signature(
            inputs={"notes": notes, "lengths": lengths},
            outputs={"default": mean, "logits": tf.layers.dense(made, 6)},
        )

    inputs = {"notes": normal("music_vae", 2, 4, 6), "lengths": np.array([4, 3], "int32")}
    return Case(build, {"default": inputs}, train=Train(learning_rate=1e-3, steps=2))


@entry("WaveNet", "magenta", known_as="NSynth")
def wavenet() -> Case:
    def build() -> None:
        from magenta.models.nsynth.wavenet import masked  # noqa: PLC0415

        waveform = tf.placeholder(tf.float32, [2, 32], "waveform")
        net = masked.shift_right(waveform[..., None])
        net = masked.conv1d(net, 4, 3, "startconv")
        for k in range(3):
            both = masked.conv1d(net, 8, 3, "dilated%d" % k, dilation=2**k)
            net += masked.conv1d(
                tf.sigmoid(both[..., :4]) * tf.tanh(both[..., 4:]), 4, 1, "residual%d" % k
            )
        hub.add_signature(inputs={"waveform": waveform}, outputs=net)

    return Case(
        build,
        {"default": {"waveform": normal("wavenet", 2, 32)}},
        train=Train(learning_rate=1e-3, steps=2),
    )
