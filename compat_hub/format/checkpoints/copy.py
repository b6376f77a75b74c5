"""A checkpoint with a module's variables, taken from one with other names."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from compat_hub.errors import ResolveError, SignatureError, UnknownNameError
from compat_hub.format.variant import VariableInfo


def copy_variables(
    variables: Sequence[VariableInfo],
    source: str,
    name_in_source: Callable[[str], str],
    target: str,
    where: str,
) -> None:
    """Writes the checkpoint of a module, with values from another checkpoint.

    It works in programs with and without eager execution.

    Args:
        variables: The module's variables.
        source: The prefix of a checkpoint, or a folder, whose latest checkpoint is taken.
        name_in_source: The name in the source of what is called so in the module.
        target: The prefix of the checkpoint to write.
        where: How messages name the module.

    Raises:
        ResolveError: There is no such checkpoint.
        UnknownNameError: It lacks a variable.
        SignatureError: It holds one with another dtype or shape.
    """
    prefix = _find_checkpoint(source)
    try:
        reader = tf.compat.v1.train.NewCheckpointReader(prefix)
    except (tf.errors.OpError, IndexError, RuntimeError, TypeError, ValueError) as error:
        raise ResolveError(
            f"The checkpoint {prefix!r} cannot be opened: {error}. "
            "Pass the prefix of a checkpoint: its path without `.index`."
        ) from error
    shapes, dtypes = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    by_key = {info.key: info for info in variables}
    names = [name_in_source(key) for key in by_key]
    for name, info in zip(names, by_key.values(), strict=True):
        what = f"In {where}: the variable {info.key!r}"
        if name not in shapes:
            raise UnknownNameError(
                f"{what} is not in the checkpoint {prefix!r}, where it was looked for as {name!r}. "
                f"It has: {', '.join(map(repr, sorted(shapes)))}. Pass a `name_transform_fn` that "
                "gives the name in the checkpoint for the name in the module."
            )
        expected = tf.TensorShape(info.slice.full_shape) if info.slice else info.shape
        if dtypes[name] != info.dtype or not expected.is_compatible_with(shapes[name]):
            raise SignatureError(
                f"{what} is {info.dtype.name} {expected}, and {dtypes[name].name} {shapes[name]} "
                f"as {name!r} in the checkpoint {prefix!r}. Pass the checkpoint of this model."
            )
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        whole = [""] * len(names)
        tensors = tf.raw_ops.RestoreV2(
            prefix=prefix,
            tensor_names=names,
            shape_and_slices=whole,
            dtypes=[info.dtype for info in by_key.values()],
        )
        save = tf.raw_ops.SaveV2(
            prefix=target, tensor_names=list(by_key), shape_and_slices=whole, tensors=tensors
        )
        try:
            session.run(save)
        except tf.errors.OpError as error:
            raise ResolveError(
                f"In {where}: the variables cannot be copied from the checkpoint {prefix!r}: "
                f"{error.message.splitlines()[0]}. Check that it is complete, and the free space."
            ) from error


def _find_checkpoint(source: str) -> str:
    if not tf.io.gfile.exists(f"{source}.index") and tf.io.gfile.isdir(source):
        latest = tf.train.latest_checkpoint(source)
        if latest is None:
            raise ResolveError(
                f"The folder {source!r} has no file `checkpoint` that names its latest checkpoint. "
                "Pass the prefix of one: its path without `.index`."
            )
        return latest
    return source
