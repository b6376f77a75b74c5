"""Arguments like `name=FILE:COLUMNS`, and the sources that they stand for."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence

from compat_hub.errors import InputTypeError, ResolveError
from compat_hub.format.tensor_info import TensorInfo
from compat_hub.tools.batch.inputs.at_hand import (
    Rows,
    load_array,
    of_array_file,
    read_inline,
)
from compat_hub.tools.batch.inputs.columns import choose_columns, hint_of_columns
from compat_hub.tools.batch.inputs.images import find_images, read_image
from compat_hub.tools.batch.inputs.row_files import (
    FORMATS,
    PACKED_SUFFIXES,
    STDIN,
    Reading,
    RowFile,
    format_of,
)
from compat_hub.tools.batch.inputs.sources import Source
from compat_hub.tools.batch.inputs.tables import Table

_PACKED = "|".join(map(re.escape, PACKED_SUFFIXES))
# Where the name of a file may end.
_ENDS = re.compile(
    rf"(?:\.(?:{'|'.join(FORMATS)})(?:{_PACKED})?|\.npy|\.npz|\.json)(?=:|$)", re.IGNORECASE
)


def parse_inputs(
    arguments: Sequence[str],
    infos: Mapping[str, TensorInfo],
    image_size: Callable[[str], Sequence[int]],
    reading: Reading = Reading(),  # noqa: B008 it is frozen
    keep: Sequence[str] = (),
    optional: Collection[str] = (),
) -> list[Source]:
    """Reads arguments that say where values come from.

    Args:
        arguments: `name=FILE`, `name=FILE:COLUMNS`, `name=JSON`, or a file that has several inputs
            by name; the name may be left out where there is one input. One name may be given
            several image files, one in each argument.
        infos: The inputs.
        image_size: `[height, width]` of the images for an input, asked when one is read.
        reading: How row files are read.
        keep: Columns to keep, each a name, a range or a pattern.
        optional: Inputs that may be left out.

    Returns:
        The sources. Headers have been read, and columns found.

    Raises:
        ResolveError: A file cannot be read.
        InputTypeError: An argument is not as it should be.
    """
    required = [name for name in infos if name not in optional]
    only = (
        required[0] if len(required) == 1 else next(iter(infos), None) if len(infos) == 1 else None
    )
    files = _Files(infos, reading)
    named, tables = _named(arguments, infos, only, files)
    sources: list[Source] = []
    for name, places in named.items():
        source = read_inline(name, infos[name], places[0]) if len(places) == 1 else None
        source = source or _of_images(name, infos[name], places, image_size)
        if source is None and len(places) > 1:
            raise InputTypeError(f"Input {name!r} is given {len(places)} times.")
        if source is None:
            source = files.take(name, *files.split(places[0]))
        if source is not None:
            sources.append(source)
    taken = set(named)
    for path in tables:
        for name, column in files.inputs_in(path, taken, only).items():
            taken.add(name)
            source = files.take(name, path, column)
            if source is not None:
                sources.append(source)
    sources += files.sources()
    for text in keep:
        _keep(text, sources)
    return sources


def _keep(text: str, sources: Sequence[Source]) -> None:
    """Marks the columns that a text stands for."""
    there = [column for source in sources for column in source.columns]
    found = False
    for source in sources:
        if text == "*":
            chosen = source.columns
        else:
            try:
                chosen = choose_columns(text, source.columns, source.label)
            except InputTypeError:
                continue
        before = {column for other in sources for column in other.kept}
        source.kept += [column for column in chosen if column not in before]
        found = True
        if text != "*":
            return
    if not found or not there:
        raise InputTypeError(
            f"There is no column {text!r} to keep.{hint_of_columns(text, there) if there else ''}"
        )


class _Files:
    """The files that arguments name, each opened once."""

    def __init__(self, infos: Mapping[str, TensorInfo], reading: Reading) -> None:
        self._infos = infos
        self._reading = reading
        self._files: dict[str, RowFile] = {}
        self._choices: dict[str, dict[str, list[str] | None]] = {}  # by file and input

    def split(self, place: str) -> tuple[str, str | None]:
        """`FILE:COLUMNS` as its parts."""
        if _is_stdin(place):
            return STDIN, place[2:] or None
        if os.path.isfile(place):
            return place, None
        ends = {match.end() for match in _ENDS.finditer(place)}
        if self._reading.format is not None:
            ends |= {match.start() for match in re.finditer(":", place)}
        for end in sorted(ends, reverse=True):
            if os.path.isfile(place[:end]):
                return place[:end], place[end + 1 :] or None
        if not ends:
            raise InputTypeError(
                f"{place!r} is neither JSON nor a file that can be read here: one of images, .npy, "
                f".npz, .json, {', '.join(f'.{name}' for name in FORMATS)}. Texts are JSON in "
                "quotes: '[\"a text\"]'."
            )
        raise ResolveError(f"There is no file {place[: min(ends)]!r}. Check the path.")

    def is_table(self, place: str) -> bool:
        """Whether a place names a file that may have several inputs by name."""
        if place == STDIN or place.lower().endswith(".npz"):
            return True
        return format_of(place, self._reading if os.path.isfile(place) else Reading()) is not None

    def inputs_in(
        self, path: str, taken: Collection[str], only: str | None
    ) -> dict[str, str | None]:
        """The inputs that a file has by name, each with its column; or the only input."""
        path, _ = self.split(path)
        quoted, hint = _quoted, ""
        if path.lower().endswith(".npz"):
            quoted = str
            with load_array(path) as arrays:
                found = list(arrays.keys())
        else:
            file = self._opened(path)
            if file.columns is None and only is not None and only not in taken:
                return {only: None}
            found, hint = _names_in(file), file.delimiter_hint()
        names = [name for name in self._infos if name in found and name not in taken]
        is_left = only is not None and only not in taken
        if not names and only is not None and is_left and len(found) == 1 and not hint:
            return {only: quoted(found[0])}
        if not names:
            left = ", ".join(repr(name) for name in self._infos if name not in taken)
            raise InputTypeError(
                f"{path!r} has none of the inputs {left}.{hint_of_columns('', found)}"
                f"{hint or (f' Pass {path}:COLUMN.' if is_left else ' Pass NAME=FILE:COLUMN.')}"
            )
        return {name: quoted(name) for name in names}

    def take(self, name: str, path: str, columns: str | None) -> Source | None:
        """The source of one file, or None where it is among `sources()`."""
        if path.lower().endswith((".npy", ".npz", ".json")):
            return of_array_file(name, self._infos[name], path, columns)
        choice = self._choose(name, self._opened(path), columns)
        self._choices.setdefault(path, {})[name] = choice
        return None

    def sources(self) -> list[Source]:
        """The sources of row files."""
        return [
            Table(self._files[path], choices, self._infos)
            for path, choices in self._choices.items()
        ]

    def _opened(self, path: str) -> RowFile:
        if path not in self._files:
            self._files[path] = RowFile(path, self._reading)
        return self._files[path]

    def _choose(self, name: str, file: RowFile, columns: str | None) -> list[str] | None:
        """The columns of an input, None for the whole line."""
        where = f"{file.label}, input {name!r}"
        if file.format == "txt":
            if columns is not None:
                raise InputTypeError(f"{file.label} has no columns: pass {name}={file.path}.")
            return None
        if columns is None:
            if file.format == "jsonl" and name not in (file.columns or ()):
                return None
            columns = _quoted(name)
        if file.columns is None:  # JSON lines that are no objects: reading them will say
            return [columns]
        try:
            return choose_columns(columns, file.columns, where)
        except InputTypeError as error:
            if file.format == "jsonl" and not re.search(r'[,:*?"]', columns):
                return [columns]  # a later line may have it
            hint = file.delimiter_hint()
            raise InputTypeError(f"{error}{hint or ' Pass NAME=FILE:COLUMN.'}") from error


def _is_stdin(place: str) -> bool:
    return place == STDIN or place.startswith(f"{STDIN}:")


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _names_in(file: RowFile) -> list[str]:
    if file.columns is not None:
        return file.columns
    if file.format == "jsonl":
        raise InputTypeError(
            f"{file.label}, line 1: expected an object with the inputs by name. Where each "
            "line is a value of one input, pass NAME=FILE."
        )
    raise InputTypeError(f"{file.label} does not name the inputs it is for: pass NAME=FILE.")


def _of_images(
    name: str, info: TensorInfo, places: Sequence[str], image_size: Callable[[str], Sequence[int]]
) -> Source | None:
    found = [
        None if _ENDS.search(place) or _is_stdin(place) else find_images(place) for place in places
    ]
    if any(paths is None for paths in found):
        return None
    paths = [path for part in found for path in part or ()]
    label = f"the {len(paths)} images of input {name!r}"

    @functools.cache
    def size() -> Sequence[int] | None:
        return None if info.dtype.name == "string" else image_size(name)

    return Rows(label, name, info, paths, lambda path: read_image(path, name, info, size()))


def _named(
    arguments: Sequence[str], infos: Mapping[str, TensorInfo], only: str | None, files: _Files
) -> tuple[dict[str, list[str]], list[str]]:
    """Arguments by input name, and those that are files with the inputs by name."""
    named: dict[str, list[str]] = {}
    tables = []
    for argument in arguments:
        name, sign, place = argument.partition("=")
        if sign and name in infos:
            named.setdefault(name, []).append(place)
        elif (not sign or os.path.exists(argument)) and files.is_table(argument):
            tables.append(argument)
        elif only is not None and not re.match(r"[\w.-]+=", argument):
            named.setdefault(only, []).append(argument)
        else:
            raise InputTypeError(
                f"{f'There is no input {name!r}' if sign else f'{argument!r} is not NAME=VALUE'}: "
                "the inputs are "
                f"{', '.join(f'{n!r}: {i}' for n, i in infos.items()) or 'none'}."
            )
    return named, tables
