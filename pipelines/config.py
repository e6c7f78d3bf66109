"""Recipes: what a run does, as frozen data read strictly from YAML.

A recipe is a tree of frozen dataclasses (`pipelines.sections`). There are three kinds: one elastic network, blocks
removed (`blocks`) and nets pruned by complexity (`complexity`); the sections that a recipe has say which it is. A
recipe's file may hold further schedules of the same run under `schedules`, each a tree of the keys that it changes.
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
from pipelines.sections import (
    BlockRemoval,
    Comparison,
    ComplexityPruning,
    Data,
    ElasticTraining,
    Export,
    LadderSpec,
    Model,
    ProfileSpec,
    SelectorSpec,
    Training,
)

__all__ = ["PipelineError", "Recipe", "RecipeError", "built_in", "differences", "identity", "load"]


Kind = Literal["elastic", "blocks", "complexity"]

#: The sections that recipes of one kind alone have. Those of the last two make a recipe of that kind.
_OWN_SECTIONS: dict[Kind, tuple[str, ...]] = {
    "elastic": ("ladder", "elastic", "comparison", "selector"),
    "blocks": ("blocks",),
    "complexity": ("complexity",),
}


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
    blocks: BlockRemoval | None = None
    complexity: ComplexityPruning | None = None
    export: Export = field(default_factory=Export)
    profile: ProfileSpec = field(default_factory=ProfileSpec)
    selector: SelectorSpec = field(default_factory=SelectorSpec)

    def __post_init__(self) -> None:
        good = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", self.name) is not None
        require(good, "name", "letters, digits, '.', '_' and '-'", self.name)
        require(self.seed >= 0, "seed", "at least 0", self.seed)

    @property
    def kind(self) -> Kind:
        """What the run does."""
        if self.blocks is not None:
            return "blocks"
        return "elastic" if self.complexity is None else "complexity"

    def to_json(self) -> dict[str, Any]:
        """Return the recipe, without the sections of other kinds, as plain dicts, lists and scalars."""
        plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        foreign = _foreign_sections(self.kind)
        return {key: value for key, value in plain.items() if key not in foreign}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Recipe":
        """Read a recipe strictly.

        Raises:
            RecipeError: A key is unknown or missing, a value is of the wrong type or range, or two sections
                belong to recipes of different kinds.
        """
        recipe: Recipe = read_section(cls, data, "")
        foreign = [key for key in _foreign_sections(recipe.kind) if data.get(key) is not None]
        if foreign:
            raise RecipeError(
                f"{', '.join(foreign)}: a recipe with the section {recipe.kind!r} has no such section; remove one "
                "of them"
            )
        return recipe

    @property
    def fingerprint(self) -> str:
        """The sha256, in hex, of what the run's results depend on (not of where its data lie)."""
        canonical = json.dumps(identity(self.to_json()), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


def _foreign_sections(kind: Kind) -> tuple[str, ...]:
    """Return the sections that a recipe of this kind does not have."""
    return tuple(name for other, names in _OWN_SECTIONS.items() if other != kind for name in names)


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
