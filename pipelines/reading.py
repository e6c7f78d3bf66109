"""Strict YAML: mappings become frozen dataclasses, and nothing unknown, repeated or mistyped gets through.

Every complaint names the key's place and the way to mend it.
"""

import dataclasses
import difflib
import math
import re
import types
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import yaml


class PipelineError(Exception):
    """The base of every error that the application raises on purpose."""


class RecipeError(PipelineError, ValueError):
    """A recipe cannot be found, read or understood."""


def require(ok: bool, key: str, expected: str, received: object) -> None:
    """Raise a RecipeError that names a key unless `ok`."""
    if not ok:
        raise RecipeError(f"{key}: expected {expected}, received {received!r}")


class _Loader(yaml.SafeLoader):
    """YAML without its two traps: a repeated key is an error, and 1e-3 is a number."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                line = key_node.start_mark.line + 1
                raise RecipeError(
                    f"line {line}: the key {key!r} stands there twice; remove one of the two"
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?[0-9][0-9_]*(\.[0-9]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def parse(text: str, what: str) -> Any:
    """Read YAML; a complaint about it names `what`."""
    try:
        return yaml.load(text, Loader=_Loader)
    except RecipeError as error:
        raise RecipeError(f"{what}: {error}") from None
    except yaml.YAMLError as error:
        raise RecipeError(f"{what} is not valid YAML: {error}") from None


def lay_over(tree: dict[str, Any], override: str) -> None:
    """Lay one `a.b=value` over the tree; the strict reading then says whether the key exists."""
    place, equals, text = override.partition("=")
    keys = place.split(".")
    if not equals or not all(keys):
        raise RecipeError(f"--set {override}: expected key=value, such as baseline.epochs=3")
    for depth, key in enumerate(keys[:-1]):
        tree = tree.setdefault(key, {})
        if not isinstance(tree, dict):
            raise RecipeError(
                f"--set {override}: {'.'.join(keys[: depth + 1])} holds a value, not keys"
            )
    tree[keys[-1]] = parse(text, f"--set {override}")


def merged(tree: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tree with the values of `changes` in place of its own, however deep they lie."""
    result = dict(tree)
    for key, value in changes.items():
        below = result.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            value = merged(below, value)
        result[key] = value
    return result


def hint(word: str, known: Sequence[str]) -> str:
    """Return a remark on the known word nearest to `word`, if one is near."""
    close = difflib.get_close_matches(word, known, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def read_section(kind: type, data: Any, place: str) -> Any:
    """Build the dataclass `kind` from a mapping found at `place`."""
    where = place or "the top level"
    if not isinstance(data, Mapping):
        raise RecipeError(f"{where}: expected keys and values, received {data!r}")
    hints = get_type_hints(kind)
    for key in data:
        if key not in hints:
            raise RecipeError(
                f"unknown key {key!r} at {where}{hint(str(key), tuple(hints))}; "
                f"rename or remove it. Known there: {', '.join(hints)}"
            )
    prefix = f"{place}." if place else ""
    values = {key: _read(hints[key], value, f"{prefix}{key}") for key, value in data.items()}
    try:
        return kind(**values)
    except RecipeError as error:
        raise RecipeError(f"{prefix}{error}") from None
    except TypeError:
        fields = dataclasses.fields(kind)
        missing = [f.name for f in fields if f.name not in values and _has_no_default(f)]
        raise RecipeError(f"missing key {', '.join(missing)} at {where}; add it") from None


def _has_no_default(item: dataclasses.Field[Any]) -> bool:
    return item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING


def _read(kind: Any, value: Any, place: str) -> Any:
    """Return `value` as the type `kind`, or say what was expected at `place`."""
    for option in _options(kind):
        if dataclasses.is_dataclass(option) and isinstance(value, Mapping):
            return read_section(option, value, place)  # type: ignore[arg-type]
        if get_origin(option) is tuple and isinstance(value, list | tuple):
            item = get_args(option)[0]
            return tuple(
                _read(item, entry, f"{place}[{index}]") for index, entry in enumerate(value)
            )
        if get_origin(option) is Literal and value in get_args(option):
            return value
        if option is float and type(value) in (int, float) and math.isfinite(value):
            return float(value)
        if get_origin(option) is dict and isinstance(value, dict):
            return value
        if option in (int, str, bool, types.NoneType) and type(value) is option:
            return value
    expected = " or ".join(_in_words(option) for option in _options(kind))
    raise RecipeError(f"{place}: expected {expected}, received {value!r}")


def _options(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)


def _in_words(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " or ".join(repr(choice) for choice in get_args(kind))
    if get_origin(kind) is tuple:
        return "a list of numbers"
    if get_origin(kind) is dict or dataclasses.is_dataclass(kind):
        return "keys and values"
    words = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
    return words.get(kind, "null")
