"""`tf.contrib.training.HParams`: hyperparameters by name, which keep their types."""

from __future__ import annotations

import json
import numbers
import re
from collections.abc import Mapping
from typing import Any

# name=value or name[3]=value, a value being a list in brackets or free of commas.
_ASSIGNMENT = re.compile(
    r"\s*(?P<name>[a-zA-Z][\w.]*)(?:\[\s*(?P<index>\d+)\s*\])?\s*=\s*"
    r"(?:\[(?P<list>[^\]]*)\]|(?P<value>[^,\[]*))\s*(?:,|$)"
)
_TRUE = frozenset({"true", "True", "1"})
_FALSE = frozenset({"false", "False", "0"})


class HParams:
    """Hyperparameters, as attributes whose types are those of their first values.

    Examples:
        >>> from compat_hub import tf1
        >>> hparams = tf1.contrib.training.HParams(rate=0.1, units=[8, 4])
        >>> hparams.parse("rate=0.5,units[1]=3").values()
        {'rate': 0.5, 'units': [8, 3]}
    """

    def __init__(self, hparam_def: Any = None, model_structure: Any = None, **kwargs: Any) -> None:
        if hparam_def is not None:
            raise ValueError("There is no HParamDef any more: pass the values by keyword.")
        self._hparam_types: dict[str, tuple[type, bool]] = {}
        self._model_structure = model_structure
        for name, value in kwargs.items():
            self.add_hparam(name, value)

    def add_hparam(self, name: str, value: Any) -> None:
        """Adds one, whose type is that of this value."""
        if getattr(self, name, None) is not None:
            raise ValueError(f"Hyperparameter name is reserved: {name}")
        is_list = isinstance(value, list | tuple)
        if is_list and not value:
            raise ValueError(f"Multi-valued hyperparameters cannot be empty: {name}")
        self._hparam_types[name] = (type(value[0] if is_list else value), is_list)
        setattr(self, name, value)

    def set_hparam(self, name: str, value: Any) -> None:
        """Gives one another value of its type."""
        kind, is_list = self._hparam_types[name]
        if isinstance(value, list | tuple) != is_list:
            expected = "a list" if is_list else "one value"
            raise ValueError(f"The hyperparameter {name!r} takes {expected}, found {value!r}.")
        cast = [_cast(name, kind, v) for v in value] if is_list else _cast(name, kind, value)
        setattr(self, name, cast)

    def del_hparam(self, name: str) -> None:
        """Takes one out."""
        if hasattr(self, name):
            delattr(self, name)
            del self._hparam_types[name]

    def parse(self, values: str) -> HParams:
        """Gives values as a text says: `name=value,name[0]=value,name=[value,value]`."""
        found: dict[str, Any] = {}
        position = 0
        while position < len(values):
            match = _ASSIGNMENT.match(values, position)
            if match is None:
                raise ValueError(f"Malformed hyperparameter value: {values[position:]}")
            position = match.end()
            self._parse_one(match, found)
        return self.override_from_dict(found)

    def _parse_one(self, match: re.Match[str], found: dict[str, Any]) -> None:
        name, index = match["name"], match["index"]
        if name not in self._hparam_types:
            raise ValueError(f"Unknown hyperparameter type for {name}")
        kind, is_list = self._hparam_types[name]
        if index is not None:
            if match["list"] is not None or not is_list:
                raise ValueError(f"{name!r} has no single value at an index.")
            values = found.setdefault(name, list(getattr(self, name)))
            values[int(index)] = _parsed(name, kind, match["value"])
        elif name in found:
            raise ValueError(f"Multiple assignments to variable {name!r}")
        elif match["list"] is not None:
            if not is_list:
                raise ValueError(f"Must not pass a list for single-valued parameter: {name}")
            texts = [text.strip() for text in match["list"].split(",") if text.strip()]
            found[name] = [_parsed(name, kind, text) for text in texts]
        else:
            value = _parsed(name, kind, match["value"])
            found[name] = [value] if is_list else value

    def override_from_dict(self, values_dict: Mapping[str, Any]) -> HParams:
        """Gives values by name."""
        for name, value in values_dict.items():
            self.set_hparam(name, value)
        return self

    def parse_json(self, values_json: str) -> HParams:
        """Gives values as an object in JSON says."""
        return self.override_from_dict(json.loads(values_json))

    def to_json(self, indent: Any = None, separators: Any = None, sort_keys: bool = False) -> str:
        """The values in JSON; functions are left out."""
        values = {name: value for name, value in self.values().items() if not callable(value)}
        return json.dumps(values, indent=indent, separators=separators, sort_keys=sort_keys)

    def values(self) -> dict[str, Any]:
        """The values by name."""
        return {name: getattr(self, name) for name in self._hparam_types}

    def get(self, key: str, default: Any = None) -> Any:
        """The value of this name, `default` where there is none."""
        if key not in self._hparam_types:
            return default
        kind, is_list = self._hparam_types[key]
        if default is not None:
            if isinstance(default, list | tuple) != is_list:
                raise ValueError(f"The default of {key!r} has to be a list where its value is one.")
            for value in default if is_list else [default]:
                _cast(key, kind, value)
        return getattr(self, key)

    def set_model_structure(self, model_structure: Any) -> None:
        """Keeps a proto with the model's structure."""
        self._model_structure = model_structure

    def get_model_structure(self) -> Any:
        """The proto with the model's structure."""
        return self._model_structure

    def __contains__(self, key: str) -> bool:
        return key in self._hparam_types

    def __str__(self) -> str:
        return str(sorted(self.values().items()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self})"


def _cast(name: str, kind: Any, value: Any) -> Any:
    """A value of a type, where it says the same in it."""
    wrong = ValueError(
        f"Could not cast hyperparameter {name!r} of type {kind.__name__} from value {value!r}."
    )
    if kind is type(None) or type(value) is kind:
        return value
    if issubclass(kind, str | bytes) != isinstance(value, str | bytes):
        raise wrong
    if issubclass(kind, bool) != isinstance(value, bool):
        raise wrong
    if issubclass(kind, numbers.Integral) and not isinstance(value, numbers.Integral):
        raise wrong
    if issubclass(kind, numbers.Number) and not isinstance(value, numbers.Number):
        raise wrong
    make: Any = kind
    return make(value)


def _parsed(name: str, kind: Any, text: str) -> Any:
    """The value of a type that a text stands for."""
    wrong = ValueError(f"Could not parse hparam {name!r} of type {kind.__name__!r}: {text!r}.")
    if issubclass(kind, bool):
        if text not in _TRUE | _FALSE:
            raise wrong
        return text in _TRUE
    try:
        return kind(text)
    except (TypeError, ValueError) as error:
        raise wrong from error
