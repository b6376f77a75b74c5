"""Which package has, or had, an op that TensorFlow does not have by itself."""

from __future__ import annotations

import importlib
import importlib.util

from compat_hub.common.extras import install_command
from compat_hub.tf_private import op_registry

TEXT_PACKAGE = "tensorflow_text"
# Of the releases from 1.15 to 2.21; later ones begin with TFText>.
_TEXT_OPS = """
    CaseFoldUTF8 ConstrainedSequence FastBertNormalize FastWordpieceTokenizeWithOffsets
    FindSourceOffsets MaxSpanningTree NormalizeUTF8 NormalizeUTF8WithOffsetsMap PhraseTokenize
    RegexSplitWithOffsets RougeL SentenceFragments SentenceFragmentsV2 SentencepieceDetokenizeOp
    SentencepieceIdToStringOp SentencepieceOp SentencepieceStringToIdOp SentencepieceTokenizeOp
    SentencepieceTokenizeWithOffsetsOp SentencepieceVocabSizeOp SplitMergeTokenizeWithOffsets
    TFText>BoiseTagsToOffsets TFText>ByteSplitByOffsets TFText>ByteSplitWithOffsets
    TFText>FastSentencepieceDetokenize TFText>FastSentencepieceTokenize
    TFText>FastWordpieceDetokenize TFText>NgramsStringJoin TFText>OffsetsToBoiseTags
    TFText>PhraseDetokenize TFText>RoundRobinGenerateMasks TFText>RoundRobinTrim
    TFText>Utf8Binarize TFText>WhitespaceTokenizeWithOffsetsV2 TokenizerFromLogits
    UnicodeScriptTokenizeWithOffsets WhitespaceTokenizeWithOffsets WordpieceTokenizeWithOffsets
    """
_SENTENCEPIECE_OPS = """
    SentencepieceDecode SentencepieceEncodeDense SentencepieceEncodeSparse SentencepieceGetPieceSize
    SentencepieceGetPieceType SentencepieceIdToPiece SentencepiecePieceToId
    """
# What TensorFlow 1.15 registered, and neither 2.16 nor 2.21 does.
_CORE_OPS = """
    BigQueryReader CompareAndBitpack GcsConfigureBlockCache GcsConfigureCredentials
    GenerateBigQueryReaderPartitions LoadTPUEmbeddingADAMParametersGradAccumDebug
    LoadTPUEmbeddingAdadeltaParametersGradAccumDebug
    LoadTPUEmbeddingAdagradParametersGradAccumDebug LoadTPUEmbeddingFTRLParametersGradAccumDebug
    LoadTPUEmbeddingMomentumParametersGradAccumDebug
    LoadTPUEmbeddingProximalAdagradParametersGradAccumDebug
    LoadTPUEmbeddingRMSPropParametersGradAccumDebug RemoteFusedGraphExecute
    RetrieveTPUEmbeddingADAMParametersGradAccumDebug
    RetrieveTPUEmbeddingAdadeltaParametersGradAccumDebug
    RetrieveTPUEmbeddingAdagradParametersGradAccumDebug
    RetrieveTPUEmbeddingFTRLParametersGradAccumDebug
    RetrieveTPUEmbeddingMomentumParametersGradAccumDebug
    RetrieveTPUEmbeddingProximalAdagradParametersGradAccumDebug
    RetrieveTPUEmbeddingRMSPropParametersGradAccumDebug Rpc TensorForestCreateTreeVariable
    TensorForestTreeDeserialize TensorForestTreeIsInitializedOp TensorForestTreePredict
    TensorForestTreeResourceHandleOp TensorForestTreeSerialize TensorForestTreeSize TryRpc
    """
_CONTRIB_OPS = {
    "bigtable": """
        BigtableClient BigtableLookupDataset BigtablePrefixKeyDataset
        BigtableRangeKeyDataset BigtableSampleKeyPairsDataset BigtableSampleKeysDataset
        BigtableScanDataset BigtableTable DatasetToBigtable
        """,
    "boosted_trees": """
        BucketizeWithInputBoundaries BuildCategoricalEqualitySplits
        BuildDenseInequalitySplits BuildSparseInequalitySplits CenterTreeEnsembleBias
        CreateQuantileAccumulator CreateStatsAccumulatorScalar CreateStatsAccumulatorTensor
        CreateTreeEnsembleVariable DecisionTreeEnsembleResourceHandleOp
        GradientTreesPartitionExamples GradientTreesPrediction
        GradientTreesPredictionVerbose GrowTreeEnsemble MakeQuantileSummaries
        QuantileAccumulatorAddSummaries QuantileAccumulatorDeserialize
        QuantileAccumulatorFlush QuantileAccumulatorFlushSummary
        QuantileAccumulatorGetBuckets QuantileAccumulatorIsInitialized
        QuantileAccumulatorSerialize QuantileBuckets QuantileStreamResourceHandleOp
        Quantiles StatsAccumulatorScalarAdd StatsAccumulatorScalarDeserialize
        StatsAccumulatorScalarFlush StatsAccumulatorScalarIsInitialized
        StatsAccumulatorScalarMakeSummary StatsAccumulatorScalarResourceHandleOp
        StatsAccumulatorScalarSerialize StatsAccumulatorTensorAdd
        StatsAccumulatorTensorDeserialize StatsAccumulatorTensorFlush
        StatsAccumulatorTensorIsInitialized StatsAccumulatorTensorMakeSummary
        StatsAccumulatorTensorResourceHandleOp StatsAccumulatorTensorSerialize
        TreeEnsembleDeserialize TreeEnsembleIsInitializedOp TreeEnsembleSerialize
        TreeEnsembleStampToken TreeEnsembleStats TreeEnsembleUsedHandlers
        """,
    "factorization": """
        MaskedMatmul WALSComputePartialLhsAndRhs
        """,
    "ffmpeg": """
        DecodeAudio DecodeAudioV2 DecodeVideo EncodeAudio EncodeAudioV2
        """,
    "framework": """
        ZeroInitializer ZeroVarInitializer
        """,
    "fused_conv": """
        FusedConv2DBiasActivation
        """,
    "hadoop": """
        SequenceFileDataset
        """,
    "ignite": """
        IgniteDataset
        """,
    "image": """
        AdjustHsvInYiq BipartiteMatch ImageConnectedComponents ImageProjectiveTransform
        SingleImageRandomDotStereograms
        """,
    "input_pipeline": """
        ObtainNext
        """,
    "kafka": """
        KafkaDataset
        """,
    "kinesis": """
        KinesisDataset
        """,
    "layers": """
        SparseFeatureCross SparseFeatureCrossV2
        """,
    "libsvm": """
        DecodeLibsvm
        """,
    "memory_stats": """
        BytesInUse BytesLimit MaxBytesInUse
        """,
    "nearest_neighbor": """
        HyperplaneLSHProbes
        """,
    "periodic_resample": """
        PeriodicResample PeriodicResampleOpGrad
        """,
    "reduce_slice_ops": """
        ReduceSliceMax ReduceSliceMin ReduceSliceProd ReduceSliceSum
        """,
    "resampler": """
        Resampler ResamplerGrad
        """,
    "seq2seq": """
        GatherTree
        """,
    "tensor_forest": """
        CreateFertileStatsVariable CreateTreeVariable DecisionTreeResourceHandleOp
        FeatureUsageCounts FertileStatsDeserialize FertileStatsIsInitializedOp
        FertileStatsResourceHandleOp FertileStatsSerialize FinalizeTree GrowTreeV4
        ProcessInputV4 ReinterpretStringToFloat ScatterAddNdim TraverseTreeV4
        TreeDeserialize TreeIsInitializedOp TreePredictionsV4 TreeSerialize TreeSize
        UpdateModelV4
        """,
    "text": """
        SkipGramGenerateCandidates
        """,
}
_LIKE = {"tensorflow_text": _TEXT_OPS, "tf_sentencepiece": _SENTENCEPIECE_OPS}
_PACKAGES = {op: package for package, ops in _LIKE.items() for op in ops.split()}
_PACKAGES.update(dict.fromkeys(_CORE_OPS.split(), "tensorflow"))
_PACKAGES.update(
    {op: f"tf.contrib.{name}" for name, ops in _CONTRIB_OPS.items() for op in ops.split()}
)
# Packages whose ops all begin alike.
_PREFIXES = {
    "Addons>": "tensorflow_addons",
    "Horovod": "horovod",
    "IO>": "tensorflow_io",
    "SimpleML": "tensorflow_decision_forests",
    "TFText>": "tensorflow_text",
    "TRT": "a TensorFlow that is built with TensorRT",
}


def package_of(op: str) -> str | None:
    """The package that has or had an op, or None if none is known."""
    if op in _PACKAGES:
        return _PACKAGES[op]
    return next((p for prefix, p in _PREFIXES.items() if op.startswith(prefix)), None)


def explain_op(op: str) -> str:
    """A sentence on where an op is from, and what to do."""
    package = package_of(op)
    if package is None:
        return (
            f"{op!r} is of no package that compat_hub knows: if you know the one that has it, "
            "import that package first."
        )
    if package == "tensorflow_text":
        install = install_command("text")
        return f"{op!r} is of tensorflow_text: {install} or import the release that fits."
    if package == "tf_sentencepiece":
        return (
            f"{op!r} was of tf_sentencepiece, which is gone; compat_hub computes it with "
            f"tensorflow_text: {install_command('text')}."
        )
    if package == "tensorflow":
        return f"{op!r} was of TensorFlow 1, and nothing has it today."
    if package.startswith("tf.contrib."):
        return f"{op!r} was of {package} in TensorFlow 1, and nothing has it today."
    return f"{op!r} is of {package}: install that and import it first."


def import_package_of(op: str) -> None:
    """Imports tensorflow_text where it is installed and has an op, or what computes it.

    No other package is imported for a module's sake.
    """
    if package_of(op) not in (TEXT_PACKAGE, "tf_sentencepiece"):
        return
    if op_registry.is_registered_op("SentencepieceOp"):
        return  # it is there, and does not have the op
    if importlib.util.find_spec(TEXT_PACKAGE) is None:
        return
    try:
        importlib.import_module(TEXT_PACKAGE)
    except Exception:  # of another TensorFlow, say: what is missing then is an unknown op
        return
