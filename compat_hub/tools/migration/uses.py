"""The uses of tensorflow_hub in a program, and what to write instead."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import libcst as cst
from libcst import metadata
from libcst.helpers import get_full_name_for_node

from compat_hub.tools.migration import name_table
from compat_hub.tools.migration.imports import rewritten_from, rewritten_import, source_of, statuses
from compat_hub.tools.migration.name_table import (
    CHANGE,
    PACKAGE,
    UNAVAILABLE,
    UNCHANGED,
    UNKNOWN,
    classify,
)
from compat_hub.tools.migration.report import Use
from compat_hub.tools.migration.tensorflow_imports import bound_names, path_of, rewrite
from compat_hub.tools.migration.tensorflow_names import (
    is_of_tensorflow1,
    look_up,
    look_up_in_tensorflow2,
)

_MODULE_ARGUMENTS = ("spec", "trainable", "name", "tags")
_V1 = ("tensorflow.compat.v1.", "tensorflow.")


def wrapped(module: cst.Module | metadata.MetadataWrapper) -> metadata.MetadataWrapper:
    """A file with what is known of its names, which takes long to find."""
    if isinstance(module, metadata.MetadataWrapper):
        return module
    return metadata.MetadataWrapper(module, unsafe_skip_copy=True)


@dataclasses.dataclass(frozen=True)
class Program:
    """What is known of the program that a file belongs to.

    Attributes:
        is_tf1: Whether it uses `tensorflow` as only TensorFlow 1 had it.
        has_v1: Whether it imports `tensorflow.compat.v1` or `compat_hub.tf1`.
        has_module: Whether it makes a `hub.Module` somewhere.
    """

    is_tf1: bool = False
    has_v1: bool = False
    has_module: bool = False


def find_signs(
    module: cst.Module | metadata.MetadataWrapper,
) -> tuple[Program, list[list[str]]]:
    """What a file says of the program that it belongs to, and the parts of the names it imports."""
    signs = _Signs()
    wrapped(module).visit(signs)
    program = Program(signs.is_tf1, signs.has_v1, signs.has_module)
    return program, signs.imported_parts


def find_uses(
    module: cst.Module | metadata.MetadataWrapper, program: Program | None = None
) -> tuple[Use, ...]:
    """All uses in a file, by line and column.

    Args:
        module: The file.
        program: What is known of the program; what the file says where it is None.

    Returns:
        The uses.
    """
    wrapper = wrapped(module)
    finder = _Finder(program or find_signs(wrapper)[0])
    followed = _Followed()
    wrapper.visit(followed)
    finder.followed = followed.modules
    wrapper.visit(finder)
    return tuple(sorted(finder.all_uses(), key=lambda use: (use.line, use.column, -len(use.old))))


def _dotted(node: cst.CSTNode) -> str | None:
    """`a.b.c`, where a node is nothing more than that."""
    inner = node
    while isinstance(inner, cst.Attribute):
        inner = inner.value
    return get_full_name_for_node(node) if isinstance(inner, cst.Name) else None


def _code(node: cst.CSTNode) -> str:
    return " ".join(cst.Module([]).code_for_node(node).split())


def _as_before(name: str) -> str:
    """What a name of compat_hub was called before a program was migrated."""
    if name == "compat_hub.tf1" or name.startswith("compat_hub.tf1."):
        return f"tensorflow.compat.v1{name.removeprefix('compat_hub.tf1')}"
    if name == "compat_hub" or name.startswith("compat_hub."):
        return f"{PACKAGE}{name.removeprefix('compat_hub')}"
    return name


class _Names(cst.CSTVisitor):
    """Knows what names in the program stand for."""

    METADATA_DEPENDENCIES = (
        metadata.QualifiedNameProvider,
        metadata.PositionProvider,
        metadata.ScopeProvider,
        metadata.ExpressionContextProvider,
    )

    def imported(self, node: cst.CSTNode) -> str | None:
        """The dotted name of what was imported, tensorflow_hub's first."""
        if _dotted(node) is None:
            return None
        found = self.get_metadata(metadata.QualifiedNameProvider, node, set())
        imported = [
            _as_before(name.name)
            for name in found or ()
            if name.source is metadata.QualifiedNameSource.IMPORT
        ]
        return min(imported, key=lambda name: not self.is_hub(name), default=None)

    def is_hub(self, name: str | None) -> bool:
        return name is not None and (name == PACKAGE or name.startswith(f"{PACKAGE}."))

    def is_module_call(self, node: cst.CSTNode) -> bool:
        name = self.imported(node.func) if isinstance(node, cst.Call) else None
        return name in {f"{PACKAGE}.Module", f"{PACKAGE}.module.Module"}

    def scope(self, node: cst.CSTNode) -> Any:
        return self.get_metadata(metadata.ScopeProvider, node, None)


class _Signs(_Names):
    """Finds what tells that a program is of TensorFlow 1."""

    def __init__(self) -> None:
        super().__init__()
        self.is_tf1 = self.has_v1 = self.has_module = False
        self.imported_parts: list[list[str]] = []

    def visit_Import(self, node: cst.Import) -> bool:  # noqa: N802
        self._keep(node)
        self._imports(alias.evaluated_name for alias in node.names)
        return False

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool:  # noqa: N802
        self._keep(node)
        if not node.relative and node.module is not None:
            module = get_full_name_for_node(node.module) or ""
            names = [] if isinstance(node.names, cst.ImportStar) else node.names
            self._imports([module, *(f"{module}.{alias.evaluated_name}" for alias in names)])
        return False

    def visit_Attribute(self, node: cst.Attribute) -> bool:  # noqa: N802
        if _dotted(node) is None:
            return True
        self._name(self.imported(node))
        return False

    def visit_Name(self, node: cst.Name) -> None:  # noqa: N802
        self._name(self.imported(node))

    def _keep(self, node: cst.Import | cst.ImportFrom) -> None:
        if isinstance(node, cst.ImportFrom) and isinstance(node.names, cst.ImportStar):
            node = node.with_changes(names=[cst.ImportAlias(cst.Name("_"))])
        for name, _ in bound_names(node):
            self.imported_parts.append([part for part in name.split(".") if part])

    def _imports(self, names: Iterable[str]) -> None:
        for name in names:
            if name.startswith(("compat_hub.tf1", "tensorflow.compat.v1")):
                self.has_v1 = True
            self._name(_as_before(name))

    def _name(self, name: str | None) -> None:
        if name is None:
            return
        if name.startswith("tensorflow."):
            path = name.removeprefix("tensorflow.")
            self.is_tf1 = self.is_tf1 or is_of_tensorflow1(path)
        elif self.is_hub(name):
            public = classify(name.removeprefix(f"{PACKAGE}."))[1]
            if public == "Module" or public in name_table.OF_TF1:
                self.has_module = True


class _Followed(_Names):
    """Finds the variables that hold `hub.Module`s, and nothing else, by scope and name."""

    def __init__(self) -> None:
        super().__init__()
        self.modules: dict[tuple[Any, str], Sequence[cst.Call]] = {}

    def visit_Assign(self, node: cst.Assign) -> None:  # noqa: N802
        for target in node.targets:
            self._assign(target.target, node.value)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:  # noqa: N802
        if node.value is not None:
            self._assign(node.target, node.value)

    def _assign(self, target: cst.BaseExpression, value: cst.BaseExpression) -> None:
        name = _dotted(target)
        if name is None:
            return
        # An attribute of self is the same in every method.
        key = (None if "." in name else self.scope(target), name)
        if not self.is_module_call(value):
            if key in self.modules or "." not in name:
                self.modules[key] = ()
        elif isinstance(value, cst.Call) and self.modules.get(key) != ():
            # Graphs for training and for evaluation are often made under one name.
            self.modules[key] = [*self.modules.get(key, ()), value]


class _Finder(_Names):
    def __init__(self, program: Program) -> None:
        super().__init__()
        self._program = program
        self._uses: list[Use] = []
        self._beside: list[Use] = []  # reported where the program has a hub.Module
        self._handled: set[cst.CSTNode] = set()
        self.followed: Mapping[tuple[Any, str], Sequence[cst.Call]] = {}

    def all_uses(self) -> list[Use]:
        return self._uses + (self._beside if self._program.has_module else [])

    def visit_Import(self, node: cst.Import) -> bool:  # noqa: N802
        old, new = _code(node), _code(rewritten_import(node))
        for alias in node.names:
            name = alias.evaluated_name
            if name == PACKAGE:
                self._add(node, CHANGE, new, old=old)
            elif name.startswith(f"{PACKAGE}."):
                _, _, advice = classify(name.removeprefix(f"{PACKAGE}."))
                note = f"Import names from compat_hub itself. {advice}"
                self._add(node, UNAVAILABLE, None, note=note, old=old)
        self._import_of_tensorflow(node)
        return False

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool:  # noqa: N802
        if source_of(node) is None:
            self._import_of_tensorflow(node)
            return False
        missing = [path for path, status in statuses(node).items() if status == UNAVAILABLE]
        if missing:
            advice = {classify(path)[2] for path in missing}
            note = f"Not in compat_hub: {', '.join(missing)}. {' '.join(sorted(advice))}"
            self._add(node, UNAVAILABLE, None, note=note)
        else:
            self._add(node, CHANGE, _code(rewritten_from(node)))
        return False

    def _import_of_tensorflow(self, node: cst.Import | cst.ImportFrom) -> None:
        rewritten = rewrite(node, self._program.is_tf1)
        if rewritten is None:
            return
        for name, note in rewritten.missing:
            self._add(node, UNAVAILABLE, None, note=f"{name}: {note}")
        if rewritten.statements not in ([], [node]):
            calls = [f"{name}.disable_v2_behavior()" for name in rewritten.of_tensorflow1]
            new = "; ".join([*map(_code, rewritten.statements), *calls])
            self._add(node, CHANGE, new)

    def visit_Call(self, node: cst.Call) -> bool:  # noqa: N802
        name = self.imported(node.func)
        if self.is_module_call(node):
            self._module_call(node)
        elif self.is_hub(name):
            self._hub_call(node, (name or "").removeprefix(f"{PACKAGE}."))
        elif name is not None and name.startswith("tensorflow."):
            self._handled.add(node.func)
            self._tensorflow_name(node, name, node)
        elif isinstance(node.func, cst.Call) and self.is_module_call(node.func):
            self._application(node, [node.func])
        else:
            self._method(node)
        return True

    def visit_Attribute(self, node: cst.Attribute) -> bool:  # noqa: N802
        if _dotted(node) is None:
            return True
        if node not in self._handled:
            name = self.imported(node)
            if self.is_hub(name):
                self._hub_name(node, (name or "").removeprefix(f"{PACKAGE}."))
            elif name is not None and name.startswith("tensorflow."):
                self._tensorflow_name(node, name, None)
            elif self._followed(node.value):
                self._add(node, UNCHANGED, note="The same in TF2.")
        return False

    def visit_Name(self, node: cst.Name) -> None:  # noqa: N802
        context = self.get_metadata(metadata.ExpressionContextProvider, node, None)
        if node in self._handled or context is not metadata.ExpressionContext.LOAD:
            return
        name = self.imported(node)
        if name == PACKAGE:
            note = "It is passed on: what is used of it cannot be told from here."
            self._add(node, UNKNOWN, note=note)
        elif self.is_hub(name):
            self._hub_name(node, (name or "").removeprefix(f"{PACKAGE}."))
        elif name is not None and name.startswith(
            "tensorflow." if self._program.is_tf1 else _V1[0]
        ):
            found = look_up(path_of(name) or name.removeprefix("tensorflow."))
            if found.is_there and found.note:
                self._add(node, CHANGE, None, note=found.note)

    def visit_SimpleString(self, node: cst.SimpleString) -> None:  # noqa: N802
        value = node.evaluated_value
        text = value if isinstance(value, str) else ""
        if text == PACKAGE or (
            text.startswith(f"{PACKAGE}.") and text.replace(".", "").isidentifier()
        ):
            new = node.value.replace(PACKAGE, "compat_hub", 1)
            self._add(node, CHANGE, new, note="A text, which --write leaves alone.")

    def _module_call(self, node: cst.Call) -> None:
        self._handled.add(node.func)
        arguments = _arguments(node, _MODULE_ARGUMENTS)
        tags = arguments.get("tags")
        args = [cst.Arg(arguments["spec"])] if "spec" in arguments else []
        notes = []
        if tags is not None and not _is_train(tags) and not _is_nothing(tags):
            keyword = cst.Name("tags")
            equal = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
            args.append(cst.Arg(tags, keyword=keyword, equal=equal))
        if _is_train(tags):
            notes.append("Its calls take training=True.")
        trainable = arguments.get("trainable")
        if trainable is not None and _code(trainable) != "False":
            notes.append("Train trainable_variables, or use hub.KerasLayer(..., trainable=True).")
        new = _call(node, "load", args)
        status = CHANGE if self.imported(node.func) != f"{PACKAGE}.Module" else UNCHANGED
        code = _code(node.with_changes(func=_renamed(node.func, "Module")))
        self._add(node, status, code if status == CHANGE else None, _code(new), " ".join(notes))

    def _application(self, node: cst.Call, made: Sequence[cst.Call]) -> None:
        """A call of a `hub.Module`, or of one of several under one name."""
        for_training = {_is_train(_arguments(m, _MODULE_ARGUMENTS).get("tags")) for m in made}
        if for_training == {True}:
            training = "training=True"
            args = [_code(arg.with_changes(comma=cst.MaybeSentinel.DEFAULT)) for arg in node.args]
            tf2 = f"{_code(node.func)}({', '.join([*args, training])})"
            if node.func in made:
                tf2 = f"hub.load(...)({', '.join([*args, training])})"
            self._add(node, UNCHANGED, tf2=tf2)
        elif for_training == {True, False}:
            note = (
                "The same in TF2, with training=True where the module of this name was made with "
                'tags={"train"}.'
            )
            self._add(node, UNCHANGED, note=note)
        elif node.func not in made:
            self._add(node, UNCHANGED, note="The same in TF2.")

    def _method(self, node: cst.Call) -> None:
        """A call of a variable that holds a `hub.Module`, or of one of its methods."""
        made = self._followed(node.func)
        if made:
            self._handled.add(node.func)
            self._application(node, made)
            return
        if not isinstance(node.func, cst.Attribute) or not self._followed(node.func.value):
            return
        self._handled.add(node.func)
        if node.func.attr.value == "export":
            path = _arguments(node, ("path", "session")).get("path")
            if path is not None:
                tf2 = f"{_code(node.func)}({_code(path)})"
                self._add(node, UNCHANGED, tf2=tf2, note="The values of now are written.")
                return
        self._add(node, UNCHANGED, note="The same in TF2.")

    def _hub_call(self, node: cst.Call, path: str) -> None:
        self._handled.add(node.func)
        status, public, note = classify(path)
        new = tf2 = None
        if public is not None and status == CHANGE:
            new = _code(node.with_changes(func=_renamed(node.func, public)))
        if public == "eval_function_for_module":
            spec = _arguments(node, ("spec", "tags")).get("spec")
            tf2 = _code(_call(node, "load", [] if spec is None else [cst.Arg(spec)]))
            note = "What it returns is called in the same way, and gives tensors."
        elif public == "text_embedding_column":
            wanted = ("key", "module_spec", "trainable")
            given = _arguments(node, wanted)
            parts = [_code(given[name]) for name in wanted[:2] if name in given]
            parts += [f"trainable={_code(given['trainable'])}"] if "trainable" in given else []
            tf2 = f"{_code(_renamed(node.func, 'text_embedding_column_v2'))}({', '.join(parts)})"
            note = "It takes the path, not a ModuleSpec."
        elif public in name_table.OF_TF1:
            note = name_table.OF_TF1[public]
        self._add(node, status, new, tf2, note)

    def _hub_name(self, node: cst.CSTNode, path: str) -> None:
        status, public, note = classify(path)
        new = None
        if status == CHANGE and public is not None:
            new = _code(_renamed(node, public))
        if public == "Module":
            note = "What it is used for cannot be told from here; hub.load is its like in TF2."
        self._add(node, status, new, note=name_table.OF_TF1.get(public or "", note))

    def _tensorflow_name(self, node: cst.CSTNode, name: str, call: cst.Call | None) -> None:
        prefix = next(p for p in _V1 if name.startswith(p))
        tail = name.removeprefix(prefix)
        if self._program.is_tf1 or prefix == _V1[0]:
            self._look_up(node if call is None else call.func, path_of(name) or tail)
        if call is None:
            return
        found = name_table.BESIDE_MODULES.get(tail)
        if tail == "get_collection" and call.args:
            key = _code(call.args[0].value).rpartition(".")[2].strip("\"'").upper()
            found = name_table.COLLECTIONS.get(key)
        if found is not None:
            tf2, note = found
            self._beside.append(
                self._use(node, UNCHANGED, None, tf2.format(m=self._name_of_module(node)), note)
            )

    def _look_up(self, node: cst.CSTNode, path: str) -> None:
        """Reports a name that is not where it was."""
        found = look_up(path)
        code = _code(node)
        # Where TensorFlow 2 is imported, it stays.
        beside = not self._program.is_tf1 and code.endswith(f"compat.v1.{path}")
        if found.is_there and beside and not look_up_in_tensorflow2(f"compat.v1.{path}"):
            note = "With `from compat_hub import tf1`."
            self._add(node, CHANGE, f"tf1.{found.moved_to or path}", note=note)
        elif not found.is_there:
            self._add(node, UNAVAILABLE, None, note=found.note)
        elif found.moved_to is not None:
            new = f"{code.removesuffix(path)}{found.moved_to}" if code.endswith(path) else None
            self._add(node, CHANGE, new or f"tf.{found.moved_to}")
        elif found.note:
            self._add(node, CHANGE, None, note=found.note)

    def _name_of_module(self, node: cst.CSTNode) -> str:
        """What the one module in reach is called, `module` where there are several."""
        scopes, scope = [None], self.scope(node)
        while scope is not None:
            scopes.append(scope)
            scope = scope.parent if scope.parent is not scope else None
        known = [n for (s, n), made in self.followed.items() if made and s in scopes]
        return known[0] if len(known) == 1 else "module"

    def _followed(self, node: cst.CSTNode) -> Sequence[cst.Call]:
        """The calls of `hub.Module` of which a name stands for a result; none where it may not."""
        name = _dotted(node)
        if name is None:
            return ()
        if "." in name:
            return self.followed.get((None, name), ())
        scope = self.scope(node)
        while scope is not None:
            if (scope, name) in self.followed:
                return self.followed[scope, name]
            if name in scope and any(a.scope is scope for a in scope[name]):
                return ()  # a parameter, a loop's variable
            scope = scope.parent if scope.parent is not scope else None
        return ()

    def _add(
        self,
        node: cst.CSTNode,
        status: str,
        new: str | None = None,
        tf2: str | None = None,
        note: str = "",
        old: str | None = None,
    ) -> None:
        self._uses.append(self._use(node, status, new, tf2, note, old))

    def _use(
        self,
        node: cst.CSTNode,
        status: str,
        new: str | None = None,
        tf2: str | None = None,
        note: str = "",
        old: str | None = None,
    ) -> Use:
        place: Any = self.get_metadata(metadata.PositionProvider, node)
        code = _code(node) if old is None else old
        new = code if status == UNCHANGED else new
        return Use(place.start.line, place.start.column + 1, code, status, new, tf2, note)


def _arguments(node: cst.Call, order: tuple[str, ...]) -> dict[str, cst.BaseExpression]:
    """Arguments by name, up to the first `*args`; none where there are `**kwargs`."""
    found: dict[str, cst.BaseExpression] = {}
    for k, arg in enumerate(node.args):
        if arg.keyword is not None:
            found[arg.keyword.value] = arg.value
        elif arg.star or k >= len(order):
            break
        else:
            found[order[k]] = arg.value
    return found


def _renamed(func: cst.CSTNode, name: str) -> cst.BaseExpression:
    """`hub.Module` as `hub.name`, and a name that was imported alone as `compat_hub.name`."""
    inner = func
    while isinstance(inner, cst.Attribute) and isinstance(inner.value, cst.Attribute):
        inner = inner.value
    if isinstance(inner, cst.Attribute):
        return cst.Attribute(inner.value, cst.Name(name))
    return cst.Attribute(cst.Name("compat_hub"), cst.Name(name))


def _call(node: cst.Call, name: str, args: list[cst.Arg]) -> cst.Call:
    """A call of the same with another name, and other arguments."""
    comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
    separated = [arg.with_changes(comma=comma) for arg in args[:-1]] + args[-1:]
    return cst.Call(_renamed(node.func, name), separated)


def _is_train(tags: cst.BaseExpression | None) -> bool:
    elements = getattr(tags, "elements", ())
    return len(elements) == 1 and _code(elements[0].value).strip("\"'") == "train"


def _is_nothing(tags: cst.BaseExpression) -> bool:
    return _code(tags) in {"None", "set()", "[]", "()"}
