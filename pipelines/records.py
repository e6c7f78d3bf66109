"""Frozen dataclasses as plain data: what recipes say and what stages leave, written to JSON and read back strictly.

Nothing unknown or mistyped gets through, and every complaint names the key's place and the way to mend it.
"""

import dataclasses
import difflib
import json
import math
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self, Union, get_args, get_origin, get_type_hints

from pipelines.errors import RecordError


class Record:
    """The base of frozen dataclasses that are kept as JSON.

    Examples:
        >>> @dataclasses.dataclass(frozen=True)
        ... class Reached(Record):
        ...     accuracy: dict[str, float]
        >>> Reached({"w100": 0.9}).to_json()
        {'accuracy': {'w100': 0.9}}
        >>> Reached.from_json({"accuracy": {"w100": 1}})
        Reached(accuracy={'w100': 1.0})
    """

    def to_json(self) -> dict[str, Any]:
        """Return the record as plain dicts, lists and scalars."""
        fields = dataclasses.fields(self)  # type: ignore[arg-type]
        return {field.name: plain(getattr(self, field.name)) for field in fields}

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """Read what `to_json` wrote.

        Raises:
            RecordError: A key is unknown or missing, or a value is of the wrong type or range.
        """
        record: Self = read(cls, data)
        return record


def plain(value: Any) -> Any:
    """Return a value as plain dicts, lists and scalars."""
    if hasattr(value, "to_json"):
        return value.to_json()
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value


def require(ok: bool, key: str, expected: str, received: object) -> None:
    """Raise a RecordError that names a key unless `ok`."""
    if not ok:
        raise RecordError(f"{key}: expected {expected}, received {received!r}")


def require_whole(key: str, value: int | None, *, least: int = 1, most: int = 2**31 - 1) -> None:
    """Raise a RecordError that names a key unless a number, if there is one, lies between `least` and `most`.

    Without a bound above, 10^20 epochs or pixels fail far from here, after hours and in words of another library.
    """
    if value is not None:
        bounds = f"at least {least}" if value < least else f"at most {most:,}"
        require(least <= value <= most, key, bounds, value)


def read_json(path: Path, what: str = "") -> Any:
    """Return what a JSON file holds, as plain data; a complaint names `what` it is.

    Raises:
        RecordError: It cannot be read, or is not JSON; the text names the file.
    """
    named = f"{what} {path}".lstrip()
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecordError(f"cannot read {named}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{named} is not valid JSON: {error}") from None


def hint(word: str, known: Sequence[str]) -> str:
    """Return a remark on the known word nearest to `word`, if one is near."""
    close = difflib.get_close_matches(word, known, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def read(kind: type, data: Any, place: str = "") -> Any:
    """Build the dataclass `kind` from a mapping found at `place`."""
    where = place or "the top level"
    if not isinstance(data, Mapping):
        raise RecordError(f"{where}: expected keys and values, received {data!r:.120}")
    types_of = get_type_hints(kind)
    for key in data:
        if key not in types_of:
            raise RecordError(
                f"unknown key {key!r} at {where}{hint(str(key), tuple(types_of))}; "
                f"rename or remove it. Known there: {', '.join(types_of)}"
            )
    prefix = f"{place}." if place else ""
    values = {key: _read(types_of[key], value, f"{prefix}{key}") for key, value in data.items()}
    fields = dataclasses.fields(kind)
    missing = [f.name for f in fields if f.name not in values and _has_no_default(f)]
    if missing:
        raise RecordError(f"missing key {', '.join(missing)} at {where}; add it")
    try:
        return kind(**values)
    except RecordError as error:
        raise RecordError(f"{prefix}{error}") from None


def _has_no_default(item: dataclasses.Field[Any]) -> bool:
    return item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING


def _read(kind: Any, value: Any, place: str) -> Any:
    """Return `value` as the type `kind`, or say what was expected at `place`."""
    for option in _options(kind):
        if option is Any:
            return value
        if isinstance(value, Mapping) and isinstance(option, type):
            if issubclass(option, Record):
                return read(option, value, place)
            if hasattr(option, "from_json"):
                return option.from_json(value)
        if get_origin(option) is tuple and isinstance(value, list | tuple):
            item = get_args(option)[0]
            return tuple(
                _read(item, entry, f"{place}[{index}]") for index, entry in enumerate(value)
            )
        if get_origin(option) is Literal and value in get_args(option):
            return value
        if option is float and _is_number(value):
            return float(value)
        if get_origin(option) is dict and isinstance(value, Mapping):
            item = get_args(option)[1]
            return {key: _read(item, entry, f"{place}.{key}") for key, entry in value.items()}
        if option in (int, str, bool, types.NoneType) and type(value) is option:
            return value
    expected = " or ".join(_in_words(option) for option in _options(kind))
    raise RecordError(f"{place}: expected {expected}, received {value!r:.120}")


def _is_number(value: Any) -> bool:
    # No float holds an integer of 400 digits, and `isfinite` fails at it.
    whole = type(value) is int and abs(value) < 2**63
    return whole or (type(value) is float and math.isfinite(value))


def _options(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)


def _in_words(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " or ".join(repr(choice) for choice in get_args(kind))
    if get_origin(kind) is tuple:
        return "a list of numbers" if get_args(kind)[0] in (int, float) else "a list"
    if get_origin(kind) is dict or dataclasses.is_dataclass(kind):
        return "keys and values"
    words = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
    return words.get(kind, "null")
