"""Models of tensor2tensor: tokens or images in, logits out, with small hyperparameters."""

from __future__ import annotations

import tensorflow as tf
import tensorflow_hub as hub
from case import Case, Train, generator
from entry import entry

T2T = "tensor2tensor"
_VOCABULARY = 11


def _tokens(name: str, *shape: int):
    return generator(name).randint(1, _VOCABULARY, size=shape).astype("int32")


def _sequence_case(name, make, change=None, rate=1e-5, classes=False) -> Case:
    """A case of a model that maps token ids and target ids to logits."""

    def build() -> None:
        from tensor2tensor.data_generators import problem_hparams  # noqa: PLC0415
        from tensor2tensor.layers import modalities  # noqa: PLC0415

        model_class, hparams = make()
        if change:
            change(hparams)
        problem = problem_hparams.test_problem_hparams(_VOCABULARY, _VOCABULARY, hparams)
        if classes:
            problem.modality["targets"] = modalities.ModalityType.CLASS_LABEL
        hparams.problem_hparams = problem
        model = model_class(hparams, tf.estimator.ModeKeys.EVAL, problem)
        inputs = tf.placeholder(tf.int32, [None, None], "inputs")
        targets = tf.placeholder(tf.int32, [None, None], "targets")
        features = {
            "inputs": inputs[:, :, None, None],
            "targets": targets[:, :, None, None],
            "target_space_id": tf.constant(1, tf.int32),
        }
        logits, _ = model(features)
        hub.add_signature(inputs={"inputs": inputs, "targets": targets}, outputs=logits)

    targets = _tokens(name + "/targets", 2, 1 if classes else 5)
    inputs = {"inputs": _tokens(name, 2, 5), "targets": targets}
    return Case(build, {"default": inputs}, train=Train(learning_rate=rate, steps=2))


def _small(hparams) -> None:
    hparams.hidden_size = 8
    hparams.filter_size = 16
    hparams.num_heads = 2


@entry("Transformer", T2T)
def t2t_transformer() -> Case:
    def make():
        from tensor2tensor.models import transformer  # noqa: PLC0415

        return transformer.Transformer, transformer.transformer_tiny()

    return _sequence_case("t2t_transformer", make, _small)


@entry("Transformer", T2T)
def t2t_transformer_greedy() -> Case:
    """Decodes in a while loop that stops when all sentences have ended."""

    def build() -> None:
        from tensor2tensor.data_generators import problem_hparams  # noqa: PLC0415
        from tensor2tensor.models import transformer  # noqa: PLC0415

        hparams = transformer.transformer_tiny()
        _small(hparams)
        problem = problem_hparams.test_problem_hparams(_VOCABULARY, _VOCABULARY, hparams)
        hparams.problem_hparams = problem
        model = transformer.Transformer(hparams, tf.estimator.ModeKeys.PREDICT, problem)
        inputs = tf.placeholder(tf.int32, [None, None], "inputs")
        features = {
            "inputs": inputs[:, :, None, None],
            "target_space_id": tf.constant(1, tf.int32),
        }
        decoded = model.infer(features, decode_length=4, beam_size=3, top_beams=2, alpha=0.6)
        hub.add_signature(
            inputs={"inputs": inputs},
            outputs={"default": decoded["outputs"], "scores": decoded["scores"]},
        )

    return Case(build, {"default": {"inputs": _tokens("t2t_transformer_greedy", 2, 4)}})


@entry("Evolved Transformer", T2T)
def t2t_evolved_transformer() -> Case:
    def make():
        from tensor2tensor.models import evolved_transformer, transformer  # noqa: PLC0415

        return evolved_transformer.EvolvedTransformer, transformer.transformer_tiny()

    return _sequence_case("t2t_evolved_transformer", make, _small)


@entry("Universal Transformer", T2T)
def t2t_universal_transformer() -> Case:
    """Adaptive computation time: a loop whose number of turns the data decide."""

    def make():
        from tensor2tensor.models.research import universal_transformer  # noqa: PLC0415

        hparams = universal_transformer.adaptive_universal_transformer_tiny()
        return universal_transformer.UniversalTransformer, hparams

    return _sequence_case("t2t_universal_transformer", make, _small)


@entry("LSTM with attention (NMT)", T2T)
def t2t_lstm_attention() -> Case:
    def make():
        from tensor2tensor.models import lstm  # noqa: PLC0415

        return lstm.LSTMSeq2seqAttention, lstm.lstm_attention()

    def small(hparams) -> None:
        hparams.hidden_size = 8
        hparams.num_hidden_layers = 1
        hparams.attention_layer_size = 8

    return _sequence_case("t2t_lstm_attention", make, small, rate=1e-6)


@entry("ByteNet", T2T)
def t2t_bytenet() -> Case:
    def make():
        from tensor2tensor.models import bytenet  # noqa: PLC0415

        return bytenet.ByteNet, bytenet.bytenet_base()

    def small(hparams) -> None:
        hparams.hidden_size = 8
        hparams.num_block_repeat = 1

    return _sequence_case("t2t_bytenet", make, small, rate=1e-6)


@entry("Neural GPU", T2T)
def t2t_neural_gpu() -> Case:
    def make():
        from tensor2tensor.layers import common_hparams  # noqa: PLC0415
        from tensor2tensor.models import neural_gpu  # noqa: PLC0415

        return neural_gpu.NeuralGPU, common_hparams.basic_params1()

    def small(hparams) -> None:
        hparams.hidden_size = 8
        hparams.batch_size = 4

    return _sequence_case("t2t_neural_gpu", make, small)


@entry("Text CNN", T2T)
def t2t_text_cnn() -> Case:
    def make():
        from tensor2tensor.models import text_cnn  # noqa: PLC0415

        return text_cnn.TextCNN, text_cnn.text_cnn_base()

    def small(hparams) -> None:
        hparams.num_filters = 4
        hparams.hidden_size = 4 * len(hparams.filter_sizes)

    return _sequence_case("t2t_text_cnn", make, small, classes=True)


@entry("Image Transformer", T2T)
def t2t_image_transformer() -> Case:
    def build() -> None:
        from tensor2tensor.data_generators import problem_hparams  # noqa: PLC0415
        from tensor2tensor.models import image_transformer  # noqa: PLC0415

        hparams = image_transformer.imagetransformer_tiny()
        problem = problem_hparams.test_problem_hparams(256, 256, hparams)
        hparams.problem_hparams = problem
        model = image_transformer.Imagetransformer(hparams, tf.estimator.ModeKeys.EVAL, problem)
        images = tf.placeholder(tf.int32, [2, 7, 7, 3], "images")
        features = {
            "inputs": tf.ones([2, 1, 1, 1], tf.int32),
            "targets": images,
            "target_space_id": tf.constant(1, tf.int32),
        }
        logits, _ = model(features)
        hub.add_signature(inputs={"images": images}, outputs=logits)

    images = generator("t2t_image_transformer").randint(0, 256, [2, 7, 7, 3]).astype("int32")
    return Case(build, {"default": {"images": images}}, train=Train(learning_rate=1e-6, steps=2))


def _image_case(name, make, size=16, rate=1e-6) -> Case:
    def build() -> None:
        from tensor2tensor.data_generators import problem_hparams  # noqa: PLC0415
        from tensor2tensor.layers import modalities  # noqa: PLC0415

        model_class, hparams = make()
        problem = problem_hparams.test_problem_hparams(9, 9, hparams)
        problem.modality["inputs"] = modalities.ModalityType.IMAGE
        problem.modality["targets"] = modalities.ModalityType.CLASS_LABEL
        hparams.problem_hparams = problem
        model = model_class(hparams, tf.estimator.ModeKeys.EVAL, problem)
        images = tf.placeholder(tf.int32, [2, size, size, 3], "images")
        features = {"inputs": images, "targets": tf.ones([2, 1, 1, 1], tf.int32)}
        logits, _ = model(features)
        hub.add_signature(inputs={"images": images}, outputs=logits)

    images = generator(name).randint(0, 256, [2, size, size, 3]).astype("int32")
    return Case(build, {"default": {"images": images}}, train=Train(learning_rate=rate, steps=2))


@entry("Xception", T2T)
def t2t_xception() -> Case:
    def make():
        from tensor2tensor.models import xception  # noqa: PLC0415

        return xception.Xception, xception.xception_tiny()

    return _image_case("t2t_xception", make)


@entry("RevNet", T2T)
def t2t_revnet() -> Case:
    """Reversible blocks: functions with gradients of their own."""

    def make():
        from tensor2tensor.models import revnet  # noqa: PLC0415

        hparams = revnet.revnet_38_cifar()
        hparams.num_layers_per_block = [1, 1, 1]
        return revnet.Revnet, hparams

    return _image_case("t2t_revnet", make, size=32)
