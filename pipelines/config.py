"""Recipes: what a run does, as frozen data read strictly from YAML.

A recipe is a tree of frozen dataclasses. A recipe's file may hold further schedules of the same run under
`schedules`, each a tree of the keys that it changes.
"""

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pipelines.reading import (
    PipelineError,
    RecipeError,
    hint,
    lay_over,
    merged,
    parse,
    read_section,
    require,
)

__all__ = ["PipelineError", "Recipe", "RecipeError", "built_in", "differences", "identity", "load"]


@dataclass(frozen=True)
class Data:
    """Which images to learn and to judge by.

    `source` is `digits`, a tfds name, a prepared tfds directory or an image folder; `data_dir` is
    where tfds keeps its data sets, and is no part of a run's identity.
    """

    source: str = "digits"
    data_dir: str | None = None
    image_size: int | None = None
    limit: int | None = None

    def __post_init__(self) -> None:
        require(bool(self.source), "source", "the name or path of a data set", self.source)
        for key in ("image_size", "limit"):
            value = getattr(self, key)
            require(value is None or value >= 1, key, "null or at least 1", value)


@dataclass(frozen=True)
class Model:
    """Which net of the zoo, its options, and the file of pretrained weights that it starts from.

    `weights` is a file that `tfelastic.zoo.load_resnet_cifar` reads; without one the net starts from random
    weights.
    """

    name: str = "resnet8"
    options: dict[str, Any] = field(default_factory=dict)
    weights: str | None = None


@dataclass(frozen=True)
class LadderSpec:
    """How narrow the rungs are and which channels they keep."""

    widths: tuple[float, ...] = (1.0, 0.75, 0.5, 0.25)
    criterion: str = "magnitude"
    round_to: int = 8

    def __post_init__(self) -> None:
        falling = all(a > b for a, b in zip(self.widths, self.widths[1:], strict=False))
        whole = bool(self.widths) and self.widths[0] == 1.0 and self.widths[-1] > 0
        require(
            falling and whole, "widths", "widths that fall from 1 and stay above 0", self.widths
        )
        require(self.round_to >= 1, "round_to", "at least 1", self.round_to)


@dataclass(frozen=True)
class Training:
    """One training.

    The learning rate rises linearly during the first `warmup` (a share of all steps), then falls
    along a cosine to 0.
    """

    epochs: int = 10
    batch_size: int = 128
    optimizer: Literal["sgd", "adamw"] = "sgd"
    learning_rate: float = 0.1
    warmup: float = 0.1
    weight_decay: float = 5e-4
    augment: Literal["shift", "shift-flip"] | None = "shift-flip"

    def __post_init__(self) -> None:
        require(self.epochs >= 1, "epochs", "at least 1", self.epochs)
        require(self.batch_size >= 1, "batch_size", "at least 1", self.batch_size)
        require(self.learning_rate > 0, "learning_rate", "more than 0", self.learning_rate)
        require(0 <= self.warmup < 1, "warmup", "a share from 0 to below 1", self.warmup)
        require(self.weight_decay >= 0, "weight_decay", "at least 0", self.weight_decay)


@dataclass(frozen=True)
class ElasticTraining(Training):
    """The training of all rungs together; `distillation` lets the widest teach the others."""

    distillation: bool = True


@dataclass(frozen=True)
class Published:
    """A paper's accuracies, in percent, of its original net and of the rungs by their names here."""

    source: str
    original: float
    rungs: dict[str, float]


@dataclass(frozen=True)
class Comparison:
    """What joint training is compared with: prune-and-grow, and each rung's net trained by itself.

    All start from the baseline, share its ladder, and train by the schedule of `elastic`, so for as many epochs.

    `distillation` lets the original teach the levels of prune-and-grow. `published` are figures to set beside ours.
    """

    distillation: bool = True
    published: Published | None = None


@dataclass(frozen=True)
class Export:
    """How rungs become .tflite files.

    `calibration` images set the quantization ranges. `tolerance` scales the scheme's bounds on how
    far a variant may stray from its Keras model; at 1, int8 may lose 1 point of accuracy.
    """

    scheme: str = "int8"
    calibration: int = 256
    tolerance: float = 1.0

    def __post_init__(self) -> None:
        require(self.calibration >= 1, "calibration", "at least 1 image", self.calibration)
        require(self.tolerance >= 0, "tolerance", "at least 0", self.tolerance)


@dataclass(frozen=True)
class ProfileSpec:
    """How the variants' latencies are measured."""

    runs: int = 200
    warmup: int = 20
    threads: int = 1

    def __post_init__(self) -> None:
        require(self.runs >= 1, "runs", "at least 1", self.runs)
        require(self.warmup >= 0, "warmup", "at least 0", self.warmup)
        require(self.threads >= 1, "threads", "at least 1", self.threads)


@dataclass(frozen=True)
class SelectorSpec:
    """Under which budgets, in microseconds, the selector runs, and over how many test images.

    `auto` takes the budgets that lie midway between neighbouring variants' p90 latencies;
    `requests: null` takes the whole test split.
    """

    budgets: Literal["auto"] | tuple[float, ...] = "auto"
    requests: int | None = None

    def __post_init__(self) -> None:
        if self.budgets != "auto":
            good = bool(self.budgets) and all(float(budget) > 0 for budget in self.budgets)
            require(good, "budgets", "'auto' or microseconds above 0", self.budgets)
        require(
            self.requests is None or self.requests >= 1,
            "requests",
            "null or at least 1",
            self.requests,
        )


@dataclass(frozen=True)
class Recipe:
    """Everything that determines a run.

    Example:
        >>> recipe = Recipe.from_json({"name": "tiny", "baseline": {"epochs": 3}})
        >>> recipe.baseline.epochs, recipe.data.source
        (3, 'digits')
        >>> Recipe.from_json(recipe.to_json()) == recipe
        True
    """

    name: str
    seed: int = 0
    data: Data = field(default_factory=Data)
    model: Model = field(default_factory=Model)
    ladder: LadderSpec = field(default_factory=LadderSpec)
    baseline: Training = field(default_factory=Training)
    elastic: ElasticTraining = field(default_factory=ElasticTraining)
    comparison: Comparison | None = None
    export: Export = field(default_factory=Export)
    profile: ProfileSpec = field(default_factory=ProfileSpec)
    selector: SelectorSpec = field(default_factory=SelectorSpec)

    def __post_init__(self) -> None:
        good = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", self.name) is not None
        require(good, "name", "letters, digits, '.', '_' and '-'", self.name)
        require(self.seed >= 0, "seed", "at least 0", self.seed)

    def to_json(self) -> dict[str, Any]:
        """Return the recipe as plain dicts, lists and scalars."""
        plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return plain

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Recipe":
        """Read a recipe strictly.

        Raises:
            RecipeError: A key is unknown or missing, or a value is of the wrong type or range.
        """
        recipe: Recipe = read_section(cls, data, "")
        return recipe

    @property
    def fingerprint(self) -> str:
        """The sha256, in hex, of what the run's results depend on (not of where its data lie)."""
        canonical = json.dumps(identity(self.to_json()), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


def identity(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe's JSON without `data.data_dir`: moved data do not make it another run."""
    data = {key: value for key, value in recipe["data"].items() if key != "data_dir"}
    return {**recipe, "data": data}


def differences(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return `{"baseline.epochs": (mine, theirs), ...}` where two recipes' JSON differ."""
    left, right = _flatten(identity(mine)), _flatten(identity(theirs))
    keys = sorted(left.keys() | right.keys())
    return {key: (left.get(key), right.get(key)) for key in keys if left.get(key) != right.get(key)}


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat.update(_flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def built_in() -> tuple[str, ...]:
    """Return the names of the recipes that ship with tfelastic."""
    entries = resources.files("pipelines.recipes").iterdir()
    return tuple(sorted(entry.name[:-5] for entry in entries if entry.name.endswith(".yaml")))


def load(
    name_or_path: str, *, schedule: str | None = None, overrides: Sequence[str] = ()
) -> Recipe:
    """Read a recipe by its built-in name or its path.

    Args:
        name_or_path: The name, or the path of a .yaml file.
        schedule: Which of the file's further schedules to lay over the recipe; it is added to the run's name.
        overrides: `a.b=value` texts to lay over that.

    Raises:
        RecipeError: There is no such recipe or schedule, or it or an override is malformed.
    """
    tree = parse(_text(name_or_path), f"recipe {name_or_path}")
    if not isinstance(tree, dict):
        raise RecipeError(f"recipe {name_or_path}: expected a mapping of keys, received {tree!r}")
    tree.setdefault("name", Path(name_or_path).stem)
    schedules = tree.pop("schedules", {})
    if schedule is not None:
        if not isinstance(schedules, dict) or not isinstance(schedules.get(schedule), dict):
            known = ", ".join(schedules) or "none"
            raise RecipeError(
                f"recipe {name_or_path} has no schedule {schedule!r}{hint(schedule, tuple(schedules))}; "
                f"its schedules: {known}. Leave out --schedule for the recipe as it stands"
            )
        tree = {**merged(tree, schedules[schedule]), "name": f"{tree['name']}-{schedule}"}
    for override in overrides:
        lay_over(tree, override)
    try:
        return Recipe.from_json(tree)
    except RecipeError as error:
        raise RecipeError(f"recipe {name_or_path}: {error}") from None


def _text(name_or_path: str) -> str:
    path = Path(name_or_path)
    if path.suffix in (".yaml", ".yml"):
        try:
            return path.read_text(encoding="utf-8")
        except OSError as error:
            raise RecipeError(f"cannot read the recipe {path}: {error.strerror}") from None
    if name_or_path in built_in():
        return (resources.files("pipelines.recipes") / f"{name_or_path}.yaml").read_text(
            encoding="utf-8"
        )
    known = ", ".join(built_in())
    raise RecipeError(
        f"no recipe {name_or_path!r}{hint(name_or_path, built_in())}; "
        f"give the path of a .yaml file or one of the built-in ones: {known}"
    )
