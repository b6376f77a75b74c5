"""`Module`: a module instantiated and applied in a graph of TF1."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from compat_hub.errors import GraphError, InputTypeError, ModuleFormatError, SignatureError
from compat_hub.format.host_access import check_host_access
from compat_hub.format.inputs import bind_inputs, convert_input
from compat_hub.format.spec import ModuleSpec, Tags, load_module_spec
from compat_hub.format.tensor_info import TensorInfo
from compat_hub.programs.known_ops import find_unknown_ops
from compat_hub.v1.graph.apply_graph import import_signature
from compat_hub.v1.graph.function_graph import make_state, reserve_function_scope
from compat_hub.v1.graph.state_graph import import_state, reserve_scope

# A name scope's characters, as TensorFlow checks them at the root of a graph.
_NAME = re.compile(r"[A-Za-z0-9_.\\>-]+(/[A-Za-z0-9_.\\>-]+)*")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.\\>-]")


class Module:
    """A module in a `tf.Graph`: its state once, its signatures as often as they are applied.

    Examples:
        >>> import compat_hub as hub
        >>> import tensorflow.compat.v1 as tf1
        >>> fruit = {"apples": np.ones([5, 4]), "oranges": np.ones([5, 3])}
        >>> with tf1.Graph().as_default(), tf1.Session() as session:
        ...     m = hub.Module("path/to/module", trainable=True, tags={"train"})
        ...     pets = m(fruit, signature="fruit_to_pet", as_dict=True)
        ...     loss = tf1.reduce_mean(pets["cats"]) + tf1.losses.get_regularization_loss()
        ...     with tf1.control_dependencies(tf1.get_collection(tf1.GraphKeys.UPDATE_OPS)):
        ...         step = tf1.train.GradientDescentOptimizer(0.1).minimize(loss)
        ...     _ = session.run([tf1.global_variables_initializer(), tf1.tables_initializer()])
        ...     _ = session.run(step)
        ...     m.export("path/to/fine_tuned_module", session)
        >>> sorted(hub.load("path/to/fine_tuned_module").variable_map)[:2]
        ['cats/bias', 'cats/kernel']

    In TF2 programs use `compat_hub.load` or `compat_hub.KerasLayer`.

    It adds variables to GLOBAL_VARIABLES and, where the module says so, to MODEL_VARIABLES, with
    initializers that read the module's checkpoint; tables to TABLE_INITIALIZERS; and file names to
    ASSET_FILEPATHS. Made inside a `tf.compat.v1.wrap_function` or a `tf.function` of an eager
    program, its variables are those of that program and have their values at once; their
    initializers do nothing.

    Args:
        spec: A `ModuleSpec`, or a handle as `load_module_spec` takes it.
        trainable: Whether to add variables to TRAINABLE_VARIABLES and losses to
            REGULARIZATION_LOSSES, and at each application update ops to UPDATE_OPS.
        name: The variable scope of its state, made unique.
        tags: The graph variant, `set()` when None.

    Raises:
        UnknownNameError: There is no such graph variant.
        GraphError: There is no graph that is being built, or its name scope is taken.
        InputTypeError: `spec` is neither a `ModuleSpec` nor a path, or `name` names no scope.
        ModuleFormatError: What the handle leads to is not a module that can be used.
        CheckpointError: Its checkpoint is missing or damaged, or lacks a variable of the variant.
        ResolveError: The handle leads nowhere.
        UnsafeModuleError: The module's graph would touch the host. If you trust its source, pass
            `load_module_spec(path, allow_host_access=True)`.
    """

    @tf.autograph.experimental.do_not_convert
    def __init__(
        self,
        spec: ModuleSpec | str | os.PathLike[str],
        trainable: bool = False,
        name: str = "module",
        tags: Tags = None,
    ) -> None:
        if not isinstance(spec, ModuleSpec | str | os.PathLike):
            raise InputTypeError(
                f"Module() takes a ModuleSpec or a path, found a {type(spec).__name__}."
            )
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise InputTypeError(
                f"`name` is the name of a scope: letters, digits, '_', '.', '-' and '/' between "
                f"such parts, found {name!r}."
            )
        if tf.executing_eagerly():
            raise GraphError(
                "hub.Module is for graphs of TF1, and this program executes eagerly. Use it inside "
                "`with tf.Graph().as_default():`, or call compat_hub.load() instead. "
                "`compat-hub migrate --write` changes a whole program of TensorFlow 1."
            )
        self._name = name
        self._spec = load_module_spec(spec)
        self._variant = self._spec.variant(tags)
        self._trainable = trainable
        message = find_unknown_ops(self._variant)
        if message:
            raise ModuleFormatError(message)
        check_host_access(self._spec, [self._variant])
        self._saver: Any = None
        self._graph: Any = None
        # Outside of the function, loop or branch that is being built, if any.
        with tf.init_scope():
            if not tf.executing_eagerly():
                self._graph = tf.compat.v1.get_default_graph()
                scope = reserve_scope(name)
                self._state = import_state(self._spec, self._variant, scope, trainable)
                self._saver = self._make_saver(scope)
        if self._graph is None:
            scope = reserve_function_scope(name)
            self._state = make_state(self._spec, self._variant, scope, trainable)
        self._name = scope.rpartition("/")[2]

    @tf.autograph.experimental.do_not_convert
    def __call__(
        self,
        inputs: Any = None,
        _sentinel: Any = None,
        signature: str | None = None,
        as_dict: bool | None = None,
    ) -> Any:
        """Applies a signature: adds what computes its outputs to the graph.

        It may be called any number of times, also inside `tf.cond`, `tf.while_loop`, `tf.map_fn`
        and functions that are built within the module's graph; all calls share the variables.

        Args:
            inputs: A dict by input name, or the one value of a signature with one input: dense,
                sparse or ragged, or anything that converts to a tensor of the declared dtype.
                Inputs with a default may be left out.
            signature: Its name, `"default"` when None.
            as_dict: Whether to return all outputs by name, or the one called `default`.

        Returns:
            A tensor (dense, sparse or ragged), or a dict of tensors.

        Raises:
            UnknownNameError: There is no such signature.
            InputTypeError: An input is missing, unknown, or of the wrong dtype or shape; or there
                is no output `default`.
            GraphError: The current graph is not within that of the module.
        """
        if _sentinel is not None:
            raise InputTypeError("Pass all but `inputs` by keyword: signature=..., as_dict=...")
        self._check_graph()
        found = self._spec.signature(signature, self._variant.tags)
        where = f"{self._variant.where}, signature {found.name!r}"
        if not as_dict and "default" not in found.outputs:
            raise InputTypeError(
                f"In {where}: there is no output 'default', there are "
                f"{', '.join(map(repr, found.outputs))}. Pass as_dict=True."
            )
        self._check_supported(found.inputs, f"{where}: the input")
        self._check_supported(found.outputs, f"{where}: the output")
        values = bind_inputs(found.inputs, inputs, self._variant.has_default, where)
        given = {
            tensor: component
            for name, value in values.items()
            for tensor, component in zip(
                found.inputs[name].components,
                convert_input(value, name, found.inputs[name], where),
                strict=True,
            )
        }
        outputs = found.select_outputs(None if as_dict else ("default",), self._variant.where)
        results = iter(
            import_signature(
                self._spec,
                self._variant,
                f"{self._name}_apply_{_NOT_IN_NAMES.sub('_', found.name)}",
                self._state,
                given,
                [tensor for name in outputs for tensor in found.outputs[name].components],
                update_ops=self._trainable,
            )
        )
        packed = {
            name: found.outputs[name].pack([next(results) for _ in found.outputs[name].components])
            for name in outputs
        }
        return packed if as_dict else packed["default"]

    def get_signature_names(self) -> list[str]:
        """The names of the module's signatures."""
        return self._spec.get_signature_names(self._variant.tags)

    def get_input_info_dict(self, signature: str | None = None) -> dict[str, TensorInfo]:
        """What a signature takes.

        Args:
            signature: Its name, `"default"` when None.

        Returns:
            By input name, an object with `dtype`, `get_shape()`, `is_sparse`, `is_composite` and
                `type_spec`.

        Raises:
            UnknownNameError: There is no such signature.
        """
        return self._spec.get_input_info_dict(signature, self._variant.tags)

    def get_output_info_dict(self, signature: str | None = None) -> dict[str, TensorInfo]:
        """What a signature gives.

        Args:
            signature: Its name, `"default"` when None.

        Returns:
            By output name, an object with `dtype`, `get_shape()`, `is_sparse`, `is_composite` and
                `type_spec`.

        Raises:
            UnknownNameError: There is no such signature.
        """
        return self._spec.get_output_info_dict(signature, self._variant.tags)

    def get_attached_message(self, key: str, message_type: Any, required: bool = False) -> Any:
        """A protocol message that the module's author attached to the variant.

        Args:
            key: The name under which it was attached.
            message_type: The class of the message.
            required: Whether a missing message is an error.

        Returns:
            The message, or None where there is none and `required` is false.

        Raises:
            UnknownNameError: There is no such message and it is required.
            SignatureError: What is attached is not a message of that type.
        """
        return self._spec.get_attached_message(key, message_type, self._variant.tags, required)

    def export(self, path: str | os.PathLike[str], session: Any) -> None:
        """Writes the module, with the values that its variables have in a session.

        It is the module of the spec that is written, with all of its variants: what the program
        built around it is not part of it.

        Args:
            path: The folder to make, on any filesystem of `tf.io.gfile`. It may be there and empty.
            session: A session of the module's graph, a MonitoredSession too; its variables are
                initialized.

        Raises:
            PathExistsError: There is something at `path` already.
            GraphError: The current graph or the session's is another one than the module's, the
                session is closed, or a variable has no value yet.
            ResolveError: The folder cannot be written.
        """
        if self._graph is None:
            raise GraphError(
                f"{self!r} was made inside a function of an eager program. Load the module with "
                "compat_hub.load() and export that."
            )
        if self._graph is not tf.compat.v1.get_default_graph():
            raise GraphError(
                f"The current graph is not the one of {self!r}. "
                "Export inside `with graph.as_default():`."
            )
        if getattr(session, "graph", None) is not self._graph:
            raise GraphError(
                f"What was passed as the session has another graph than {self!r}, or none. "
                "Pass a session of the module's graph."
            )
        save = None if self._saver is None else lambda prefix: self._save(session, prefix)
        self._spec.write(path, save)

    @property
    def variable_map(self) -> Mapping[str, Any]:
        """By the name that it has in the checkpoint, a variable, or the parts of a partitioned one.

        `tf.compat.v1.train.init_from_checkpoint` takes it as its assignment map.
        """
        return dict(self._state.variable_map)

    @property
    def variables(self) -> list[Any]:
        """All variables of the module, sorted by their names in the checkpoint."""
        found = (value for _, value in sorted(self._state.variable_map.items()))
        return [v for value in found for v in (value if isinstance(value, list) else [value])]

    def _make_saver(self, scope: str) -> Any:
        """Made with the module: a graph that is finalized can still be exported."""
        if not self._state.variable_map:
            return None
        outer = scope.rpartition("/")[0]
        with tf.name_scope(f"{outer}/" if outer else ""):
            return tf.compat.v1.train.Saver(
                self.variable_map, sharded=True, write_version=tf.compat.v1.train.SaverDef.V2
            )

    def _save(self, session: Any, prefix: str) -> None:
        def save(raw_session: Any) -> None:
            self._saver.save(raw_session, prefix, write_meta_graph=False, write_state=False)

        try:
            if hasattr(session, "run_step_fn"):  # a MonitoredSession, which no Saver takes
                session.run_step_fn(lambda step_context: save(step_context.session))
            else:
                save(session)
        except tf.errors.FailedPreconditionError as error:
            names = [variable.name.partition(":")[0] for variable in self.variables]
            found = [n for n in names if re.search(rf"\b{re.escape(n)}(?![\w/])", error.message)]
            raise GraphError(
                f"A variable of {self!r} has no value in the session"
                f"{': ' if found else ''}{', '.join(found)}. "
                "Run tf.compat.v1.global_variables_initializer() first."
            ) from error
        except (RuntimeError, TypeError) as error:
            raise GraphError(f"{self!r} cannot be exported from this session: {error}") from error

    def _check_graph(self) -> None:
        with tf.init_scope():
            outside = None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
        if outside is self._graph and not tf.executing_eagerly():
            return
        if self._graph is None:
            raise GraphError(
                f"{self!r} was made in a function of an eager program. Apply it in such functions, "
                "or call compat_hub.load() instead."
            )
        raise GraphError(
            f"The current graph is not the one of {self!r}, nor a function within it. "
            "Apply a module in the graph that it was made in."
        )

    def _check_supported(self, infos: Mapping[str, TensorInfo], what: str) -> None:
        for name, info in infos.items():
            if not isinstance(
                info.type_spec, tf.TensorSpec | tf.SparseTensorSpec | tf.RaggedTensorSpec
            ):
                raise SignatureError(
                    f"In {what} {name!r} is a {info}; dense, sparse and ragged tensors are "
                    "supported."
                )

    def __repr__(self) -> str:
        return f"<compat_hub.Module {self._name!r} of {self._spec.handle!r}>"
