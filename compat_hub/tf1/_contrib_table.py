"""What of `tf.contrib` has an exact counterpart, and what takes the place of the rest.

A counterpart takes the same arguments and does the same. `tf` stands for `compat_hub.tf1`.
"""

from __future__ import annotations

_TF = "compat_hub.tf1"
_SLIM = "tf_slim"

# The modules that have a library's names, the first one that has a name giving it.
MODULES = {
    "contrib.framework": (
        "tf_slim.ops.arg_scope",
        "tf_slim.ops.framework_ops",
        "tf_slim.ops.variables",
    ),
    "contrib.layers": (
        "tf_slim.layers",
        "tf_slim.layers.initializers",
        "tf_slim.layers.optimizers",
        "tf_slim.layers.regularizers",
        "tf_slim.layers.summaries",
    ),
    "contrib.losses": ("tf_slim.losses",),
    "contrib.metrics": ("tf_slim.metrics",),
    "contrib.slim": ("tf_slim",),
    # Where programs import from files of contrib.
    "contrib.framework.python.ops": ("tf_slim.ops",),
    "contrib.layers.python.layers": ("tf_slim.layers",),
    "contrib.slim.python.slim": ("tf_slim",),
}

_SAME = {
    "contrib.data": (
        "tf.data.experimental",
        "AUTOTUNE Counter CsvDataset Optional RandomDataset Reducer SqlDataset TFRecordWriter "
        "bucket_by_sequence_length choose_from_datasets copy_to_device "
        "dense_to_sparse_batch enumerate_dataset get_next_as_optional get_single_element "
        "group_by_reducer group_by_window ignore_errors make_batched_features_dataset "
        "make_csv_dataset make_saveable_from_iterator map_and_batch parallel_interleave "
        "parse_example_dataset prefetch_to_device rejection_resample sample_from_datasets scan "
        "shuffle_and_repeat unbatch unique",
    ),
    "contrib.estimator": ("tf.estimator", "add_metrics"),
    "contrib.framework": (
        "tf",
        "CriticalSection TensorSpec argsort assert_same_float_dtype assert_scalar "
        "convert_to_tensor_or_sparse_tensor is_tensor nest py_func sort",
    ),
    "contrib.rnn": (
        "tf.nn.rnn_cell",
        "BasicLSTMCell BasicRNNCell DeviceWrapper DropoutWrapper GRUCell LSTMCell LSTMStateTuple "
        "MultiRNNCell RNNCell ResidualWrapper",
    ),
    "contrib.tpu": (
        "tf.estimator.tpu",
        "InputPipelineConfig RunConfig TPUConfig TPUEstimator TPUEstimatorSpec",
    ),
}
_ALSO_SAME = {
    "contrib.cluster_resolver": (
        "tf.distribute.cluster_resolver",
        "ClusterResolver KubernetesClusterResolver SimpleClusterResolver SlurmClusterResolver "
        "TFConfigClusterResolver TPUClusterResolver UnionResolver",
    ),
    "contrib.estimator": (
        "tf.estimator.experimental",
        "InMemoryEvaluatorHook make_early_stopping_hook make_stop_at_checkpoint_step_hook "
        "stop_if_higher_hook stop_if_lower_hook stop_if_no_decrease_hook "
        "stop_if_no_increase_hook",
    ),
    "contrib.framework": (
        "tf.train",
        "assert_global_step create_global_step get_global_step get_or_create_global_step "
        "init_from_checkpoint list_variables load_checkpoint load_variable",
    ),
    "contrib.lookup": ("tf.lookup", "StaticHashTable StaticVocabularyTable"),
    "contrib.rnn": (
        "tf.nn",
        "static_bidirectional_rnn static_rnn static_state_saving_rnn",
    ),
    "contrib.tpu": (
        "tf.tpu",
        "CrossShardOptimizer batch_parallel bfloat16_scope core cross_replica_sum "
        "initialize_system outside_compilation replicate rewrite shard shutdown_system",
    ),
    "contrib.training": ("tf.train", "checkpoints_iterator"),
    "contrib.util": ("tf", "make_ndarray make_tensor_proto"),
}
_LOOKUPS = (
    "HashTable KeyValueTensorInitializer MutableHashTable TextFileInitializer "
    "TextFileIdTableInitializer TextFileStringTableInitializer index_table_from_file "
    "index_table_from_tensor index_to_string_table_from_file index_to_string_table_from_tensor"
)
_TRAINING = (
    "StopAfterNEvalsHook SummaryAtEndHook evaluate_once evaluate_repeatedly "
    "get_or_create_eval_step wait_for_new_checkpoint"
)
_OTHERS = {
    "contrib.framework.smart_cond": "compat_hub.tf_private.contrib:smart_cond",
    "contrib.training.HParams": "compat_hub.tf1._hparams:HParams",
    "contrib.training.python.training.hparam.HParams": "compat_hub.tf1._hparams:HParams",
    "contrib.util.constant_value": f"{_TF}:get_static_value",
    **{
        f"contrib.layers.python.layers.{name}": f"{_SLIM}.layers:{name}"
        for name in ("initializers", "layers", "optimizers", "regularizers", "utils")
    },
    **{
        f"contrib.lookup.{name}": f"compat_hub.tf_private.contrib:{name}"
        for name in _LOOKUPS.split()
    },
    **{
        f"contrib.training.{name}": f"tf_slim.training.training:{name}"
        for name in (
            "add_gradients_summaries",
            "clip_gradient_norms",
            "clip_gradient_norms_fn",
            "create_train_op",
            "multiply_gradients",
            "train",
        )
    },
    **{
        f"contrib.training.{name}": f"tf_slim.training.evaluation:{name}"
        for name in _TRAINING.split()
    },
}


def _all_names() -> dict[str, str]:
    found = {}
    for same in (_SAME, _ALSO_SAME):
        for library, (source, names) in same.items():
            path = source.removeprefix("tf").removeprefix(".")
            for name in names.split():
                found[f"{library}.{name}"] = f"{_TF}:{f'{path}.' if path else ''}{name}"
    return {**found, **_OTHERS}


NAMES = _all_names()


def names_of(path: str) -> dict[str, str]:
    """The names of a library that are said one by one, and where each is."""
    return {
        full.rpartition(".")[2]: source
        for full, source in NAMES.items()
        if full.rpartition(".")[0] == path
    }


def parts_of(path: str) -> set[str]:
    """The libraries in a library that have something."""
    paths = [*MODULES, *(full.rpartition(".")[0] for full in NAMES)]
    return {p.removeprefix(f"{path}.").partition(".")[0] for p in paths if p.startswith(f"{path}.")}


_ADVICE = {
    "contrib.all_reduce": "A tf.distribute strategy reduces over devices.",
    "contrib.autograph": "It is tf.autograph.",
    "contrib.batching": "tf.nondifferentiable_batch_function is what batching.batch_function was.",
    "contrib.checkpoint": "tf.train.Checkpoint tracks attributes, lists and dicts.",
    "contrib.cloud": "The package tensorflow-io reads from clouds; tf.io.gfile reads gs:// paths.",
    "contrib.constrained_optimization": "The package tfco has it.",
    "contrib.copy_graph": "tf.graph_util and tf.import_graph_def copy graphs.",
    "contrib.crf": "Write the loss with tf.scan over the transitions, or take the module's file "
    "from TensorFlow 1.15 into the program.",
    "contrib.cudnn_rnn": "tf.keras.layers.LSTM and GRU use cuDNN in TensorFlow 2; in a graph, "
    "tf.nn.rnn_cell with tf.nn.dynamic_rnn computes the same.",
    "contrib.data": "It is in tf.data.experimental, or a method of tf.data.Dataset.",
    "contrib.deprecated": "It is in tf.summary.",
    "contrib.distribute": "It is in tf.distribute, with other arguments.",
    "contrib.distributions": "The package tensorflow-probability has it.",
    "contrib.eager": "TensorFlow 2 has it: tf.Variable, tf.GradientTape, tf.train.Checkpoint.",
    "contrib.estimator": "It is in tf.estimator, or in tf.estimator.experimental.",
    "contrib.factorization": "scikit-learn has k-means, mixtures and matrix factorization.",
    "contrib.ffmpeg": "The package tensorflow-io decodes audio and video; tf.audio.decode_wav WAV.",
    "contrib.framework": "Look for the name in tf, tf.train and tf_slim.",
    "contrib.gan": "The package tensorflow-gan has it.",
    "contrib.graph_editor": "tf.import_graph_def with an input_map gives a graph other inputs.",
    "contrib.image": "tf.raw_ops.ImageProjectiveTransformV3 is what transform and rotate call; "
    "tf.image has crops, flips, resizing and colours.",
    "contrib.integrate": "The package tensorflow-probability has tfp.math.ode.",
    "contrib.keras": "It is tf.keras.",
    "contrib.layers.embed_sequence": "Write tf.nn.embedding_lookup on a tf.get_variable.",
    "contrib.layers.group_norm": "Write it with tf.nn.moments over the groups.",
    "contrib.layers.instance_norm": "It is tf_slim.layers.instance_norm, where tf_slim has it; "
    "otherwise tf.nn.moments over height and width.",
    "contrib.layers.bucketized_column": "It is tf.feature_column.bucketized_column.",
    "contrib.layers.crossed_column": "It is tf.feature_column.crossed_column.",
    "contrib.layers.embedding_column": "It is tf.feature_column.embedding_column.",
    "contrib.layers.one_hot_column": "It is tf.feature_column.indicator_column.",
    "contrib.layers.real_valued_column": "It is tf.feature_column.numeric_column.",
    "contrib.layers.recompute_grad": "It is tf.recompute_grad.",
    "contrib.layers.sparse_column_with_hash_bucket": "It is "
    "tf.feature_column.categorical_column_with_hash_bucket.",
    "contrib.layers.sparse_column_with_integerized_feature": "It is "
    "tf.feature_column.categorical_column_with_identity.",
    "contrib.layers.sparse_column_with_keys": "It is "
    "tf.feature_column.categorical_column_with_vocabulary_list.",
    "contrib.layers.sparse_column_with_vocabulary_file": "It is "
    "tf.feature_column.categorical_column_with_vocabulary_file.",
    "contrib.layers": "Look for the name in tf.layers, tf.nn and tf.feature_column.",
    "contrib.learn": "tf.estimator has Estimators, tf.data reads files, and "
    "tf.io the vocabularies.",
    "contrib.libsvm": "scikit-learn reads files of libsvm.",
    "contrib.linalg": "It is in tf.linalg.",
    "contrib.linear_optimizer": "It is tf.estimator.experimental.LinearSDCA.",
    "contrib.lite": "It is tf.lite.",
    "contrib.lookup": "It is in tf.lookup.",
    "contrib.losses": "It is in tf.losses.",
    "contrib.memory_stats": "It is tf.config.experimental.get_memory_info.",
    "contrib.meta_graph_transform": "The MetaGraphDef is a proto: change it in Python.",
    "contrib.metrics": "It is in tf.metrics.",
    "contrib.mixed_precision": "It is tf.train.experimental.enable_mixed_precision_graph_rewrite "
    "or tf.keras.mixed_precision.",
    "contrib.model_pruning": "The package tensorflow-model-optimization prunes.",
    "contrib.nn": "It is in tf.nn.",
    "contrib.opt.AdamWOptimizer": "Write tf.train.AdamOptimizer, and subtract rate * weight_decay "
    "* variable in a second op; in Keras it is tf.keras.optimizers.AdamW.",
    "contrib.opt": "tf.train and tf.keras.optimizers have optimizers; scipy.optimize.minimize is "
    "what ScipyOptimizerInterface called.",
    "contrib.predictor": "compat_hub.load(path) loads a SavedModel; its signatures are called.",
    "contrib.quantize": "No graph rewriter for fake quantization is left: train without it, and "
    "convert with tf.lite's quantization after training. tf.quantization has the single ops.",
    "contrib.recurrent": "tf.nn.dynamic_rnn and tf.scan run recurrences.",
    "contrib.resampler": "compat_hub.load computes it in modules; in a program write it with "
    "tf.gather_nd of the four neighbours.",
    "contrib.rnn": "Of the cells, tf.nn.rnn_cell has the plain ones; write others as an RNNCell.",
    "contrib.saved_model": "It is in tf.saved_model.",
    "contrib.seq2seq.sequence_loss": "Write tf.losses.sparse_softmax_cross_entropy(targets, "
    "logits, weights).",
    "contrib.seq2seq": "Write the decoder as a tf.while_loop over a tf.nn.rnn_cell.",
    "contrib.session_bundle": "It is in tf.saved_model.",
    "contrib.signal": "It is in tf.signal.",
    "contrib.slim": "Look for the name in tf_slim, tf.layers and tf.losses.",
    "contrib.solvers": "scipy.sparse.linalg and tf.linalg.experimental.conjugate_gradient solve.",
    "contrib.sparsemax": "Write it with tf.sort and tf.cumsum.",
    "contrib.staging": "It is in tf.raw_ops; tf.data prefetches.",
    "contrib.stateless": "It is in tf.random, such as tf.random.stateless_uniform.",
    "contrib.stat_summarizer": "The profiler of TensorBoard shows where time goes.",
    "contrib.summary": "It is in tf.summary, or in tf.compat.v2.summary.",
    "contrib.tensorboard": "The package tensorboard has it: tensorboard.plugins.projector.",
    "contrib.tensor_forest": "scikit-learn and TensorFlow Decision Forests grow forests.",
    "contrib.tensorrt": "It is in tf.experimental.tensorrt.",
    "contrib.testing": "It is in tf.test.",
    "contrib.text": "The package tensorflow-text has ops of texts.",
    "contrib.timeseries": "The package tensorflow-probability has tfp.sts.",
    "contrib.tpu": "TPUs are used by tf.distribute.TPUStrategy in TensorFlow 2; here "
    "TPUEstimators run with use_tpu=False.",
    "contrib.training": "tf.data batches and buckets sequences, tf_slim trains.",
    "contrib.util": "It is in tf, tf.train or tf.graph_util.",
}


def advice(path: str) -> str:
    """What takes the place of a name of `tf`, such as `contrib.seq2seq`."""
    while path:
        if path in _ADVICE:
            return _ADVICE[path]
        path = path.rpartition(".")[0]
    return "Nothing takes its place."
