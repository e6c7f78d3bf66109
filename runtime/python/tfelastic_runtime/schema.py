"""Reading JSON data strictly: every value of its type and in its range.

A manifest comes from a file that anyone may have written, so nothing in it is trusted before it
passed here.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from tfelastic_runtime.limits import DEPTH_MAX, KEYS_MAX

COUNT_MAX = (1 << 53) - 1
"""The largest integer that every JSON reader keeps exactly."""
_DIGITS_MAX = 20
"""Integers of more digits are beyond `COUNT_MAX`: as float they cost no memory, and no digit limit."""
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
"""Characters that a terminal obeys instead of showing them."""


class Schema:
    """Checks that return the checked value, or raise `error` with a message that names the place.

    Args:
        error: The error class to raise.
    """

    def __init__(self, error: type[ValueError]) -> None:
        self._error = error

    def parse(self, data: bytes, where: str) -> Any:
        """Parse UTF-8 JSON within the limits of depth and keys.

        A key that occurs twice, NaN, infinities and half characters are refused.
        """

        def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
            found = dict(items)
            if len(found) != len(items):
                raise ValueError("a key occurs twice in one object")
            return found

        def constant(name: str) -> None:
            raise ValueError(f"{name} is not a JSON number")

        try:
            found = json.loads(
                data.decode("utf-8"),
                object_pairs_hook=pairs,
                parse_constant=constant,
                parse_int=lambda text: (int if len(text) <= _DIGITS_MAX else float)(text),
            )
            # Half of a surrogate pair, which only an escape can bring in, is no character.
            if _SURROGATE.search(data):
                json.dumps(found, ensure_ascii=False).encode("utf-8")
        except (ValueError, RecursionError) as cause:
            raise self._error(f"{where} is not UTF-8 JSON: {cause}") from cause
        self._check_limits(found, where)
        return found

    def _check_limits(self, data: object, where: str, *, depth: int = 0, keys: int = 0) -> None:
        """Check how deep objects and arrays lie, and how many keys stand around each key."""
        if not isinstance(data, dict | list):
            return
        if depth == DEPTH_MAX:
            raise self._error(f"{where} has more than {DEPTH_MAX} objects and arrays in each other")
        if isinstance(data, list):
            for value in data:
                self._check_limits(value, where, depth=depth + 1, keys=keys)
            return
        for count, value in enumerate(data.values(), start=keys + 1):
            if count > KEYS_MAX:
                raise self._error(
                    f"{where} has more than {KEYS_MAX} keys in an object and those around it"
                )
            self._check_limits(value, where, depth=depth + 1, keys=count)

    def fields(self, data: object, names: tuple[str, ...], where: str) -> Mapping[str, Any]:
        """Return an object that has all the keys `names`."""
        if not isinstance(data, Mapping):
            raise self._error(f"{where}: expected an object, received {_shown(data)}")
        if missing := [name for name in names if name not in data]:
            raise self._error(f"{where}: {', '.join(map(repr, missing))} missing")
        return data

    def exactly(self, data: object, names: tuple[str, ...], where: str) -> Mapping[str, Any]:
        """Return an object that has all the keys `names` and no other."""
        found = self.fields(data, names, where)
        if unknown := sorted(str(key) for key in set(found) - set(names)):
            known = ", ".join(names)
            raise self._error(
                f"{where}: unknown {', '.join(map(repr, unknown))}; known are {known}"
            )
        return found

    def constants(self, data: object, expected: Mapping[str, object], where: str) -> None:
        """Check that an object holds the one value that this format version knows for each key."""
        found = self.fields(data, tuple(expected), where)
        for key, value in expected.items():
            # As JSON, since to Python 0.0 and false equal 0.
            if json.dumps(found[key]) != json.dumps(value):
                raise self._error(
                    f"{where}.{key}: expected {value!r}, received {_shown(found[key])}"
                )

    def array(self, data: object, where: str) -> tuple[Any, ...]:
        """Return an array as a tuple."""
        if not isinstance(data, list | tuple):
            raise self._error(f"{where}: expected an array, received {_shown(data)}")
        return tuple(data)

    def integer(self, data: object, where: str, *, low: int = 0, high: int = COUNT_MAX) -> int:
        """Return an integer in `low .. high`; booleans and fractions are none."""
        if isinstance(data, bool) or not isinstance(data, int) or not low <= data <= high:
            raise self._error(
                f"{where}: expected an integer in {low} .. {high}, received {_shown(data)}"
            )
        return data

    def number(self, data: object, where: str, *, low: float, high: float) -> float:
        """Return a number in `low .. high` as a float: the nearest one, as every language reads it."""
        value = _as_float(data)
        if not low <= value <= high:
            raise self._error(
                f"{where}: expected a number in {low:g} .. {high:g}, received {_shown(data)}"
            )
        # A zero has no sign: an integer could not have one.
        return value + 0.0

    def text(self, data: object, where: str, *, longest: int = 200) -> str:
        """Return a string of 1 to `longest` characters, none of them a control character."""
        if not isinstance(data, str) or not 1 <= len(data) <= longest or _CONTROL.search(data):
            raise self._error(
                f"{where}: expected a text of 1 to {longest} characters without control "
                f"characters, received {_shown(data)}"
            )
        return data


def _as_float(data: object) -> float:
    """Return the nearest float; NaN for what is no number."""
    if isinstance(data, bool) or not isinstance(data, int | float):
        return math.nan
    try:
        return float(data)
    except OverflowError:
        return math.copysign(math.inf, data)


def _shown(data: object) -> str:
    shown = repr(data)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."
