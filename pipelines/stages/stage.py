"""What a stage is: what it does, what it reads, and what it leaves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

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
        found: dict[str, Any] = {}
        for key in self.keys:
            value: Any = recipe
            for name in key.split("."):
                value = getattr(value, name)
            found |= _flat(key, plain(value))
        for label, path in self.files(recipe).items():
            found[f"file {label}"] = digest_of_path(path) if path.exists() else None
        return found


def _flat(key: str, value: Any) -> dict[str, Any]:
    """Return `{"a.b": 1}` for the key `a` and the value `{"b": 1}`."""
    if not isinstance(value, Mapping):
        return {key: value}
    flat: dict[str, Any] = {}
    for name, below in value.items():
        flat |= _flat(f"{key}.{name}", below)
    return flat
