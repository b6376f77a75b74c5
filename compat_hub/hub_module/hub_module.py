"""HubModule and `load`: a module in TF1 Hub format as an object of TensorFlow 2."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from compat_hub.errors import GraphError, InputTypeError, ResolveError, UnknownNameError
from compat_hub.format.host_access import check_host_access, check_run
from compat_hub.format.inputs import bind_inputs, join_components
from compat_hub.format.signature_table import signature_tables
from compat_hub.format.spec import (
    ModuleSpec,
    Tags,
    check_plain,
    is_module_directory,
    is_saved_model,
    load_module_spec,
    normalize_tags,
    read_module_spec,
)
from compat_hub.format.tensor_info import TensorInfo
from compat_hub.format.variant import GraphVariant, Signature, format_tags
from compat_hub.hub_module.fast_call import DirectCall
from compat_hub.hub_module.pruned import PrunedFunction
from compat_hub.hub_module.saved_model import save_reusable
from compat_hub.hub_module.signature_function import (
    CallKey,
    CallResult,
    SignatureFunction,
    given_name,
)
from compat_hub.programs.gaps import check_gap, check_usable, find_gap
from compat_hub.programs.program import GraphFunction, Program, StateTensor, shared_program
from compat_hub.programs.tensorflow_errors import check_process
from compat_hub.sources import digests
from compat_hub.sources.fresh_copy import naming_fresh_copy
from compat_hub.sources.plain_files import check_saved_model
from compat_hub.sources.resolve import resolve
from compat_hub.state.module_state import Missing, ModuleState
from compat_hub.state.tables import MutableTable
from compat_hub.tf_private import autograph_marks, eager_runtime, graph_internals, saved_models
from compat_hub.tf_private.keras3_callers import is_untracked, warn_of_untracked

_INFERENCE: frozenset[str] = frozenset()
_TRAIN = frozenset({"train"})

IsWatched = Callable[[StateTensor], bool]


def _watch_all(_: StateTensor) -> bool:
    return True


class _Choice(NamedTuple):
    """What a caller asks for, found and checked."""

    variant: GraphVariant
    signature: Signature
    outputs: tuple[str, ...]
    where: str


def _key(
    choice: _Choice,
    inputs: Iterable[str],
    training: bool,
    losses: bool = False,
    portable: bool = False,
) -> CallKey:
    return CallKey(
        choice.variant.tags,
        choice.signature.name,
        choice.outputs,
        tuple(inputs),
        training and bool(choice.variant.update_ops),
        losses and bool(choice.variant.regularization_losses),
        portable,
    )


class _Known:
    """What calls have looked up and built; tf.Module wraps dicts of its own, which are slower."""

    def __init__(self) -> None:
        self.choices: dict[Any, _Choice] = {}
        self.functions: dict[CallKey, SignatureFunction] = {}
        self.direct: dict[Any, DirectCall | None] = {}
        self.warned = False  # of a layer that does not find the variables


class HubModule(tf.Module):
    """A module in TF1 Hub format, loaded: `compat_hub.load` makes it.

    Examples:
        >>> module = compat_hub.load("path/to/module")
        >>> fruit = {"apples": tf.ones([5, 4]), "oranges": tf.ones([5, 3])}
        >>> pets = module(fruit, signature="fruit_to_pet", as_dict=True)
        >>> print(pets["cats"].shape, pets["dogs"].shape)
        (5, 2) (5, 3)
        >>> with tf.GradientTape() as tape:
        ...     pets = module(fruit, signature="fruit_to_pet", as_dict=True, training=True)
        ...     loss = tf.reduce_sum(pets["cats"]) + tf.reduce_sum(pets["dogs"])
        ...     loss += tf.add_n([l() for l in module.regularization_losses])
        >>> gradients = tape.gradient(loss, module.trainable_variables)
        >>> print(len(gradients), "of", len(module.variables), "variables have gradients")
        8 of 10 variables have gradients

    A call works eagerly, in a `tf.function`, in a `tf.data` pipeline and under a gradient tape. All
    variants read and write the same variables. Threads may call it at the same time.

    Attributes:
        spec: The `ModuleSpec`.
        tags: The variant that every call is pinned to, or None: then a call uses `set()`, and
            `{"train"}` in training where the module has it.
        variable_map: By the name in the checkpoint, a `tf.Variable`, or the list of the parts of a
            partitioned one.
        asset_paths: A `tf.saved_model.Asset` for each asset file.
        signatures: By name, a callable that takes tensors by keyword (or the only input by
            position) and returns a dict of outputs, as after `tf.saved_model.load`.
    """

    def __init__(
        self, spec: ModuleSpec, tags: frozenset[str] | None = None, missing: Missing = "error"
    ) -> None:
        super().__init__(name="hub_module")
        check_process()
        self.spec = spec
        self.tags = tags
        self._missing: Missing = missing
        variants = [spec.variant(tags)] if tags is not None else list(spec.variants.values())
        check_usable(variants, frozenset())
        check_host_access(spec, variants, initial_values=missing == "initial")
        self.state = ModuleState(spec, variants, missing)
        self._known = _Known()
        self._lock = threading.RLock()
        self.variable_map = self.state.variable_map
        self.asset_paths = [asset.asset for asset in self.state.assets.values()]
        self._tables = self.state.tables  # what a SavedModel contains is found by attributes
        self.signatures: Mapping[str, SignatureCallable] = _Signatures(self)
        self._regularization_losses: list[RegularizationLoss] | None = None

    @autograph_marks.unconverted
    def __call__(
        self,
        inputs: Any = None,
        signature: str | None = None,
        as_dict: bool = False,
        training: Any = False,
    ) -> Any:
        """Applies a signature.

        Args:
            inputs: A dict by input name, or the one value of a signature with one input: anything
                that converts to the declared dtype. Inputs with a default may be left out.
            signature: Its name, `"default"` when None.
            as_dict: Whether to return all outputs by name, or the one called `default`.
            training: Whether this is a training call: on the `{"train"}` variant, where there is
                one, and running the variant's update ops. A bool, or a boolean scalar tensor.

        Returns:
            The output, or a dict of all outputs. Only what is returned is computed.

        Raises:
            UnknownNameError: There is no such variant, signature or output.
            InputTypeError: An input is missing, unknown, or of the wrong dtype or shape.
            CheckpointError: The call needs a variable that the module's checkpoint does not have.
            ModuleFormatError: It needs an op that this TensorFlow does not have.
        """
        found = self._outputs(inputs, signature, None if as_dict else ("default",), training)
        return found if as_dict else found["default"]

    @property
    def variables(self) -> tuple[tf.Variable, ...]:
        """All variables, each once, moving averages and other untrained ones included."""
        return tuple(self.state.variables.values())

    @property
    def trainable_variables(self) -> tuple[tf.Variable, ...]:
        """The variables in the TRAINABLE_VARIABLES collection of some variant."""
        return tuple(v for n, v in self.state.variables.items() if n in self.state.trainable)

    @property
    def non_trainable_variables(self) -> tuple[tf.Variable, ...]:
        """The variables that are not in `trainable_variables`."""
        return tuple(v for n, v in self.state.variables.items() if n not in self.state.trainable)

    @property
    def regularization_losses(self) -> list[RegularizationLoss]:
        """Callables without arguments that give a differentiable scalar tensor each.

        They are those of the training variant where the module has one. A loss that depends on an
        input is none of these: a training call of a `KerasLayer` adds it to the layer's losses.
        """
        if self._regularization_losses is None:
            variant = self.variant(training=True)
            self._regularization_losses = [
                RegularizationLoss(self.state, variant, loss)
                for loss in variant.free_losses()
                if not self._concerns_nothing(variant, loss)
            ]
        return list(self._regularization_losses)

    def _concerns_nothing(self, variant: GraphVariant, loss: str) -> bool:
        """Whether all variables that a loss depends on are missing in the checkpoint."""
        gap = find_gap(variant, [loss], [], self.state.lacking)
        needed = variant.needed_nodes([loss]) if gap is not None else set()
        return gap is not None and not any(
            info.name in needed and info.name not in gap.variables for info in variant.variables
        )

    def get_signature_names(self, tags: Tags = None) -> list[str]:
        """The names of a variant's signatures.

        Args:
            tags: The variant's tags: a set, a list or one string; None is the variant that the
                module is pinned to, or else `set()`.

        Returns:
            The names.

        Raises:
            UnknownNameError: There is no such variant.
        """
        return self.spec.get_signature_names(self._tags_or_own(tags))

    def get_input_info_dict(
        self, signature: str | None = None, tags: Tags = None
    ) -> dict[str, TensorInfo]:
        """What a signature takes.

        Args:
            signature: Its name, `"default"` when None.
            tags: The variant's tags: a set, a list or one string; None is the variant that the
                module is pinned to, or else `set()`.

        Returns:
            By input name, an object with `dtype`, `get_shape()`, `is_sparse`, `is_composite` and
                `type_spec`.

        Raises:
            UnknownNameError: There is no such variant or signature.
        """
        return self.spec.get_input_info_dict(signature, self._tags_or_own(tags))

    def get_output_info_dict(
        self, signature: str | None = None, tags: Tags = None
    ) -> dict[str, TensorInfo]:
        """What a signature gives.

        Args:
            signature: Its name, `"default"` when None.
            tags: The variant's tags: a set, a list or one string; None is the variant that the
                module is pinned to, or else `set()`.

        Returns:
            By output name, an object with `dtype`, `get_shape()`, `is_sparse`, `is_composite` and
                `type_spec`.

        Raises:
            UnknownNameError: There is no such variant or signature.
        """
        return self.spec.get_output_info_dict(signature, self._tags_or_own(tags))

    def get_attached_message(
        self, key: str, message_type: Any, tags: Tags = None, required: bool = False
    ) -> Any:
        """A protocol message that the module's author attached to a variant.

        Args:
            key: The name under which it was attached.
            message_type: The class of the message.
            tags: The variant's tags: a set, a list or one string; None is the variant that the
                module is pinned to, or else `set()`.
            required: Whether a missing message is an error.

        Returns:
            The message, or None where there is none and `required` is false.

        Raises:
            UnknownNameError: There is no such variant, or no such message and it is required.
            SignatureError: What is attached is not a message of that type.
        """
        return self.spec.get_attached_message(key, message_type, self._tags_or_own(tags), required)

    @autograph_marks.unconverted
    def call_with(
        self,
        given: Mapping[str, Any],
        inputs: Any = None,
        signature: str | None = None,
        as_dict: bool = False,
        training: bool = False,
    ) -> Any:
        """Applies the part of a signature that comes after some of its outputs.

        Examples:
            >>> def module_fn():
            ...     images = tf.compat.v1.placeholder(tf.float32, [None, 8, 8, 3])
            ...     kernel = tf.compat.v1.get_variable("kernel", [3, 3, 3, 4])
            ...     block = tf.nn.relu(tf.nn.conv2d(images, kernel, 1, "SAME"))
            ...     outputs = {"default": tf.reduce_mean(block**2, [1, 2]), "block": block}
            ...     compat_hub.add_signature(inputs=images, outputs=outputs)
            >>> module = compat_hub.load(compat_hub.create_module_spec(module_fn))
            >>> images = tf.random.uniform([2, 8, 8, 3])
            >>> features = module(images, as_dict=True)["block"]
            >>> with tf.GradientTape() as tape:
            ...     tape.watch(features)
            ...     score = module.call_with({"block": features}, images)[:, 0]
            >>> tape.gradient(score, features).shape
            TensorShape([2, 8, 8, 4])

        This is the way to a gradient of one output by another: two outputs of one call are no
        function of each other for a tape, which gives None. Neither update ops nor losses of
        inputs are computed: they belong to the call that gave the outputs.

        Args:
            given: Values of outputs by name: what another call gave, or anything of their dtype and
                shape. What stands before them does not run.
            inputs: As in a call. Those count that the wanted outputs need besides.
            signature: Its name, `"default"` when None.
            as_dict: Whether to return all other outputs by name, or the one called `default`.
            training: Whether to use the variant of training calls; a bool.

        Returns:
            The output, or a dict of all outputs that are not given.

        Raises:
            UnknownNameError: There is no such variant, signature or output.
            InputTypeError: An input or a given output is missing, or of the wrong dtype or shape.
            SignatureError: No wanted output depends on one that is given.
        """
        variant = self.variant(training)
        known = self.spec.signature(signature, variant.tags).select_outputs(None, variant.where)
        wanted = tuple(n for n in known if n not in given) if as_dict else ("default",)
        choice = self._choose(signature, wanted, training)
        names = choice.signature.select_outputs(list(given), variant.where)
        values = bind_inputs(
            choice.signature.inputs, inputs, choice.variant.has_default, choice.where, None
        )
        key = _key(choice, values, False)._replace(given=names, portable=saved_models.is_saving())
        values = {**values, **{given_name(name): given[name] for name in names}}
        outputs = self._function(key)(values, _watch_all).outputs
        return outputs if as_dict else outputs["default"]

    def prune(
        self, feeds: Any, fetches: Any, *, training: bool = False, tags: Tags = None
    ) -> PrunedFunction:
        """Any part of a variant's graph as a callable, by the names of its tensors.

        Examples:
            >>> module = compat_hub.load("path/to/module")
            >>> hidden = module.prune("fruit:0", "features/dense/BiasAdd:0")
            >>> with tf.GradientTape() as tape:
            ...     values = hidden(tf.ones([5, 7]))
            >>> gradient = tape.gradient(values, module.variable_map["features/dense/kernel"])
            >>> print(values.shape, gradient.shape)
            (5, 8) (7, 8)
            >>> rest = module.prune(["features/dense/BiasAdd:0"], {"scores": "features/Relu"})
            >>> rest(values)["scores"].shape
            TensorShape([5, 8])

        It is what `session.run(fetches, feed_dict)` was for inner tensors, and does what `prune` of
        a TF1 SavedModel does after `tf.saved_model.load`. Only what is fetched is computed: no
        update op runs that is not among the fetches.

        Args:
            feeds: Names of the tensors that are given at each call, in lists and dicts or alone.
                The name of a node stands for its first output. Placeholders, and any others that
                are no variable's or table's handle: what stands before them does not run.
            fetches: Names of the tensors to return, in lists and dicts or alone. One of an
                operation without outputs runs it, and gives None.
            training: Whether to take the variant of training calls; a bool.
            tags: The variant's tags: a set, a list or one string; None leaves it to `training`.

        Returns:
            A callable: it takes the values by position, as `feeds` has the names, or by keyword
            where that is a dict, and returns what is fetched, in the structure of `fetches`. It is
            differentiable, and works in a `tf.function`.

        Raises:
            UnknownNameError: There is no such variant, tensor or node.
            InputTypeError: A name is no string.
            SignatureError: What is fetched depends on a placeholder that is not fed; or a tensor
                can be neither fed nor fetched, as those within a loop.
            UnsafeModuleError: The part would touch the host.
            ModuleFormatError: It needs an op that this TensorFlow does not have.
            CheckpointError: It needs a variable that the module's checkpoint does not have.
        """
        variant = self.variant(training) if tags is None else self._loaded_variant(tags)
        pruned = PrunedFunction(variant, feeds, fetches, self.state.tensors(variant))
        check_run(self.spec, variant, "prune", pruned.wanted, pruned.fed_tensors)
        return pruned

    def _loaded_variant(self, tags: Tags) -> GraphVariant:
        variant = self.spec.variant(normalize_tags(tags))
        if self.tags is not None and variant.tags != self.tags:
            raise UnknownNameError(
                f"Module {self.spec.handle!r} was loaded with tags={format_tags(self.tags)}, so it "
                f"has no variant {format_tags(variant.tags)}. Load it without tags for all."
            )
        return variant

    @autograph_marks.unconverted
    def call_signature(
        self,
        inputs: Any = None,
        signature: str | None = None,
        outputs: Sequence[str] | None = None,
        *,
        training: Any = False,
        arguments: Mapping[str, Any] | None = None,
        losses: bool = False,
        is_watched: IsWatched = _watch_all,
        portable: bool = False,
    ) -> CallResult:
        """Applies a signature, with a say in what is computed and watched.

        Args:
            inputs: As in a call.
            signature: Its name, `"default"` when None.
            outputs: Names of the wanted outputs, all of them when None.
            training: As in a call.
            arguments: Further inputs by name.
            losses: Whether to compute the regularization losses that depend on the inputs.
            is_watched: Which variables a gradient tape shall see.
            portable: Whether the call is part of a program that is written, and that will run and
                train where compat_hub is not.

        Returns:
            The outputs by name, and the losses.
        """
        self._check_name(signature)
        constant = constant_bool(training)
        if constant is None:
            return self.call_either(
                training,
                lambda flag: self.call_signature(
                    inputs,
                    signature,
                    outputs,
                    training=flag,
                    arguments=arguments,
                    losses=losses,
                    is_watched=is_watched,
                    portable=portable,
                ),
                losses,
            )
        choice = self._choose(signature, None if outputs is None else tuple(outputs), constant)
        values = bind_inputs(
            choice.signature.inputs, inputs, choice.variant.has_default, choice.where, arguments
        )
        if is_watched is _watch_all and not self._known.warned:
            self._warn_of_untracked()
        key = _key(choice, values, constant, losses, portable or saved_models.is_saving())
        return self._function(key)(values, is_watched)

    def _warn_of_untracked(self) -> None:
        """Warns, once, where a layer of Keras 3 calls the module and finds no variables in it."""
        if is_untracked(lambda: self.trainable_variables):
            self._known.warned = True
            warn_of_untracked(self.spec.handle, len(self.trainable_variables))

    def _outputs(
        self, inputs: Any, signature: str | None, outputs: tuple[str, ...] | None, training: Any
    ) -> dict[str, Any]:
        """The outputs of a call that has nothing more to say."""
        self._check_name(signature)
        plain = (signature, outputs, training)
        is_known = isinstance(training, bool)
        direct = self._known.direct.get(plain) if is_known else None
        found = None if direct is None else direct(inputs)
        if found is not None:
            return found
        found = self.call_signature(inputs, signature, outputs, training=training).outputs
        if is_known:
            self._remember(plain)
        return found

    def _check_name(self, signature: object) -> None:
        if signature is not None and not isinstance(signature, str):
            raise InputTypeError(
                f"Module {self.spec.handle!r}: `signature` is a name, found a "
                f"{type(signature).__name__}. Several inputs are passed in one dict, by name."
            )

    def _remember(self, plain: tuple[str | None, tuple[str, ...] | None, bool]) -> None:
        """Keeps the short way of calls with all inputs, where there has been such a call."""
        choice = self._choose(*plain)
        function = self._known.functions.get(_key(choice, choice.signature.inputs, plain[-1]))
        if function is not None:
            self._known.direct[plain] = function.direct

    def _choose(
        self, signature: str | None, outputs: tuple[str, ...] | None, training: bool
    ) -> _Choice:
        """Looked up once: a call of a small signature takes no longer than this would."""
        key = (signature, outputs, training)
        choice = self._known.choices.get(key)
        if choice is None:
            variant = self.variant(training)
            found = self.spec.signature(signature, variant.tags)
            choice = self._known.choices[key] = _Choice(
                variant,
                found,
                found.select_outputs(outputs, variant.where),
                f"{variant.where}, signature {found.name!r}",
            )
        return choice

    def _function(self, key: CallKey) -> SignatureFunction:
        functions = self._known.functions
        known = functions.get(key)
        if known is None or known.function.program.is_stale:
            with self._lock:
                known = functions.get(key)
                if known is None or known.function.program.is_stale:
                    variant = self.spec.variant(key.tags)
                    known = functions[key] = SignatureFunction(
                        variant,
                        variant.signatures[key.signature],
                        key,
                        self.state.tensors(variant),
                    )
        return known

    def call_either(
        self, training: tf.Tensor, call: Callable[[bool], CallResult], losses: bool
    ) -> CallResult:
        """A call of which only the running program knows whether it is one in training.

        Args:
            training: A boolean scalar tensor.
            call: Makes the call of inference, or of training.
            losses: Whether it computes the losses that depend on inputs.

        Returns:
            The outputs and the losses of the call that is made.
        """

        def branch(flag: bool) -> Callable[[], tuple[dict[str, Any], list[tf.Tensor]]]:
            def run() -> tuple[dict[str, Any], list[tf.Tensor]]:
                result = call(flag)
                terms = [tf.cast(loss, tf.float32) for loss in result.losses]
                return result.outputs, [tf.add_n([tf.zeros([]), *terms])] if losses else []

            return run

        outputs, total = tf.cond(tf.cast(training, tf.bool), branch(True), branch(False))
        return CallResult(outputs, total)

    def variant(self, training: bool) -> GraphVariant:
        """The variant that a call uses.

        Args:
            training: Whether it is a training call.

        Returns:
            The variant that the module is pinned to, or else `{"train"}` in training where there
                is one, or else `set()`.

        Raises:
            UnknownNameError: There is no such variant.
        """
        if self.tags is not None:
            return self.spec.variant(self.tags)
        return self.spec.variant(
            _TRAIN if training and _TRAIN in self.spec.variants else _INFERENCE
        )

    def _tags_or_own(self, tags: Tags) -> frozenset[str]:
        if tags is not None:
            return normalize_tags(tags)
        return self.tags or _INFERENCE

    def save(self, path: str | os.PathLike[str], *, signatures: Sequence[str] | None = None) -> str:
        """Writes a SavedModel of TensorFlow 2, with the current values of the variables.

        Examples:
            >>> module = compat_hub.load("path/to/module")
            >>> module.save("path/to/saved_model", signatures=["fruit_to_pet"])
            'path/to/saved_model'
            >>> again = tf.saved_model.load("path/to/saved_model")
            >>> fruit = {"apples": tf.ones([5, 4]), "oranges": tf.ones([5, 3])}
            >>> sorted(again(fruit, training=True)), len(again.regularization_losses)
            (['cats', 'dogs'], 3)

        It needs neither compat_hub nor this module's folder. `tf.saved_model.load` gives an object
        to call, `obj(inputs, training=False)`, with `variables`, `trainable_variables`,
        `regularization_losses` and `signatures`; tensorflow_hub's KerasLayer trains it. A call
        applies the signature `default`, or the only one with inputs where there is none of that
        name; in training it uses the `{"train"}` variant and runs the update ops. Inputs with a
        default are keyword arguments of such a call.

        Args:
            path: The folder to make, on any filesystem of `tf.io.gfile`. It may be there and empty.
            signatures: Names of the signatures to write, all of the inference variant when None.
                With names, only the variables that they need are written.

        Returns:
            The path.

        Raises:
            UnknownNameError: There is no such signature, or no variant for inference.
            InputTypeError: `signatures` is not a list of names.
            PathExistsError: There is something at `path` already.
            ResolveError: The folder cannot be written.
        """
        self.spec.check_assets()
        return save_reusable(self, path, signatures)

    def export(self, path: str | os.PathLike[str]) -> str:
        """Writes the module in TF1 Hub format again, with the current values of the variables.

        Examples:
            >>> module = compat_hub.load("path/to/module")
            >>> _ = module.variable_map["cats/bias"].assign([1.0, 2.0])
            >>> module.export("path/to/changed_module")
            'path/to/changed_module'
            >>> compat_hub.load("path/to/changed_module").variable_map["cats/bias"].numpy()
            array([1., 2.], dtype=float32)

        All graph variants, assets and attachments are kept, whichever variant this module is pinned
        to. Variables that only other variants have keep their values.

        Args:
            path: The folder to make, on any filesystem of `tf.io.gfile`. It may be there and empty.

        Returns:
            The path.

        Raises:
            PathExistsError: There is something at `path` already.
            ResolveError: The folder cannot be written.
            SignatureError: The module is pinned to one variant and has no checkpoint for the
                variables of the others.
        """
        save = self.state.save_checkpoint if self.state.has_checkpoint else None
        return self.spec.write(path, save)

    def __reduce__(self) -> Any:
        """For pickle and deepcopy: loads the module again, and gives it the values of now.

        Raises:
            GraphError: It was loaded in a graph, where only a session knows the values.
        """
        with tf.init_scope():
            values = {name: v.read_value() for name, v in self.state.variables.items()}
            contents = [t.content() for t in self.state.tables if isinstance(t, MutableTable)]
        tensors = [*values.values(), *(tensor for c in contents for tensor in c.values())]
        if not all(map(eager_runtime.is_eager_tensor, tensors)):
            raise GraphError(
                f"Module {self.spec.handle!r} was loaded in a graph, whose session has the values "
                "of its variables. Pickle its handle, and the values that session.run gives."
            )
        return _load_again, (self.spec, self.tags, self._missing, values, contents)

    def __repr__(self) -> str:
        tags = "" if self.tags is None else f" pinned to {format_tags(self.tags)}"
        return f"<compat_hub.HubModule{tags} of {self.spec!r}: {len(self.variables)} variables>"

    def _repr_html_(self) -> str:
        """For notebooks: the signatures, and how many variables there are."""
        variants = [self.spec.variant(self.tags)] if self.tags is not None else None
        title = (
            f"Module {self.spec.handle}, loaded: {len(self.variables)} variables, "
            f"{len(self.trainable_variables)} of them trainable, "
            f"{len(self.asset_paths)} asset files"
        )
        return signature_tables(title, variants or self.spec.variants.values())


class SignatureCallable:
    """One entry of `HubModule.signatures`.

    Attributes:
        name: The signature's name.
    """

    def __init__(self, module: HubModule, name: str) -> None:
        self._module = module
        self.name = name
        infos = module.get_input_info_dict(name)
        self._composites = infos if any(i.is_composite for i in infos.values()) else None
        self._where = module.spec.variant(module.tags).where

    @autograph_marks.unconverted
    def __call__(self, /, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Applies the signature in inference.

        Args:
            *args: The only input, where there is one.
            **kwargs: Inputs by name. A sparse one may also be given as `x_indices`, `x_values`
                and `x_dense_shape`, a ragged one as `x_component_0`, `x_component_1`, ...

        Returns:
            All outputs by name.
        """
        if len(args) > 1 or (args and kwargs):
            raise InputTypeError(
                f"Module {self._module.spec.handle!r}: the signature {self.name!r} takes its "
                "inputs by keyword, or its only one by position."
            )
        inputs: Any = args[0] if args else kwargs
        infos = self._composites
        if infos and isinstance(inputs, Mapping):
            inputs = join_components(infos, inputs, f"{self._where}, signature {self.name!r}")
        return self._module._outputs(inputs, self.name, None, False)

    @functools.cached_property
    def concrete_function(self) -> Any:
        """The signature as a `tf.types.experimental.ConcreteFunction`, for tools that take these.

        `tf.lite.TFLiteConverter.from_concrete_functions`, say. Its inputs are those without a
        default, in their declared shapes.
        """
        infos = self._module.get_input_info_dict(self.name)
        has_default = self._module.spec.variant(self._module.tags).has_default
        specs = {n: info.named_spec(n) for n, info in infos.items() if not has_default(info)}
        with tf.init_scope():
            return tf.function(self, autograph=False).get_concrete_function(**specs)

    @property
    def inputs(self) -> list[tf.Tensor]:
        """The tensors of `graph` that stand for inputs and captured variables."""
        return self.concrete_function.inputs

    @property
    def outputs(self) -> list[tf.Tensor]:
        """The tensors of `graph` that are returned."""
        return self.concrete_function.outputs

    @property
    def graph(self) -> tf.Graph:
        """The graph of `concrete_function`."""
        return self.concrete_function.graph

    @property
    def variables(self) -> tuple[tf.Variable, ...]:
        """The variables that the signature uses."""
        return tuple(self.concrete_function.variables)

    @property
    def trainable_variables(self) -> tuple[tf.Variable, ...]:
        """Those of them that train."""
        return tuple(v for v in self.variables if v.trainable)

    @property
    def structured_input_signature(self) -> tuple[tuple[()], dict[str, Any]]:
        """The type specs of positional and keyword arguments, as of a `ConcreteFunction`."""
        infos = self._module.get_input_info_dict(self.name)
        return (), {name: info.type_spec for name, info in infos.items()}

    @property
    def structured_outputs(self) -> dict[str, Any]:
        """The type specs of the outputs, as of a `ConcreteFunction`."""
        infos = self._module.get_output_info_dict(self.name)
        return {name: info.type_spec for name, info in infos.items()}


def _load_again(
    spec: ModuleSpec,
    tags: frozenset[str] | None,
    missing: Missing,
    values: Mapping[str, tf.Tensor],
    contents: Sequence[Mapping[str, tf.Tensor]],
) -> HubModule:
    """What a pickled `HubModule` becomes."""
    with tf.init_scope():
        module = HubModule(spec, tags, missing)
        for name, value in values.items():
            module.state.variables[name].assign(value)
        tables = [table for table in module.state.tables if isinstance(table, MutableTable)]
        for table, content in zip(tables, contents, strict=True):
            table.set_content(content)
    return module


class _Signatures(Mapping[str, SignatureCallable]):
    """The inference signatures of a module, or those of the variant that it is pinned to."""

    def __init__(self, module: HubModule) -> None:
        self._module = module

    def __getitem__(self, name: str) -> SignatureCallable:
        # In a call None is the default; as a key it is none.
        signature = self._module.spec.signature(str(name), self._module.tags)
        return SignatureCallable(self._module, signature.name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._module.get_signature_names())

    def __len__(self) -> int:
        return len(self._module.get_signature_names())

    def __repr__(self) -> str:
        return f"<signatures {', '.join(self)}>"


class RegularizationLoss:
    """A callable without arguments that gives one regularization loss, a differentiable scalar.

    Attributes:
        name: The name of the loss tensor in the module's graph.
    """

    def __init__(self, state: ModuleState, variant: GraphVariant, name: str) -> None:
        self.name = name
        self._state = state
        self._variant = variant
        self._lock = threading.Lock()
        self._functions: dict[bool, GraphFunction] = {}

    @autograph_marks.unconverted
    def __call__(self, portable: bool = False) -> tf.Tensor:
        """The loss for the variables' values of now.

        Args:
            portable: As for `HubModule.call_signature`.
        """
        portable = portable or saved_models.is_saving()
        with self._lock:
            if portable not in self._functions:
                self._functions[portable] = self._make_function(portable)
        return self._functions[portable]([])[0]

    def _make_function(self, portable: bool) -> GraphFunction:
        tensors = self._state.tensors(self._variant)
        where = f"{self._variant.where}, regularization loss {self.name!r}"
        check_gap(self._variant, [self.name], [], self._state.lacking, where)

        def build() -> Program:
            name = "regularization_loss"
            return Program(self._variant, {}, tensors, [self.name], (), name, portable)

        key = ("regularization loss", self.name, portable)
        return GraphFunction(shared_program(self._variant, key, build), tensors)

    def __repr__(self) -> str:
        return f"<compat_hub regularization loss {self.name!r}>"


def constant_bool(value: Any) -> bool | None:
    """A flag as a Python bool, or None where only the running program knows it."""
    if isinstance(value, bool):
        return value
    if isinstance(value, tf.Variable):
        value = value.read_value()
    if tf.is_tensor(value):
        value = tf.get_static_value(value)
        return None if value is None else bool(value)
    return bool(value)


def load(
    handle: str | os.PathLike[str] | ModuleSpec,
    tags: Tags = None,
    options: tf.saved_model.LoadOptions | None = None,
    *,
    allow_host_access: bool = False,
    allow_links: bool = False,
    sha256: str | None = None,
    missing: Missing = "error",
) -> Any:
    """Loads a module: one in TF1 Hub format, or a plain SavedModel.

    Examples:
        >>> module = compat_hub.load("path/to/text_module")
        >>> module(["hello", "world"]).shape
        TensorShape([2, 4])
        >>> compat_hub.load("path/to/module", tags={"train"}).tags
        frozenset({'train'})

    Args:
        handle: What `compat_hub.resolve` takes: a path of a folder or archive, or a web address.
            Or a `ModuleSpec`.
        tags: Which graph variant to pin every call to: a set, a list or one string. None keeps
            every variant available.
        options: As for `tf.saved_model.load`. For a module in TF1 Hub format only
            `experimental_io_device` has a meaning: the device that reads the checkpoint.
        allow_host_access: Whether the module's graph may touch the host: read and write files
            other than its own assets, call Python, reach the network. A `ModuleSpec` may allow it
            already. A plain SavedModel is not looked into.
        allow_links: Whether files of the module may be behind links that lead out of its folder,
            as in stores that are laid out with links. A `ModuleSpec` may allow it already.
        sha256: The digest that the module has to have, in hexadecimal digits: one over the names
            and contents of all its files, which `compat-hub cache verify` prints. It is computed
            anew for each call.
        missing: What becomes of variables that the module's checkpoint does not have, as where it
            was exported from a variant with fewer. With `"error"` they are not among the module's
            variables, and a call that needs one raises; all other calls work. With `"initial"` they
            have the initial values of the graph.

    Returns:
        A `HubModule`. For a folder without `tfhub_module.pb`: what `tf.saved_model.load` returns.

    Raises:
        ResolveError: The handle leads to no module, or to one with another digest.
        ModuleFormatError: The folder holds no module that can be read, or this TensorFlow lacks
            ops that all signatures need.
        CheckpointError: Files of the checkpoint are missing or damaged, or it lacks variables that
            all signatures need.
        UnknownNameError: The module has no variant with these tags.
        UnsafeModuleError: The module's graph would touch the host, or a file of it is behind a
            link that leads out of its folder.
    """
    if isinstance(handle, ModuleSpec):
        if sha256 is not None:
            raise ResolveError(
                f"Module {handle.handle!r}: a ModuleSpec was read before its digest was known. "
                "With sha256, pass the handle that the spec was read from."
            )
        spec = load_module_spec(
            handle, allow_host_access=allow_host_access, allow_links=allow_links
        )
    else:
        path = resolve(handle, allow_links=allow_links)
        if sha256 is not None:
            source = "the expected one (sha256)"
            digests.check(os.fspath(handle), path, sha256, source, allow_links)
        if not is_module_directory(path) and is_saved_model(path):
            check_saved_model(f"The SavedModel {os.fspath(handle)!r}", path, allow_links)
            check_plain(os.fspath(handle), path, allow_links, tags is not None)
            plain_tags = None if tags is None else sorted(normalize_tags(tags))
            return tf.saved_model.load(path, tags=plain_tags, options=options)
        spec = read_module_spec(os.fspath(handle), path, allow_host_access, allow_links)
    pinned = None if tags is None else normalize_tags(tags)
    io_device = options.experimental_io_device if options else None
    outside = graph_internals.outside_of_functions()
    with outside, tf.device(io_device), naming_fresh_copy(spec.handle):
        module = HubModule(spec, pinned, missing)
    graph_internals.keep_with_functions(module)
    return module
