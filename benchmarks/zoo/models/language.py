"""Language models: BERT and its kin from their authors' packages, and modules in their manner."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
from case import TRAIN_AND_SERVE, Case, Train, generator, normal, strings, text_file
from entry import entry


def _ids(name: str, *shape: int, size: int = 30):
    return generator(name).randint(1, size, size=shape).astype("int32")


def _bert_case(name, make) -> Case:
    """A case with the signatures tokens and mlm of the BERT modules."""

    def build(training: bool) -> None:
        ids, mask, segments = (
            tf.placeholder(tf.int32, [None, None], n)
            for n in ("input_ids", "input_mask", "segment_ids")
        )
        model, sequence = make(training, ids, mask, segments)
        hub.add_signature(
            "tokens",
            {"input_ids": ids, "input_mask": mask, "segment_ids": segments},
            {"pooled_output": model, "sequence_output": sequence},
        )

    inputs = {
        "input_ids": _ids(name, 2, 6),
        "input_mask": _ids(name, 2, 6, size=2),
        "segment_ids": _ids(name, 2, 6, size=2) * 0,
    }
    return Case(
        build,
        {"tokens": inputs},
        TRAIN_AND_SERVE,
        Train("tokens", ("train",), outputs=["pooled_output"], learning_rate=0.01, steps=2),
    )


@entry(
    "BERT",
    "bert-tensorflow",
    known_as="google/bert_uncased_L-12_H-768_A-12, google/bert_multi_cased, BioBERT, LaBSE",
)
def bert_tensorflow() -> Case:
    def make(training, ids, mask, segments):
        from bert import modeling  # noqa: PLC0415

        config = modeling.BertConfig(
            30, 16, 2, 2, 32, max_position_embeddings=16,
            hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
        )  # fmt: skip
        model = modeling.BertModel(config, training, ids, mask, segments)
        return model.get_pooled_output(), model.get_sequence_output()

    return _bert_case("bert_tensorflow", make)


@entry("ALBERT", "albert-tensorflow", known_as="google/albert_base, google/albert_xxlarge")
def albert_tensorflow() -> Case:
    def make(training, ids, mask, segments):
        from albert import modeling  # noqa: PLC0415

        config = modeling.AlbertConfig(
            30, 8, 16, 3, num_attention_heads=2, intermediate_size=32, max_position_embeddings=16
        )
        model = modeling.AlbertModel(config, training, ids, mask, segments)
        return model.get_pooled_output(), model.get_sequence_output()

    return _bert_case("albert_tensorflow", make)


@entry("XLNet", "texar")
def xlnet() -> Case:
    def build() -> None:
        import texar.tf as tx  # noqa: PLC0415

        ids = tf.placeholder(tf.int32, [None, 6], "ids")
        hparams = {
            "pretrained_model_name": None, "vocab_size": 30, "hidden_dim": 16, "num_layers": 2,
            "num_heads": 2, "head_dim": 8, "ffn_inner_dim": 32, "dropout": 0.0,
            "attention_dropout": 0.0,
        }  # fmt: skip
        encoder = tx.modules.XLNetEncoder(hparams=hparams)
        output, _ = encoder(tf.transpose(tf.transpose(ids)))
        hub.add_signature(inputs={"ids": ids}, outputs=output)

    return Case(
        build, {"default": {"ids": _ids("xlnet", 2, 6)}}, train=Train(learning_rate=1e-3, steps=2)
    )


@entry("GPT-2", "texar")
def gpt2() -> Case:
    def build() -> None:
        import texar.tf as tx  # noqa: PLC0415

        ids = tf.placeholder(tf.int32, [2, 6], "ids")
        hparams = {
            "pretrained_model_name": None, "vocab_size": 30, "position_size": 12,
            "embed": {"dim": 16}, "position_embed": {"dim": 16},
            "decoder": {
                "dim": 16, "num_blocks": 2, "embedding_dropout": 0, "residual_dropout": 0,
                "multihead_attention": {
                    "use_bias": True, "num_units": 16, "num_heads": 2, "output_dim": 16,
                    "dropout_rate": 0.0,
                },
                "poswise_feedforward": tx.modules.default_transformer_poswise_net_hparams(16),
            },
        }  # fmt: skip
        decoder = tx.modules.GPT2Decoder(hparams=hparams)
        outputs = decoder(inputs=ids, decoding_strategy="train_greedy")
        hub.add_signature(inputs={"ids": ids}, outputs=outputs.logits)

    return Case(
        build, {"default": {"ids": _ids("gpt2", 2, 6)}}, train=Train(learning_rate=1e-5, steps=2)
    )


@entry("LSTM with attention and beam search", "texar")
def texar_beam_search() -> Case:
    """Decoded by tf.contrib.seq2seq, whose beam search needs GatherTree."""

    def build() -> None:
        import texar.tf as tx  # noqa: PLC0415

        ids = tf.placeholder(tf.int32, [None, None], "ids")
        lengths = tf.reduce_sum(tf.cast(ids > 0, tf.int32), 1)
        embedder = tx.modules.WordEmbedder(vocab_size=30, hparams={"dim": 8})
        encoder = tx.modules.UnidirectionalRNNEncoder(
            hparams={"rnn_cell": {"kwargs": {"num_units": 8}}}
        )
        outputs, state = encoder(embedder(ids), sequence_length=lengths)
        decoder = tx.modules.BasicRNNDecoder(
            vocab_size=30, hparams={"rnn_cell": {"kwargs": {"num_units": 8}}}
        )
        found, _, _ = tx.modules.beam_search_decode(
            decoder, embedder, tf.ones_like(lengths), 2, 3, state, max_decoding_length=5
        )
        hub.add_signature(
            inputs={"ids": ids},
            outputs={"default": found.predicted_ids, "states": tf.reduce_sum(outputs, 1)},
        )

    return Case(
        build,
        {"default": {"ids": _ids("texar_beam_search", 2, 5)}},
        train=Train(outputs=["states"], learning_rate=0.01, steps=2),
    )


def _onmt_encoder(name, make, rate) -> Case:
    def build(training: bool) -> None:

        ids = tf.placeholder(tf.int32, [None, None], "ids")
        lengths = tf.placeholder(tf.int32, [None], "lengths")
        table = tf.get_variable("embeddings", [30, 8])
        mode = tf.estimator.ModeKeys.TRAIN if training else tf.estimator.ModeKeys.PREDICT
        outputs, _, _ = make().encode(tf.nn.embedding_lookup(table, ids), lengths, mode=mode)
        hub.add_signature(inputs={"ids": ids, "lengths": lengths}, outputs=outputs)

    inputs = {"ids": _ids(name, 2, 5), "lengths": _ids(name, 2, size=5)}
    return Case(
        build,
        {"default": inputs},
        TRAIN_AND_SERVE,
        Train(tags=("train",), learning_rate=rate, steps=2),
    )


@entry("OpenNMT, self-attention", "OpenNMT-tf")
def opennmt_transformer() -> Case:
    def make():
        from opennmt import encoders  # noqa: PLC0415

        return encoders.SelfAttentionEncoder(
            2, 8, 2, 16, dropout=0.0, attention_dropout=0.0, relu_dropout=0.0
        )

    return _onmt_encoder("opennmt_transformer", make, 1e-3)


@entry("GNMT encoder", "OpenNMT-tf")
def opennmt_gnmt() -> Case:
    def make():
        from opennmt import encoders  # noqa: PLC0415

        return encoders.GoogleRNNEncoder(3, 8, dropout=0.0)

    return _onmt_encoder("opennmt_gnmt", make, 0.1)


@entry("Universal Sentence Encoder, DAN", known_as="google/universal-sentence-encoder")
def use_dan() -> Case:
    """Text to tokens by a regular expression, a table from a file, averages, a feed-forward net."""
    words = ["the", "fox", "jumps", "over", "a", "lazy", "dog", "of", "and"]

    def build() -> None:
        path = text_file("vocabulary/words.txt", words)
        texts = tf.placeholder(tf.string, [None], "texts")
        clean = tf.strings.regex_replace(tf.strings.lower(texts), "[^a-z ]", "")
        tokens = tf.string_split(clean)
        table = tf.contrib.lookup.index_table_from_file(path, num_oov_buckets=3)
        ids = tf.SparseTensor(tokens.indices, table.lookup(tokens.values), tokens.dense_shape)
        embeddings = tf.get_variable("embeddings", [len(words) + 3, 8])
        mean = tf.nn.embedding_lookup_sparse(embeddings, ids, None, combiner="sqrtn")
        hidden = tf.layers.dense(mean, 16, tf.nn.tanh)
        net = tf.layers.dense(hidden, 4)
        hub.add_signature(
            inputs={"text": texts}, outputs={"default": tf.nn.l2_normalize(net, 1), "raw": net}
        )

    texts = strings("The fox, the DOG!", "over and over", "unknown words jump")
    # A sum of squares of unit vectors has no gradient.
    train = Train(outputs=["raw"], learning_rate=0.1, steps=2)
    return Case(build, {"default": {"text": texts}}, train=train)


@entry("ELMo", known_as="google/elmo")
def elmo_like() -> Case:
    """Characters by convolutions and highways, two bidirectional LSTMs, a weighted sum."""

    def build(training: bool) -> None:
        tokens = tf.placeholder(tf.int32, [None, None, 6], "characters")
        lengths = tf.placeholder(tf.int32, [None], "lengths")
        batch, time = tf.shape(tokens)[0], tf.shape(tokens)[1]
        characters = tf.nn.embedding_lookup(tf.get_variable("characters", [40, 4]), tokens)
        flat = tf.reshape(characters, [-1, 6, 4])
        grams = [
            tf.reduce_max(tf.layers.conv1d(flat, 4, k, activation=tf.nn.relu), 1) for k in (1, 2, 3)
        ]
        net = tf.concat(grams, 1)
        for _ in range(2):
            gate = tf.layers.dense(net, 12, tf.sigmoid)
            net = gate * tf.layers.dense(net, 12, tf.nn.relu) + (1 - gate) * net
        net = tf.reshape(tf.layers.dense(net, 8), [batch, time, 8])
        layers = [net]
        for number in range(2):
            cells = [tf.nn.rnn_cell.LSTMCell(8, num_proj=4, cell_clip=3.0) for _ in range(2)]
            outputs, _ = tf.nn.bidirectional_dynamic_rnn(
                *cells, layers[-1], lengths, dtype=tf.float32, scope="layer%d" % number
            )
            layers.append(tf.concat(outputs, 2))
        weights = tf.nn.softmax(
            tf.get_variable("aggregation", [3], initializer=tf.zeros_initializer())
        )
        scale = tf.get_variable("scaling", [], initializer=tf.ones_initializer())
        mixed = scale * tf.add_n([weights[k] * layer for k, layer in enumerate(layers)])
        mask = tf.sequence_mask(lengths, time, tf.float32)[:, :, None]
        mean = tf.reduce_sum(mixed * mask, 1) / tf.reduce_sum(mask, 1)
        del training
        hub.add_signature(
            "tokens",
            {"characters": tokens, "lengths": lengths},
            {"default": mean, "elmo": mixed, "lstm_outputs1": layers[1]},
        )

    inputs = {"characters": _ids("elmo_like", 2, 4, 6, size=40), "lengths": _ids("elmo", 2, size=4)}
    return Case(
        build,
        {"tokens": inputs},
        TRAIN_AND_SERVE,
        Train("tokens", ("train",), outputs=["default"], learning_rate=0.1, steps=2),
    )


@entry("Tagger with a CRF")
def crf_tagger() -> Case:
    """tf.contrib.crf: a scan forward, Viterbi back."""

    def build() -> None:
        vectors = tf.placeholder(tf.float32, [None, None, 6], "vectors")
        lengths = tf.placeholder(tf.int32, [None], "lengths")
        cell = tf.nn.rnn_cell.GRUCell(5)
        hidden, _ = tf.nn.dynamic_rnn(cell, vectors, lengths, dtype=tf.float32)
        scores = tf.layers.dense(hidden, 4)
        transitions = tf.get_variable("transitions", [4, 4])
        tags, best = tf.contrib.crf.crf_decode(scores, transitions, lengths)
        norm = tf.contrib.crf.crf_log_norm(scores, lengths, transitions)
        hub.add_signature(
            inputs={"vectors": vectors, "lengths": lengths},
            outputs={"default": tags, "best": best, "norm": norm},
        )

    inputs = {"vectors": normal("crf_tagger", 3, 5, 6), "lengths": _ids("crf", 3, size=5)}
    return Case(build, {"default": inputs}, train=Train(outputs=["norm"], steps=2))


@entry("NNLM", known_as="google/nnlm-en-dim128, google/nnlm-en-dim128-with-normalization")
def nnlm() -> Case:
    """Text split at spaces, a table from a file with buckets beyond it, a partitioned embedding."""
    words = ["one", "two", "three", "four", "five"]

    def build() -> None:
        path = text_file("tokens.txt", words)
        texts = tf.placeholder(tf.string, [None], "text")
        tokens = tf.string_split(tf.strings.regex_replace(texts, r"\pP", ""))
        table = tf.contrib.lookup.index_table_from_file(path, num_oov_buckets=2)
        ids = tf.SparseTensor(tokens.indices, table.lookup(tokens.values), tokens.dense_shape)
        filled, _ = tf.sparse_fill_empty_rows(ids, len(words))
        embeddings = tf.get_variable(
            "embeddings", [len(words) + 2, 6], partitioner=tf.fixed_size_partitioner(3)
        )
        found = tf.nn.embedding_lookup_sparse(embeddings, filled, None, combiner="sqrtn")
        hub.add_signature(inputs=texts, outputs=found)

    texts = strings("one two, three!", "", "five other words")
    return Case(build, {"default": {"default": texts}}, train=Train(learning_rate=0.1, steps=2))


@entry(
    "Skip-gram and Swivel word vectors",
    known_as="google/Wiki-words-250, google/tf2-preview/gnews-swivel-20dim",
)
def wiki_words() -> Case:
    words = ["one", "two", "three", "four", "five"]

    def build() -> None:
        path = text_file("vocabulary.txt", words)
        texts = tf.placeholder(tf.string, [None], "sentences")
        table = tf.contrib.lookup.index_table_from_file(path, default_value=len(words))
        tokens = tf.string_split(texts, " ")
        dense = tf.sparse.to_dense(tokens, default_value="")
        vectors = tf.get_variable("vectors", [len(words) + 1, 5], use_resource=True)
        found = tf.nn.embedding_lookup(vectors, table.lookup(dense))
        here = tf.cast(tf.not_equal(dense, ""), tf.float32)[:, :, None]
        count = tf.maximum(tf.reduce_sum(here, 1), 1)
        hub.add_signature(inputs=texts, outputs=tf.reduce_sum(found * here, 1) / tf.sqrt(count))

    texts = strings("one two three", "six", "five five")
    return Case(build, {"default": {"default": texts}}, train=Train(learning_rate=0.1, steps=2))


@entry("Universal Sentence Encoder Lite", known_as="google/universal-sentence-encoder-lite")
def use_lite() -> Case:
    """Ids of word pieces as the three parts of a sparse tensor; the user makes them."""

    def build() -> None:
        values = tf.placeholder(tf.int64, [None], "values")
        indices = tf.placeholder(tf.int64, [None, 2], "indices")
        dense_shape = tf.placeholder(tf.int64, [None], "dense_shape")
        ids = tf.SparseTensor(indices, values, dense_shape)
        table = tf.get_variable("embeddings", [20, 8])
        mean = tf.nn.embedding_lookup_sparse(table, ids, None, combiner="sqrtn")
        net = tf.layers.dense(tf.layers.dense(mean, 8, tf.nn.tanh), 6)
        hub.add_signature(
            inputs={"values": values, "indices": indices, "dense_shape": dense_shape},
            outputs={"default": tf.nn.l2_normalize(net, 1), "raw": net},
        )

    inputs = {
        "values": generator("use_lite").randint(0, 20, [6]).astype("int64"),
        "indices": np.array([[0, 0], [0, 1], [1, 0], [2, 0], [2, 1], [2, 2]], "int64"),
        "dense_shape": np.array([3, 3], "int64"),
    }
    return Case(
        build,
        {"default": inputs},
        train=Train(outputs=["raw"], learning_rate=0.1, steps=2),
    )


@entry(
    "Universal Sentence Encoder, Transformer",
    known_as="google/universal-sentence-encoder-large, universal-sentence-encoder-qa",
)
def use_transformer() -> Case:
    """Text to hashed ids, self-attention over them; answers have an encoder of their own."""

    def build() -> None:
        def encode(texts, scope):
            tokens = tf.string_split(tf.strings.lower(texts))
            hashed = tf.string_to_hash_bucket_fast(tokens.values, 30)
            ids = tf.sparse.to_dense(
                tf.SparseTensor(tokens.indices, hashed + 1, tokens.dense_shape),
                validate_indices=False,
            )
            here = tf.cast(ids > 0, tf.float32)
            with tf.variable_scope("shared", reuse=tf.AUTO_REUSE):
                net = tf.nn.embedding_lookup(tf.get_variable("embeddings", [31, 8]), ids)
                parts = [tf.layers.dense(net, 8, name=n) for n in ("query", "key", "value")]
                query, key, value = (
                    tf.transpose(tf.reshape(p, [tf.shape(ids)[0], -1, 2, 4]), [0, 2, 1, 3])
                    for p in parts
                )
                logits = tf.matmul(query, key, transpose_b=True) / 2
                attention = tf.nn.softmax(logits - 1e9 * (1 - here[:, None, None, :]))
                mixed = tf.transpose(tf.matmul(attention, value), [0, 2, 1, 3])
                net += tf.layers.dense(tf.reshape(mixed, tf.shape(net)), 8, name="out")
                net = tf.contrib.layers.layer_norm(net, begin_norm_axis=-1, scope="norm")
            length = tf.maximum(tf.reduce_sum(here, 1, keepdims=True), 1)
            pooled = tf.reduce_sum(net * here[:, :, None], 1) / tf.sqrt(length)
            return tf.nn.l2_normalize(tf.layers.dense(pooled, 6, tf.tanh, name=scope), 1)

        texts = tf.placeholder(tf.string, [None], "text")
        hub.add_signature("default", {"text": texts}, {"default": encode(texts, "question")})
        answers, context = (tf.placeholder(tf.string, [None], n) for n in ("input", "context"))
        answer = encode(answers, "answer") + encode(context, "context")
        hub.add_signature(
            "response_encoder", {"input": answers, "context": context}, {"outputs": answer}
        )

    texts = strings("How old are you", "where", "what is it then")
    answers = {"input": texts, "context": strings("I am", "here there", "it is what it is")}
    return Case(
        build,
        {"default": {"text": texts}, "response_encoder": answers},
        train=Train("response_encoder", learning_rate=0.1, steps=2),
    )


@entry("ELECTRA", known_as="google/electra_small")
def electra_like() -> Case:
    """Narrow embeddings projected to the hidden size; a head that tells replaced tokens."""

    def build(training: bool) -> None:
        ids, mask, segments = (
            tf.placeholder(tf.int32, [None, None], n)
            for n in ("input_ids", "input_mask", "segment_ids")
        )
        net = tf.nn.embedding_lookup(tf.get_variable("words", [30, 4]), ids)
        net += tf.gather(tf.get_variable("types", [2, 4]), segments)
        net += tf.get_variable("positions", [12, 4])[: tf.shape(ids)[1]]
        net = tf.layers.dense(tf.contrib.layers.layer_norm(net, begin_norm_axis=-1), 8)
        bias = -1e4 * (1 - tf.cast(mask, tf.float32))[:, None, :]
        for _ in range(2):
            query, key, value = (tf.layers.dense(net, 8) for _ in range(3))
            logits = tf.matmul(query, key, transpose_b=True) / 8**0.5
            mixed = tf.matmul(tf.nn.softmax(logits + bias), value)
            net = tf.contrib.layers.layer_norm(net + tf.layers.dense(mixed, 8), begin_norm_axis=-1)
            hidden = tf.layers.dense(net, 16)
            hidden *= 0.5 * (1 + tf.erf(hidden / 2**0.5))
            net = tf.contrib.layers.layer_norm(net + tf.layers.dense(hidden, 8), begin_norm_axis=-1)
        replaced = tf.layers.dense(tf.layers.dense(net, 8, tf.nn.relu), 1)[:, :, 0]
        inputs = {"input_ids": ids, "input_mask": mask, "segment_ids": segments}
        hub.add_signature("default", inputs, net[:, 0])
        hub.add_signature(
            "electra", inputs, {"sequence_output": net, "replaced": tf.nn.sigmoid(replaced)}
        )
        del training

    inputs = {
        "input_ids": _ids("electra", 2, 6),
        "input_mask": _ids("electra", 2, 6, size=2),
        "segment_ids": _ids("electra", 2, 6, size=2),
    }
    return Case(
        build,
        {"default": inputs, "electra": inputs},
        TRAIN_AND_SERVE,
        Train("electra", ("train",), outputs=["replaced"], learning_rate=0.1, steps=2),
    )
