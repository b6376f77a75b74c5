"""`eval_function_for_module`: a module's signatures, called with values instead of tensors."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf

from compat_hub.errors import GraphError, InputTypeError
from compat_hub.format.inputs import bind_inputs
from compat_hub.format.spec import ModuleSpec, Tags, load_module_spec
from compat_hub.format.tensor_info import TensorInfo
from compat_hub.format.variant import GraphVariant
from compat_hub.v1.feeds import to_arrays
from compat_hub.v1.module import Module


@contextlib.contextmanager
def eval_function_for_module(
    spec: ModuleSpec | str | os.PathLike[str], tags: Tags = None
) -> Iterator[Callable[..., Any]]:
    """Makes a function that evaluates a module in a graph and a session of its own.

    Examples:
        >>> with compat_hub.eval_function_for_module("path/to/text_module") as f:
        ...     vectors = f(["a sentence", "another one"])
        >>> type(vectors), vectors.shape
        (<class 'numpy.ndarray'>, (2, 4))

    The module's variables and tables are initialized once, when the `with` block is entered. The
    program's own graph, or its eager execution, is as it was.

    Args:
        spec: A `ModuleSpec`, or a handle as `load_module_spec` takes it.
        tags: The graph variant, `set()` when None.

    Yields:
        A function with the arguments of a `Module`'s call, `f(inputs=None, signature=None,
        as_dict=None)`, that takes and returns values: numpy arrays and what they are made from,
        SparseTensorValues and RaggedTensorValues. It raises what the `Module` would raise. It
        works until the block is left.

    Raises:
        UnknownNameError: There is no such graph variant.
        ModuleFormatError: What the handle leads to is not a module that can be used.
        ResolveError: The handle leads nowhere.
        UnsafeModuleError: The module's graph would touch the host. If you trust its source, pass
            `load_module_spec(path, allow_host_access=True)`.
    """
    loaded = load_module_spec(spec)
    with tf.Graph().as_default() as graph:
        module = Module(loaded, tags=tags)
        initializers = [
            tf.compat.v1.global_variables_initializer(),
            tf.compat.v1.tables_initializer(),
        ]
    with contextlib.closing(tf.compat.v1.Session(graph=graph)) as session:
        session.run(initializers)
        evaluator = _Evaluator(loaded.variant(tags), module, graph, session)
        try:
            yield evaluator.evaluate
        finally:
            evaluator.is_open = False


@dataclasses.dataclass(frozen=True)
class _Application:
    """A signature in the graph.

    Attributes:
        placeholders: By input name, one for each component.
        outputs: What applying it gave.
    """

    placeholders: Mapping[str, Sequence[Any]]
    outputs: Any


class _Evaluator:
    """Applies a signature when it is first called, and feeds it."""

    def __init__(self, variant: GraphVariant, module: Module, graph: Any, session: Any) -> None:
        self.is_open = True
        self._variant = variant
        self._module = module
        self._graph = graph
        self._session = session
        self._applications: dict[tuple[str | None, tuple[str, ...], bool], _Application] = {}
        self._lock = threading.Lock()

    def evaluate(
        self,
        inputs: Any = None,
        _sentinel: Any = None,
        signature: str | None = None,
        as_dict: bool | None = None,
    ) -> Any:
        """Evaluates a signature; see `Module.__call__`.

        Args:
            inputs: A dict by input name, or the one value of a signature with one input.
            signature: Its name, `"default"` when None.
            as_dict: Whether to return all outputs by name, or the one called `default`.

        Returns:
            A value, or a dict of values.

        Raises:
            UnknownNameError: There is no such signature.
            InputTypeError: An input is missing, unknown, or of the wrong dtype or shape; or there
                is no output `default`.
            GraphError: The `with` block has been left.
        """
        if _sentinel is not None:
            raise InputTypeError("Pass all but `inputs` by keyword: signature=..., as_dict=...")
        if not self.is_open:
            raise GraphError(
                "The session of this function is closed. Call it inside the `with` block of "
                "eval_function_for_module()."
            )
        infos = self._module.get_input_info_dict(signature)
        where = f"{self._variant.where}, signature {signature or 'default'!r}"
        values = bind_inputs(infos, inputs, self._variant.has_default, where)
        arrays = {n: to_arrays(value, n, infos[n], where) for n, value in values.items()}
        applied = self._apply(signature, infos, tuple(values), bool(as_dict))
        feeds = {
            placeholder: array
            for name, placeholders in applied.placeholders.items()
            for placeholder, array in zip(placeholders, arrays[name], strict=True)
        }
        return self._session.run(applied.outputs, feeds)

    def _apply(
        self,
        signature: str | None,
        infos: Mapping[str, TensorInfo],
        names: tuple[str, ...],
        as_dict: bool,
    ) -> _Application:
        key = (signature, names, as_dict)
        with self._lock:
            if key not in self._applications:
                with self._graph.as_default():
                    placeholders = {name: _make_placeholders(infos[name]) for name in names}
                    inputs = {name: infos[name].pack(placeholders[name]) for name in names}
                    outputs = self._module(inputs, signature=signature, as_dict=as_dict)
                self._applications[key] = _Application(placeholders, outputs)
            return self._applications[key]


def _make_placeholders(info: TensorInfo) -> list[Any]:
    return [tf.compat.v1.placeholder(s.dtype, s.shape) for s in info.component_specs()]
