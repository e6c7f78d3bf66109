"""Named things that a user may pick by a string and extend: criteria, strategies, zoo models."""

import difflib
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from tfelastic.errors import TfelasticError

T = TypeVar("T")


class Registry(Generic[T]):
    """Maps names to things of one kind, with an error for an unknown name that lists the known ones.

    Args:
        kind: What the things are, in the singular, as error texts should say it.
        error: The error to raise for an unknown or repeated name.

    Examples:
        >>> colours = Registry("colour", TfelasticError)
        >>> colours.register("red")(0xFF0000)
        16711680
        >>> colours.get("red")
        16711680
    """

    def __init__(self, kind: str, error: type[TfelasticError]) -> None:
        self._kind = kind
        self._error = error
        self._entries: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that files what it decorates under `name`."""

        def file(entry: T) -> T:
            if name in self._entries:
                raise self._error(
                    f"the {self._kind} {name!r} is registered already; choose another name"
                )
            self._entries[name] = entry
            return entry

        return file

    def get(self, name: str) -> T:
        """Return the thing filed under `name`, or raise the registry's error with the known names."""
        if name in self._entries:
            return self._entries[name]
        close = difflib.get_close_matches(name, self._entries, n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise self._error(f"unknown {self._kind} {name!r}{hint}; known: {', '.join(self.names())}")

    def names(self) -> tuple[str, ...]:
        """Return the registered names in alphabetical order."""
        return tuple(sorted(self._entries))

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())
