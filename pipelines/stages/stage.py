"""What a stage is: what it does, what it reads, and what it leaves."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from pipelines.recipe import Recipe
from pipelines.records import Record, plain
from pipelines.workspace import digest_of_path

if TYPE_CHECKING:
    from pipelines.stages.run import Run

Result = TypeVar("Result", bound=Record)


@dataclass(frozen=True)
class Nothing(Record):
    """The result of a stage that leaves files alone."""


@dataclass(frozen=True)
class Outcome(Generic[Result]):
    """What a stage leaves.

    Attributes:
        summary: One line for people.
        result: What it found; later stages and the metrics take it from the workspace's record.
        files: The artefacts, relative to the workspace; without them the stage counts as not run.
        earlier_seconds: How long interrupted tries had worked on what this one went on from.
    """

    summary: str
    result: Result
    files: tuple[str, ...] = ()
    earlier_seconds: float = 0.0


def no_files(recipe: Recipe) -> Mapping[str, Path]:
    """Return no files: what a stage reads outside of the workspace where it reads nothing."""
    return {}


@dataclass(frozen=True)
class Stage(Generic[Result]):
    """One step of a run.

    A stage sees only what it declares to read (`Run`), so its identity follows from that: it is run again when one
    of these has changed, and only then.

    Attributes:
        name: Its name.
        run: What it does.
        result: The type of what it finds.
        keys: The recipe's keys that it reads, such as `seed`, `baseline` or `export.scheme`.
        stages: The earlier stages whose results or files it reads.
        files: Gives the files and folders outside of the workspace that it reads, by what they are.
        packages: The packages that it imports beyond the base install.
        trains: Whether it trains nets, each of which may have a process of its own.
    """

    name: str
    run: Callable[["Run[Any]"], Outcome[Result]]
    result: type[Result]
    keys: tuple[str, ...] = ()
    stages: "tuple[Stage[Any], ...]" = ()
    files: Callable[[Any], Mapping[str, Path]] = no_files
    packages: tuple[str, ...] = ()
    trains: bool = False

    def own_inputs(self, recipe: Recipe) -> dict[str, Any]:
        """Return the values of its recipe keys and the digests of its files; earlier stages are left out."""
        found = {leaf.key: leaf.value for leaf in self._leaves(recipe)}
        for label, path in self.files(recipe).items():
            found[f"file {label}"] = digest_of_path(path) if path.exists() else None
        return found

    def defaults(self, recipe: Recipe) -> dict[str, Any]:
        """Return the default of each of its recipe keys that has one."""
        return {leaf.key: leaf.default for leaf in self._leaves(recipe) if leaf.has_default}

    def _leaves(self, recipe: Recipe) -> "Iterator[_Leaf]":
        for key in self.keys:
            value, default = recipe, _NO_DEFAULT
            for name in key.split("."):
                value, default = getattr(value, name), _default(value, name)
            yield from _leaves(key, value, default)


_NO_DEFAULT: Any = object()


class _Leaf(NamedTuple):
    """One value of a recipe, by its full key, and what it is where a recipe does not give it."""

    key: str
    value: Any
    default: Any

    @property
    def has_default(self) -> bool:
        return self.default is not _NO_DEFAULT


def _leaves(key: str, value: Any, default: Any) -> Iterator[_Leaf]:
    """Yield `a.b` and what it holds for the key `a` and a value that holds `b`."""
    if isinstance(value, Record):
        for name, below in vars(value).items():
            yield from _leaves(f"{key}.{name}", below, _default(value, name))
    elif isinstance(value, Mapping):
        for name, below in value.items():
            yield from _leaves(f"{key}.{name}", below, _NO_DEFAULT)
    else:
        yield _Leaf(key, plain(value), plain(default))


def _default(record: Any, name: str) -> Any:
    """Return the default of a record's field; of a recipe's property, what it is in a recipe that gives nothing."""
    if isinstance(getattr(type(record), name, None), property):
        return getattr(Recipe(name="defaults"), name)
    for field in dataclasses.fields(record):
        if field.name == name and field.default is not dataclasses.MISSING:
            return field.default
    return _NO_DEFAULT
