"""Whether a module implements a common signature, so that a program can exchange it."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from compat_hub.errors import UnknownNameError
from compat_hub.format import protos
from compat_hub.format.documented_signatures import (
    BATCH_SIZE,
    COMMON_SIGNATURES,
    CommonSignature,
    DocumentedTensor,
)
from compat_hub.format.spec import ModuleSpec, Tags, load_module_spec
from compat_hub.format.tensor_info import TensorInfo
from compat_hub.format.variant import GraphVariant, Signature

__all__ = [
    "COMMON_SIGNATURES",
    "CommonSignature",
    "CommonSignatureWarning",
    "DocumentedTensor",
    "check",
    "matching",
]

_DEFAULT = "default"
_IMAGE_MODULE_INFO = "image_module_info"
_IMAGE_SIZES = ("height", "width")


class CommonSignatureWarning(UserWarning):
    """A module does not implement the common signature of its kind.

    Examples:
        >>> import warnings
        >>> def module_fn():
        ...     x = tf.compat.v1.placeholder(tf.float32, [None, 4])
        ...     compat_hub.add_signature(inputs=x, outputs=2 * x)
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     warnings.simplefilter("always")
        ...     spec = compat_hub.create_module_spec(module_fn, common_signature="text_embedding")
        >>> caught[0].category.__name__
        'CommonSignatureWarning'
    """


def check(
    module_or_spec: Any, kind: str, signature: str | None = None, tags: Tags = None
) -> list[str]:
    """Checks that a module implements the common signature of its kind.

    A module of a kind has a signature of the documented name, if there is one, and a signature
    `default`. The latter may be for another task of the module, where it has several: what is
    checked is that it has such inputs and such an output. Values are not checked, since no graph
    tells them; `COMMON_SIGNATURES` has the range that they have to be in.

    Examples:
        >>> compat_hub.common_signatures.check("path/to/image_module", "image_feature_vector")
        []
        >>> problems = compat_hub.common_signatures.check("path/to/module", "text_embedding")
        >>> print(problems[0])
        In module 'path/to/module', variant set(), signature 'default': the input 'fruit' has to be
        string [batch_size], found float32 [None, 7]: its dtype has to be string, convert it with
        tf.cast(); its rank has to be 1, and is 2.

    Args:
        module_or_spec: A `ModuleSpec`, a `HubModule`, a `Module`, or a handle.
        kind: A key of `COMMON_SIGNATURES`: `"image_feature_vector"`, `"image_classification"` or
            `"text_embedding"`.
        signature: The name of the only signature to check; None for all of the kind's.
        tags: The only graph variant to check; None for all of them.

    Returns:
        A message for each problem: what is wrong, where, and what was expected. None if all is
        well.

    Raises:
        UnknownNameError: There is no such kind, graph variant or signature.
    """
    common = _common_signature(kind)
    spec = _spec_of(module_or_spec)
    variants = spec.variants.values() if tags is None else [spec.variant(tags)]
    problems = []
    for variant in variants:
        if signature is not None:
            names = [spec.signature(signature, variant.tags).name]
        else:
            names = [name for name in (common.signature_name, _DEFAULT) if name]
        for name in names:
            problems += _check_signature(common, spec, variant, name)
    return problems


def matching(
    module_or_spec: Any, signature: str | None = None, tags: Tags = None
) -> list[CommonSignature]:
    """Finds the common signatures that one signature of a module implements.

    That of the name of a kind, or of a name that begins so, as `image_feature_vector_with_...`, is
    of that kind. `default` may be of any kind; where the module also has a signature of the name of
    a kind that gives the same tensor, it is of that kind.

    Examples:
        >>> for common in compat_hub.common_signatures.matching("path/to/image_module"):
        ...     print(common.kind)
        ...     for tensor in common.inputs + common.outputs:
        ...         print(tensor.name, tensor)
        image_feature_vector
        images float32 [batch_size, height, width, 3]
        default float32 [batch_size, num_features]

    Args:
        module_or_spec: A `ModuleSpec`, a `HubModule`, a `Module`, or a handle.
        signature: Its name, `"default"` when None.
        tags: The graph variant, `set()` when None.

    Returns:
        The common signatures: none, one, or several where nothing tells them apart.

    Raises:
        UnknownNameError: There is no such graph variant or signature.
    """
    spec = _spec_of(module_or_spec)
    variant = spec.variant(tags)
    found = spec.signature(signature, tags)
    kinds = [c for c in COMMON_SIGNATURES.values() if not _problems(c, spec, variant, found)]
    if found.name != _DEFAULT:
        return [c for c in kinds if c.signature_name and found.name.startswith(c.signature_name)]
    same = [c for c in kinds if _gives_the_same(variant, found, c.signature_name)]
    return same or kinds


def warn_of_problems(spec: ModuleSpec, kinds: str | Iterable[str], stacklevel: int) -> None:
    """Warns if a module does not implement the common signatures of its kinds.

    Args:
        spec: The module.
        kinds: One kind or several.
        stacklevel: As for `warnings.warn`: 1 is the caller.
    """
    for kind in as_kinds(kinds):
        problems = check(spec, kind)
        if problems:
            source = COMMON_SIGNATURES[kind].source
            lines = "".join(f"\n- {problem}" for problem in problems)
            warnings.warn(
                f"The module is no {kind!r} that a program can exchange for another ({source}):"
                f"{lines}",
                CommonSignatureWarning,
                stacklevel=stacklevel + 1,
            )


def as_kinds(kinds: str | Iterable[str]) -> list[str]:
    """A list of kinds, each checked to exist.

    Raises:
        UnknownNameError: There is no such kind.
    """
    return [_common_signature(k).kind for k in ([kinds] if isinstance(kinds, str) else kinds)]


def _common_signature(kind: str) -> CommonSignature:
    if kind not in COMMON_SIGNATURES:
        raise UnknownNameError(
            f"There is no common signature of the kind {kind!r}. There are: "
            f"{', '.join(map(repr, COMMON_SIGNATURES))}."
        )
    return COMMON_SIGNATURES[kind]


def _spec_of(module_or_spec: Any) -> ModuleSpec:
    for attribute in ("spec", "_spec"):  # of a HubModule, and of a Module
        spec = getattr(module_or_spec, attribute, None)
        if isinstance(spec, ModuleSpec):
            return spec
    return load_module_spec(module_or_spec)


def _check_signature(
    common: CommonSignature, spec: ModuleSpec, variant: GraphVariant, name: str
) -> list[str]:
    if name not in variant.signatures:
        existing = ", ".join(map(repr, variant.signatures)) or "none at all"
        return [
            f"In {variant.where}: there is no signature {name!r}, there is {existing}. Add it in "
            f"the module_fn with compat_hub.add_signature({name!r}, inputs, outputs)."
        ]
    where = f"In {variant.where}, signature {name!r}"
    signature = variant.signatures[name]
    return [f"{where}: {problem}." for problem in _problems(common, spec, variant, signature)]


def _problems(
    common: CommonSignature, spec: ModuleSpec, variant: GraphVariant, signature: Signature
) -> list[str]:
    # m(x) needs one input and no other. A signature of another name may have hyperparameters.
    strict = signature.name in {_DEFAULT, common.signature_name}
    inputs = {
        name: info
        for name, info in signature.inputs.items()
        if strict or not variant.has_default(info)
    }
    return [
        *_input_problems(common, inputs, _attached_image_size(spec, variant)),
        *_output_problems(common, signature),
    ]


def _input_problems(
    common: CommonSignature, inputs: Mapping[str, TensorInfo], image_size: Mapping[str, int]
) -> Iterator[str]:
    (expected,) = common.inputs
    if len(inputs) != 1 or expected.name not in {None, *inputs}:
        called = f" called {expected.name!r}" if expected.name else ""
        listed = ", ".join(f"{n!r}: {info}" for n, info in inputs.items()) or "none"
        yield f"it has to have one input{called}, {expected}, found {listed}"
        return
    ((name, info),) = inputs.items()
    reasons = "; ".join(_mismatches(expected, info, image_size))
    if reasons:
        yield f"the input {name!r} has to be {expected}, found {info}: {reasons}"


def _output_problems(common: CommonSignature, signature: Signature) -> Iterator[str]:
    for expected in common.outputs:
        info = signature.outputs.get(expected.name or _DEFAULT)
        if info is None:
            listed = ", ".join(map(repr, signature.outputs)) or "none"
            yield f"it has to have an output {expected.name!r}, {expected}, found {listed}"
            continue
        reasons = "; ".join(_mismatches(expected, info, {}))
        if reasons:
            yield f"the output {expected.name!r} has to be {expected}, found {info}: {reasons}"


def _mismatches(
    expected: DocumentedTensor, info: TensorInfo, attached: Mapping[str, int]
) -> Iterator[str]:
    """What of a tensor is not as documented, and what to do about it."""
    if info.is_composite:
        yield "it has to be dense"
        return
    if info.dtype != expected.dtype:
        yield f"its dtype has to be {expected.dtype.name}, convert it with tf.cast()"
    rank = info.get_shape().rank
    if rank != len(expected.shape):
        found = "unknown, declare it with set_shape()" if rank is None else str(rank)
        yield f"its rank has to be {len(expected.shape)}, and is {found}"
        return
    for wanted, size in zip(expected.shape, info.get_shape().as_list(), strict=True):
        if wanted == BATCH_SIZE:
            if size is not None:
                yield f"its {wanted} has to be unknown, None in its shape, and is {size}"
        elif isinstance(wanted, int):
            if size != wanted:
                yield f"its last size has to be {wanted}, and is {size}"
        elif size is None:
            if wanted not in attached:
                hint = " or attach an ImageModuleInfo" if wanted in _IMAGE_SIZES else ""
                yield f"its {wanted} is unknown, declare it with set_shape(){hint}"
        elif size != attached.get(wanted, size):
            yield f"its {wanted} is {size}, and {attached[wanted]} in the attached ImageModuleInfo"


def _attached_image_size(spec: ModuleSpec, variant: GraphVariant) -> dict[str, int]:
    """The height and width that the module's author attached, if any."""
    key, kind = _IMAGE_MODULE_INFO, protos.ImageModuleInfo
    info = spec.get_attached_message(key, kind, variant.tags)
    if info is None or not info.HasField("default_image_size"):
        return {}
    return {name: getattr(info.default_image_size, name) for name in _IMAGE_SIZES}


def _gives_the_same(variant: GraphVariant, signature: Signature, name: str | None) -> bool:
    """Whether the signature of a name has the same tensor as its output `default`."""
    other = variant.signatures.get(name or "")
    return other is not None and other.outputs.get(_DEFAULT) == signature.outputs[_DEFAULT]
