"""A loaded module as a SavedModel of TensorFlow 2 that others load, call and train.

The interface is that of Reusable SavedModels: https://www.tensorflow.org/hub/reusable_saved_models
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import keyword
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from compat_hub.common.folder_progress import byte_size, folder_progress
from compat_hub.common.log_filter import no_word_of
from compat_hub.errors import InputTypeError, UnknownNameError
from compat_hub.format.tensor_info import TensorInfo
from compat_hub.format.variant import GraphVariant, Signature, format_tags
from compat_hub.format.writer import new_folder
from compat_hub.programs.gaps import (
    Gap,
    IncompleteModuleWarning,
    explain_gap,
    find_gap,
    gap_of_signature,
    require_signature,
)

if TYPE_CHECKING:
    from compat_hub.hub_module.hub_module import HubModule

_PARAMETERS = frozenset({"inputs", "training"})
# What REST servers, saved_model_cli and Keras' TFSMLayer ask for unless they are told a name.
_SERVED = "serving_default"
_WITH_OPTIONS = "_with_options"


class _Reusable(tf.Module):
    """The object to save; the loaded object has its attributes."""

    # tf.Module has properties of these names.
    variables: Any = ()
    trainable_variables: Any = ()


def save_reusable(
    module: HubModule, path: str | os.PathLike[str], signatures: Sequence[str] | None = None
) -> str:
    """Writes a module as a SavedModel.

    Args:
        module: The module.
        path: The folder to make.
        signatures: Names of the signatures to write, all of the inference variant when None. With
            names, only the variables that these signatures need are written.

    Returns:
        The path.

    Raises:
        UnknownNameError: There is no such signature, or no variant for inference.
        InputTypeError: `signatures` is not a list of names.
        CheckpointError: A signature, or each of them when None, needs variables that the module's
            checkpoint does not have.
        ModuleFormatError: It needs an op that this TensorFlow does not have.
        PathExistsError: There is something at `path` already.
        ResolveError: The folder cannot be written.
    """
    names = _choose(module, signatures)
    for what, why in find_left_out(module, signatures).items():
        warnings.warn(
            f"Module {module.spec.handle!r}: {what} could not be written to {os.fspath(path)!r}: "
            f"{why}",
            IncompleteModuleWarning,
            stacklevel=3,
        )
    with new_folder(path) as folder, tf.init_scope():
        obj, functions = make_reusable(module, names, everything=signatures is None)
        with folder_progress(folder, byte_size(obj.variables)), no_word_of(folder):  # it is renamed
            tf.saved_model.save(obj, folder, signatures=functions)
    return os.fspath(path)


def make_reusable(
    module: HubModule, names: Sequence[str], everything: bool
) -> tuple[tf.Module, dict[str, Callable[..., Any]]]:
    """Builds the object to save, and the functions that become its signatures.

    Args:
        module: The module.
        names: The signatures to keep.
        everything: Whether all variables are kept, or only those that the signatures need.
    """
    inference = module.variant(training=False)
    obj = _Reusable(name="hub_module")
    kept = None if everything else _needed_variables(module, names)
    variables = module.state.variables
    obj.variables = [v for n, v in variables.items() if kept is None or n in kept]
    obj.trainable_variables = [
        v
        for n, v in variables.items()
        if n in module.state.trainable and (kept is None or n in kept)
    ]
    obj.regularization_losses = [
        tf.function(functools.partial(loss, portable=True), input_signature=[])
        for loss in module.regularization_losses
        if kept is None or _variables_of(module.variant(training=True), [loss.name]) <= kept
        if _gap_of_loss(module, loss) is None
    ]
    obj.asset_paths = module.asset_paths
    obj.tables = module.state.tables
    called = _called_signature(inference, names, everything)
    if called is not None:
        setattr(obj, "__call__", _call_function(module, called))  # noqa: B010 an attribute to save
    return obj, _signature_functions(module, inference, names, everything)


def find_left_out(module: HubModule, signatures: Sequence[str] | None = None) -> dict[str, str]:
    """Finds what cannot be written since an op or a variable is missing, and says why.

    Args:
        module: The module.
        signatures: As for `save_reusable`.
    """
    inference, missing = module.variant(training=False), module.state.lacking
    found: dict[str, str] = {}
    for signature in inference.signatures.values() if signatures is None else ():
        gap = gap_of_signature(inference, signature, missing)
        if gap is not None:
            found[f"the signature {signature.name!r}"] = explain_gap(gap)
    called = _called_signature(inference, _choose(module, signatures), signatures is None)
    if called is not None:
        why = _why_not_in_training(module, called)
        if why is not None:
            found[f"training calls of {called.name!r}"] = why
    for loss in module.regularization_losses:
        gap = _gap_of_loss(module, loss)
        if gap is not None:
            found[f"the regularization loss {loss.name!r}"] = explain_gap(gap)
    return found


def _gap_of_loss(module: HubModule, loss: Any) -> Gap | None:
    return find_gap(module.variant(training=True), [loss.name], [], module.state.lacking)


def _why_not_in_training(module: HubModule, called: Signature) -> str | None:
    """Why training calls of the signature that the loaded object applies cannot be written."""
    variant = module.variant(training=True)
    signature = variant.signatures.get(called.name)
    if signature is None:
        return f"the variant {format_tags(variant.tags)} has no such signature."
    gap = gap_of_signature(
        variant, signature, module.state.lacking, training=True, outputs=_called_outputs(signature)
    )
    return None if gap is None else f"with its update ops, {explain_gap(gap)}."


def _called_outputs(signature: Signature) -> tuple[str, ...] | None:
    """The outputs that the loaded object returns: `default` alone, or None for all in a dict."""
    return ("default",) if "default" in signature.outputs else None


def _choose(module: HubModule, signatures: Sequence[str] | None) -> list[str]:
    try:
        variant = module.variant(training=False)
    except UnknownNameError as error:
        raise UnknownNameError(
            f"{error} A SavedModel needs a variant for inference: choose one, with "
            "compat_hub.convert(handle, path, tags=...), which is "
            "compat_hub.load(handle, tags=...).save(path), or `compat-hub convert --tags`."
        ) from error
    missing = module.state.lacking
    if signatures is None:
        every = variant.signatures.values()
        whole = [s.name for s in every if gap_of_signature(variant, s, missing) is None]
        if not whole:
            for signature in every:
                require_signature(variant, signature, missing)
        return whole
    if isinstance(signatures, str) or not signatures:
        raise InputTypeError(
            f"`signatures` is a list of names of signatures, found {signatures!r}. "
            "Leave it out to write all of them."
        )
    for name in signatures:
        if name not in variant.signatures:
            existing = ", ".join(map(repr, variant.signatures))
            raise UnknownNameError(
                f"There is no signature {name!r} in {variant.where}. It has: {existing}."
            )
        require_signature(variant, variant.signatures[name], missing)
    return list(dict.fromkeys(signatures))


def _called_signature(
    variant: GraphVariant, names: Sequence[str], everything: bool
) -> Signature | None:
    """The signature that calling the loaded object applies.

    `"default"` if it is kept, otherwise `"serving_default"`, or the only one that has inputs. Where
    there are several, or the default had to be left out, the object is not callable, and has its
    signatures.
    """
    if "default" in names:
        return variant.signatures["default"]
    if everything and "default" in variant.signatures:
        return None
    if _SERVED in names:
        return variant.signatures[_SERVED]
    with_inputs = [variant.signatures[n] for n in names if variant.signatures[n].inputs]
    return with_inputs[0] if len(with_inputs) == 1 else None


def _needed_variables(module: HubModule, names: Sequence[str]) -> set[str]:
    needed: set[str] = set()
    called = _called_signature(module.variant(training=False), names, everything=False)
    for training in False, True:
        variant = module.variant(training)
        for name in names:
            signature = variant.signatures.get(name)
            if signature is None or (training and (called is None or name != called.name)):
                continue
            # A default may be the value of a variable.
            inputs = [i for i in signature.inputs.values() if not variant.has_default(i)]
            given = [tensor for info in inputs for tensor in info.components]
            wanted = [t for info in signature.outputs.values() for t in info.components]
            if training:
                state = module.state.tensors(variant)
                wanted += variant.runnable_update_ops([*given, *state])
            needed |= _variables_of(variant, wanted, given)
    return needed


def _variables_of(
    variant: GraphVariant, wanted: Sequence[str], given: Sequence[str] = ()
) -> set[str]:
    nodes = variant.needed_nodes(wanted, given)
    return {v.name for v in variant.variables if v.name in nodes}


@dataclasses.dataclass(frozen=True)
class _Arguments:
    """The parameters of a call of the loaded object, in inference or in training.

    Attributes:
        required: The inputs without a default, which are in `inputs`.
        hyper: Those with a default that are keyword arguments.
        has_flag: Whether a boolean input of the name `training` gets the flag's value.
        outputs: The names of the outputs to give, None for all in a dict.
    """

    required: dict[str, TensorInfo]
    hyper: dict[str, TensorInfo]
    has_flag: bool
    outputs: tuple[str, ...] | None


def _arguments(variant: GraphVariant, signature: Signature) -> _Arguments:
    required = {n: i for n, i in signature.inputs.items() if not variant.has_default(i)}
    hyper = {n: i for n, i in signature.inputs.items() if variant.has_default(i)}
    flag = hyper.get("training")
    return _Arguments(
        required,
        {n: i for n, i in hyper.items() if _identifier(n) == n and n not in _PARAMETERS},
        flag is not None and flag.dtype == tf.bool,
        _called_outputs(signature),
    )


def _call_function(module: HubModule, signature: Signature) -> Callable[..., Any]:
    """Makes the function that the loaded object runs when it is called.

    Its parameters: `inputs`, the one tensor or the dict of those without a default; `training`,
    which is also the value of a boolean input of that name; and by keyword the inputs that have a
    default, such as hyperparameters. A training call takes those of the variant that it runs.
    """
    taken = {False: _arguments(module.variant(training=False), signature)}
    if _why_not_in_training(module, signature) is None:
        variant = module.variant(training=True)
        taken[True] = _arguments(variant, variant.signatures[signature.name])

    def call(*args: Any, **kwargs: Any) -> Any:
        given = parameters.bind(*args, **kwargs).arguments
        training = given.get("training", False)
        wanted = taken[training]
        arguments = {n: given[n] for n in wanted.hyper if given.get(n) is not None}
        if wanted.has_flag:
            arguments["training"] = training
        result = module.call_signature(
            given.get("inputs"),
            signature.name,
            wanted.outputs,
            training=training,
            arguments=arguments,
            portable=True,
        )
        return result.outputs["default"] if wanted.outputs else result.outputs

    positional, by_name = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
    needs_inputs = [bool(wanted.required) for wanted in taken.values()]
    default = inspect.Parameter.empty if all(needs_inputs) else None
    hyper = list(dict.fromkeys(name for wanted in taken.values() for name in wanted.hyper))
    parameters = inspect.Signature(
        [
            *([inspect.Parameter("inputs", positional, default=default)] * any(needs_inputs)),
            inspect.Parameter("training", positional, default=False),
            *(inspect.Parameter(n, by_name, default=None) for n in hyper),
        ]
    )
    setattr(call, "__signature__", parameters)  # noqa: B010 tf.function asks for it
    function = tf.function(call, autograph=False)
    for training, wanted in taken.items():
        for arguments in _input_forms(wanted.required):
            for chosen in _choices(wanted.hyper):
                given = {n: wanted.hyper[n].named_spec(n) for n in chosen}
                function.get_concrete_function(*arguments, training=training, **given)
    return function


def _input_forms(required: Mapping[str, TensorInfo]) -> Iterator[tuple[Any, ...]]:
    """The forms of `inputs`: a dict, or the one tensor."""
    if not required:
        yield ()
        return
    # TensorFlow warns of the names of specs that no parameter can have.
    yield ({name: info.named_spec(_identifier(name)) for name, info in required.items()},)
    if len(required) == 1:
        yield (next(iter(required.values())).named_spec("inputs"),)


def _choices(names: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Which hyperparameters a caller may give: none, one, or all."""
    choices = [(), *((name,) for name in names), tuple(names)]
    return list(dict.fromkeys(choices))


def _signature_functions(
    module: HubModule, variant: GraphVariant, names: Sequence[str], everything: bool
) -> dict[str, Callable[..., Any]]:
    """The functions that become signatures, for `tf.saved_model.save`.

    An input with a default keeps it, as SignatureDefs without defaults say what has to be fed.
    Where there are such inputs, a second signature takes all: `NAME_with_options`.
    `serving_default` is another name of `default`, or of the only signature, unless the default
    had to be left out.
    """
    functions: dict[str, Callable[..., Any]] = {}
    for name in names:
        signature = variant.signatures[name]
        required = {n: i for n, i in signature.inputs.items() if not variant.has_default(i)}
        functions[name] = _signature_function(module, signature, required)
    left_out = everything and "default" in variant.signatures
    served = "default" if "default" in names else next(iter(names), "")
    if served == "default" or (len(names) == 1 and not left_out):
        functions.setdefault(_SERVED, functions[served])
    for name in names:
        signature = variant.signatures[name]
        if any(variant.has_default(info) for info in signature.inputs.values()):
            free = _free(f"{name}{_WITH_OPTIONS}", functions)
            functions[free] = _signature_function(module, signature, signature.inputs)
    return functions


def _signature_function(
    module: HubModule, signature: Signature, taken: Mapping[str, TensorInfo]
) -> Callable[..., Any]:
    """A function of dense tensors by keyword, of the inputs that are `taken`.

    A sparse or ragged value is several tensors: `NAME_indices`, `NAME_values`, `NAME_dense_shape`;
    `NAME_flat_values`, `NAME_row_splits`.
    """
    specs: dict[str, tf.TensorSpec] = {}
    parts: dict[str, list[str]] = {}
    for name, info in taken.items():
        parts[name] = [_free(_identifier(part), specs) for part in info.component_labels(name)]
        for part, spec in zip(parts[name], info.component_specs(), strict=True):
            specs[part] = tf.TensorSpec(spec.shape, spec.dtype, name=part)

    def call(**tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        inputs = {n: info.pack([tensors[p] for p in parts[n]]) for n, info in taken.items()}
        result = module.call_signature(
            inputs, signature.name, None, training=False, arguments=None, portable=True
        )
        flat: dict[str, tf.Tensor] = {}
        for name, info in signature.outputs.items():
            labels = info.component_labels(name)
            flat.update(zip(labels, info.unpack(result.outputs[name]), strict=True))
        return flat

    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = inspect.Signature([inspect.Parameter(name, keyword) for name in specs])
    setattr(call, "__signature__", parameters)  # noqa: B010 tf.function asks for it
    return tf.function(call, autograph=False).get_concrete_function(**specs)


def _identifier(name: str) -> str:
    """A name that a keyword argument can have."""
    clean = "".join(c if c.isidentifier() or c.isdigit() else "_" for c in name)
    # tf.function takes `self` for its own, and puts "arg_" before a name that begins with "_".
    taken = keyword.iskeyword(clean) or clean == "self"
    return f"arg_{clean}" if taken or not clean.isidentifier() or clean[0] == "_" else clean


def _free(name: str, taken: Mapping[str, Any]) -> str:
    while name in taken:
        name += "_"
    return name
