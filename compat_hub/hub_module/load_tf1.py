"""`load_tf1`: any model that TensorFlow 1 wrote, as a `HubModule`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from compat_hub.format.spec import Tags
from compat_hub.format.tf1_models.make_spec import Names, make_spec
from compat_hub.hub_module.hub_module import HubModule
from compat_hub.hub_module.load import load
from compat_hub.state.module_state import Missing, check_missing


def load_tf1(
    path: str | os.PathLike[str],
    inputs: Names | None = None,
    outputs: Names | None = None,
    *,
    signatures: Mapping[str, tuple[Names, Names]] | None = None,
    feed_dict: Mapping[str, Any] | None = None,
    training_feed_dict: Mapping[str, Any] | None = None,
    missing: Missing = "error",
    unfreeze: bool | str | Sequence[str] = False,
    tags: Tags = None,
    allow_host_access: bool = False,
    allow_links: bool = False,
) -> HubModule:
    """Loads a model that TensorFlow 1 wrote: a SavedModel, a checkpoint, a frozen graph.

    Examples:
        >>> import tensorflow.compat.v1 as tf1
        >>> with tf1.Graph().as_default(), tf1.Session() as session:
        ...     x = tf1.placeholder(tf.float32, [None, 4], "x")
        ...     keep_prob = tf1.placeholder(tf.float32, [], "keep_prob")
        ...     hidden = tf1.nn.dropout(x, keep_prob=keep_prob)
        ...     y = tf1.matmul(hidden, tf1.get_variable("w", [4, 2]), name="logits")
        ...     session.run(tf1.global_variables_initializer())
        ...     prefix = tf1.train.Saver().save(session, "path/to/model.ckpt")
        >>> module = compat_hub.load_tf1(
        ...     prefix, {"x": "x:0"}, {"default": "logits:0"},
        ...     feed_dict={"keep_prob:0": 1.0}, training_feed_dict={"keep_prob:0": 0.5},
        ... )
        >>> module(tf.ones([3, 4])).shape, [v.name for v in module.trainable_variables]
        (TensorShape([3, 2]), ['w:0'])

    What the result does is what a module in TF1 Hub format does: it goes into a `KerasLayer`, to
    `compat_hub.convert` and `compat_hub.verify`, and `module.export` writes a handle. Only what the
    outputs, their regularization losses and their update ops need becomes a part of it: nothing
    else of the graph is imported, and no other variable is read.

    Args:
        path: A SavedModel's folder; a checkpoint of a Saver with its `.meta` file: its prefix, that
            file, or a folder with a file `checkpoint`, whose latest is taken; a frozen graph.
        inputs: By a name to call it, the name of a tensor that is fed. It may be any: what stands
            before it does not run.
        outputs: By a name to call it, the name of a tensor. With `inputs` they make the signature
            `default`. The output `default`, or the only one, is what a call returns.
        signatures: More signatures, by name: pairs of inputs and outputs. A SavedModel's own are
            there in any case.
        feed_dict: Values that tensors have for good, by name.
        training_feed_dict: Other values in training: they make the `{"train"}` variant.
        missing: What becomes of variables that are needed and that the checkpoint does not have: as
            of `compat_hub.load`.
        unfreeze: Which constants become variables: True for all that are weights, or a regular
            expression, or a list of them, searched in the names of constants.
        tags: The graph of a SavedModel with several. None takes the only one, or `{"serve"}`, with
            the one of `{"train"}` for training, where it has the same signatures.
        allow_host_access: As for `compat_hub.load`.
        allow_links: As for `compat_hub.load`.

    Returns:
        A `HubModule`.

    Raises:
        ResolveError: There is nothing at the path.
        ModuleFormatError: It is something else, or damaged; the message says what takes it.
        CheckpointError: Values are missing.
        UnknownNameError: The graph has no such tensor; the message has the nearest names.
        SignatureError: An output needs more than the inputs give.
        InputTypeError: A value does not fit its tensor.
        UnsafeModuleError: What is needed of the graph would touch the host.
    """
    check_missing(missing)
    spec = make_spec(
        path,
        inputs,
        outputs,
        signatures=signatures,
        feed_dict=feed_dict,
        training_feed_dict=training_feed_dict,
        unfreeze=unfreeze,
        tags=tags,
        needs_values=missing == "error",
        allow_host_access=allow_host_access,
        allow_links=allow_links,
    )
    return load(spec, missing=missing)
