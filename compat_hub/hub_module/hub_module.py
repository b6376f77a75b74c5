"""HubModule: a module in TF1 Hub format as an object of TensorFlow 2."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from compat_hub.errors import GraphError, UnknownNameError
from compat_hub.format.host_access import check_host_access, check_run, leave_out_host_access
from compat_hub.format.signature_info import SignatureInfo, Tags
from compat_hub.format.signature_table import signature_tables
from compat_hub.format.spec import ModuleSpec, normalize_tags
from compat_hub.format.variant import GraphVariant, format_tags
from compat_hub.hub_module.dispatch import INFERENCE, RETURNED, Dispatcher, IsWatched, watch_all
from compat_hub.hub_module.pruned import PrunedFunction
from compat_hub.hub_module.regularization_loss import RegularizationLoss
from compat_hub.hub_module.saved_model import save_reusable
from compat_hub.hub_module.signature_function import CallResult
from compat_hub.hub_module.signatures import SignatureCallable, Signatures
from compat_hub.programs.gaps import check_usable, find_gap
from compat_hub.programs.tensorflow_errors import building, check_process
from compat_hub.state.module_state import Missing, ModuleState
from compat_hub.state.tables import MutableTable
from compat_hub.tf_private import autograph_marks, eager_runtime


class HubModule(SignatureInfo, tf.Module):
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
        self.dispatcher = Dispatcher(spec, tags, self.state)
        self.variable_map = self.state.variable_map
        self.asset_paths = [asset.asset for asset in self.state.assets.values()]
        self._tables = self.state.tables  # what a SavedModel contains is found by attributes
        self.signatures: Mapping[str, SignatureCallable] = Signatures(self)
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
            inputs: A dict by input name, or the one value of a signature with one input. A value is
                a tensor, a numpy array, a list, a number, a string, a `tf.SparseTensor` or a
                `tf.RaggedTensor`, of the shape that `get_input_info_dict` gives; the first
                dimension is mostly the batch: `[batch_size, ...]`. Values of Python and numpy are
                converted to the declared dtype: integers to floats, floats to other floats,
                integers to other integers if they fit, never floats to integers. A tensor has to
                have the declared dtype; use `tf.cast`. Inputs with a default may be left out.
            signature: Its name, `"default"` when None.
            as_dict: Whether to return all outputs by name, or the one called `default`.
            training: Whether this is a training call, a bool or a boolean scalar tensor. A training
                call uses the `{"train"}` variant, where there is one, and runs its update ops.

        Returns:
            The output, or a dict of all outputs by name: tensors of the dtypes and shapes that
                `get_output_info_dict` gives, sparse or ragged where it says so. The module computes
                only what is returned.

        Raises:
            UnknownNameError: There is no such variant, signature or output.
            InputTypeError: An input is missing, unknown, or of the wrong dtype or shape.
            CheckpointError: The call needs a variable that the module's checkpoint does not have.
            ModuleFormatError: It needs an op that this TensorFlow does not have.
        """
        outputs = None if as_dict else RETURNED
        found = self.dispatcher.outputs(inputs, signature, outputs, training)
        return found if as_dict else next(iter(found.values()))

    @property
    def variables(self) -> tuple[tf.Variable, ...]:
        """All variables, each once, moving averages and other untrained ones included."""
        return tuple(self.state.variables.values())

    @property
    def trainable_variables(self) -> tuple[tf.Variable, ...]:
        """The variables in the TRAINABLE_VARIABLES collection of some variant."""
        return self.state.trainable_variables

    @property
    def non_trainable_variables(self) -> tuple[tf.Variable, ...]:
        """The variables that are not in `trainable_variables`."""
        return tuple(v for n, v in self.state.variables.items() if n not in self.state.trainable)

    @functools.cached_property
    def graph(self) -> tf.Graph:
        """The graph of the variant for inference, as it was read, to look at: it runs nothing.

        The names of its tensors are those that `prune` takes.
        """
        variant = self.variant(training=False)
        # TensorFlow writes the defaults of attributes into what it imports, and computes constants.
        meta_graph = type(variant.meta_graph)()
        meta_graph.CopyFrom(variant.meta_graph)
        leave_out_host_access(self.spec, variant, meta_graph)
        with tf.Graph().as_default() as graph, building(variant.where):
            tf.graph_util.import_graph_def(meta_graph.graph_def, name="")
        return graph

    def __dir__(self) -> list[str]:
        """Without `graph`: TensorFlow looks at all that is listed when it writes a SavedModel."""
        return [name for name in super().__dir__() if name != "graph"]

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

    def _described(self, tags: Tags) -> tuple[ModuleSpec, Tags]:
        return self.spec, (self.tags or INFERENCE) if tags is None else tags

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

        This is the way to a gradient of one output by another: for a tape, two outputs of one call
        do not depend on each other, so it gives None. The call computes neither update ops nor
        losses of inputs: they belong to the call that gave the outputs.

        Args:
            given: Values of outputs by name: what another call gave, or anything of their dtype and
                shape. The nodes before them do not run.
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
        chosen = self.dispatcher.choose(signature, training)
        wanted = [n for n in chosen.outputs if n not in given] if as_dict else RETURNED
        chosen = self.dispatcher.choose(signature, training, wanted)._replace(update_ops=False)
        chosen.signature.select_outputs(list(given), chosen.variant.where)
        outputs = self.dispatcher.run(chosen, chosen.bind(inputs), given=given).outputs
        return outputs if as_dict else next(iter(outputs.values()))

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
                are not handles of variables or tables. The nodes before them do not run.
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
            InputTypeError: A name is not a string.
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
        is_watched: IsWatched = watch_all,
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
            is_watched: Tells for each variable whether a gradient tape sees it.
            portable: Whether the call is part of a program that is written, and that will run and
                train where compat_hub is not.

        Returns:
            The outputs by name, and the losses.
        """
        return self.dispatcher.call(
            inputs,
            signature,
            outputs,
            training=training,
            arguments=arguments,
            losses=losses,
            is_watched=is_watched,
            portable=portable,
        )

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
        return self.dispatcher.variant(training)

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
        """Lets pickle and deepcopy load the module again, with the current values.

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


def _load_again(
    spec: ModuleSpec,
    tags: frozenset[str] | None,
    missing: Missing,
    values: Mapping[str, tf.Tensor],
    contents: Sequence[Mapping[str, tf.Tensor]],
) -> HubModule:
    """Makes a `HubModule` from what pickle stored."""
    with tf.init_scope():
        module = HubModule(spec, tags, missing)
        for name, value in values.items():
            module.state.variables[name].assign(value)
        tables = [table for table in module.state.tables if isinstance(table, MutableTable)]
        for table, content in zip(tables, contents, strict=True):
            table.set_content(content)
    return module
