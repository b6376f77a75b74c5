"""Batch inference: a module in Apache Beam's RunInference."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from compat_hub.common.extras import install_command
from compat_hub.errors import InputTypeError, SignatureError
from compat_hub.format.spec import ModuleSpec, Tags, load_module_spec, normalize_tags
from compat_hub.format.variant import GraphVariant, Signature
from compat_hub.hub_module.hub_module import HubModule
from compat_hub.hub_module.load import load
from compat_hub.tools.beam.batching import Batcher, split

try:
    from apache_beam.ml.inference.base import (  # pyright: ignore[reportMissingImports]
        ModelHandler,
        PredictionResult,
    )
except ImportError as error:
    raise ImportError(
        f"compat_hub.beam needs Apache Beam: {error}. Install it: {install_command('beam')}"
    ) from error


class BatchModel:
    """A module as workers share it: what goes in and comes out can go to another process."""

    def __init__(
        self, module: HubModule, signature: Signature, outputs: Sequence[str], batcher: Batcher
    ) -> None:
        self._module = module
        self._signature = signature
        self._outputs = tuple(outputs)
        self._batcher = batcher

    def predict(self, examples: Sequence[Any]) -> list[dict[str, Any]]:
        """The outputs of each example, by name.

        Raises:
            InputTypeError: An example does not fit the signature.
        """
        found: list[dict[str, Any]] = [{} for _ in examples]
        for call in self._batcher.batches(examples):
            result = self._module.call_signature(call.inputs, self._signature.name, self._outputs)
            for name, value in result.outputs.items():
                rows = split(value, call, f"The output {name!r}")
                for number, row in zip(call.numbers, rows, strict=True):
                    found[number][name] = row
        return found


class HubModelHandler(ModelHandler[Any, PredictionResult, BatchModel]):
    """Runs a module in TF1 Hub format in a Beam pipeline, on any runner.

    Examples:
        >>> import apache_beam as beam
        >>> from apache_beam.ml.inference.base import RunInference
        >>> from compat_hub.beam import HubModelHandler
        >>> handler = HubModelHandler("path/to/text_module", max_batch_size=256)
        >>> with beam.Pipeline() as pipeline:
        ...     results = pipeline | beam.Create(["hello", "world"]) | RunInference(handler)
        ...     shapes = results | beam.Map(lambda found: (found.example, found.inference.shape))
        ...     _ = shapes | beam.Map(print)
        ('hello', (4,))
        ('world', (4,))

    An example is what an input of the signature has for one row of a batch: a number, string, list,
    numpy array or tensor; a dict of them by input name where the signature takes several. Examples
    of one shape are called together. Each becomes a `PredictionResult` with `example`, `inference`
    (a numpy value, or a dict of them by output name) and `model_id`, the handle.

    Each worker process loads the module once, and its threads share it; with `large_model=True` all
    processes of a machine share one. `RunInference(..., model_metadata_pcoll=...)` changes the
    module while the pipeline runs: `model_id` is the new handle.

    Each example is checked before batches are made. With `RunInference(...)
    .with_exception_handling()` one that does not fit goes to `failed_preprocessing[0]`, with the
    error, alone. A batch that TensorFlow fails on goes to `failed_inferences` whole.

    Args:
        handle: What `compat_hub.load` takes, readable for the workers: a path or a URL.
        signature: The signature's name, `"default"` when None.
        output_key: The name of the one output to return; the others are not computed. When None,
            the output called `default`.
        signature_outputs_as_dict: Whether to return all outputs, in a dict.
        tags: The variant's tags, a set, a list or one string; None is the inference variant.
        arguments: Further inputs by name, the same for all examples, such as hyperparameters;
            values that can be pickled.
        check_examples: Whether to check each example before batches are made. Beam takes no handler
            that does into a `KeyedModelHandler`; `check_example` can be called outside of it.
        allow_host_access: As for `compat_hub.load`.
        allow_links: As for `compat_hub.load`.
        sha256: As for `compat_hub.load`.
        **batching: Arguments of Beam's `ModelHandler`: `min_batch_size`, `max_batch_size`,
            `max_batch_duration_secs`, `large_model`, `model_copies`, ...
    """

    def __init__(
        self,
        handle: str | os.PathLike[str],
        *,
        signature: str | None = None,
        output_key: str | None = None,
        signature_outputs_as_dict: bool = False,
        arguments: Mapping[str, Any] | None = None,
        tags: Tags = None,
        check_examples: bool = True,
        allow_host_access: bool = False,
        allow_links: bool = False,
        sha256: str | None = None,
        **batching: Any,
    ) -> None:
        super().__init__(**batching)
        if not isinstance(handle, str | os.PathLike):
            raise InputTypeError(
                f"A HubModelHandler's handle is a path or a URL, which each worker loads; found a "
                f"{type(handle).__name__}. Pass the path that it comes from; write a module that "
                "has changed with its export() first."
            )
        if output_key is not None and signature_outputs_as_dict:
            raise InputTypeError(
                "A HubModelHandler returns one output, by `output_key`, or all of them, by "
                "`signature_outputs_as_dict`. Pass one of the two."
            )
        self._handle = os.fspath(handle)
        self._signature = signature
        self._output_key = output_key
        self._as_dict = signature_outputs_as_dict
        self._arguments = dict(arguments or {})
        self._tags = tuple(sorted(normalize_tags(tags)))
        self._check_examples = check_examples
        self._allow_host_access = allow_host_access
        self._allow_links = allow_links
        self._sha256 = sha256

    def load_model(self) -> BatchModel:
        """Loads the module; Beam calls it in the workers.

        Returns:
            What `run_inference` takes.

        Raises:
            HubError: The handle leads to no module, or to one without the signature or output.
            SignatureError: It is a plain SavedModel, or has not the signature or output.
        """
        module = load(
            self._handle,
            tags=self._tags,
            allow_host_access=self._allow_host_access,
            allow_links=self._allow_links,
            sha256=self._sha256,
        )
        if not isinstance(module, HubModule):
            raise SignatureError(
                f"{self._handle!r} is a SavedModel, not a module in TF1 Hub format. "
                "Use Beam's own TFModelHandlerTensor for it."
            )
        variant = module.variant(training=False)
        signature = module.spec.signature(self._signature, variant.tags)
        outputs = self._outputs(variant, signature)
        return BatchModel(module, signature, outputs, Batcher(variant, signature, self._arguments))

    def run_inference(
        self,
        batch: Sequence[Any],
        model: BatchModel,
        inference_args: dict[str, Any] | None = None,
    ) -> Iterable[PredictionResult]:
        """The predictions for a batch of examples; Beam calls it in the workers.

        Args:
            batch: The examples.
            model: What `load_model` gave.
            inference_args: None; `arguments` are the handler's.

        Returns:
            A `PredictionResult` for each example, in their order.

        Raises:
            InputTypeError: An example does not fit the signature.
        """
        for example, found in zip(batch, model.predict(batch), strict=True):
            inference = found if self._as_dict else next(iter(found.values()))
            yield PredictionResult(example, inference, self._handle)

    def check_example(self, example: Any) -> Any:
        """Gives the example back if it fits the signature.

        Args:
            example: What the signature's inputs have for one row of a batch.

        Returns:
            The same example.

        Raises:
            InputTypeError: It does not fit.
        """
        spec = _read_spec(self._handle)
        signature = spec.signature(self._signature, self._tags)
        Batcher(spec.variant(self._tags), signature, self._arguments).check(example)
        return example

    def validate_inference_args(self, inference_args: dict[str, Any] | None) -> None:
        """Refuses arguments of RunInference; Beam calls it.

        Args:
            inference_args: The arguments by name, or None.

        Raises:
            InputTypeError: There are some.
        """
        if inference_args:
            raise InputTypeError(
                f"RunInference was given inference_args ({', '.join(inference_args)}), which a "
                "HubModelHandler does not take. Pass them to the handler, as `arguments`."
            )

    def get_preprocess_fns(self) -> list[Any]:
        """What RunInference does before it makes batches; Beam calls it."""
        return [self.check_example] if self._check_examples else []

    def update_model_path(self, model_path: str | None = None) -> None:
        """Changes the handle; Beam calls it where the side input names a new one.

        Args:
            model_path: The new handle; None leaves it as it is.
        """
        self._handle = model_path or self._handle

    def get_num_bytes(self, batch: Sequence[Any]) -> int:
        """About how many bytes the examples have, for Beam's metrics.

        Args:
            batch: The examples.

        Returns:
            The number of bytes.
        """
        return sum(_byte_size(v) for example in batch for v in tf.nest.flatten(example))

    def get_metrics_namespace(self) -> str:
        """Under which name Beam counts inferences, bytes and times."""
        return "BeamML_compat_hub"

    def _outputs(self, variant: GraphVariant, signature: Signature) -> tuple[str, ...]:
        if self._as_dict:
            return tuple(signature.outputs)
        if self._output_key is None and "default" not in signature.outputs:
            raise SignatureError(
                f"In {variant.where}, signature {signature.name!r}: there is no output 'default', "
                f"there are {', '.join(map(repr, signature.outputs))}. Pass one as `output_key`, "
                "or signature_outputs_as_dict=True."
            )
        return signature.select_outputs((self._output_key or "default",), variant.where)


@functools.lru_cache(maxsize=16)
def _read_spec(handle: str) -> ModuleSpec:
    """Once for each process: it takes long, and examples are many."""
    return load_module_spec(handle)


def _byte_size(value: Any) -> int:
    if isinstance(value, str | bytes):
        return len(value)
    return int(getattr(value, "nbytes", 0)) or np.asarray(value).nbytes
