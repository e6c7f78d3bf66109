"""The recipe that all experiments share, and how one is read from its file."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from importlib import resources
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from pipelines.errors import RecipeError, RecordError
from pipelines.recipe.sections import (
    MODEL_SUFFIX,
    Data,
    Distribution,
    Export,
    Model,
    ProfileSpec,
    TaskName,
    Training,
    WeightedMetric,
)
from pipelines.recipe.strict_yaml import merged, override, parse, parse_file
from pipelines.records import Record, hint, read, require, require_whole

_SUFFIXES = (".yaml", ".yml")

AnyRecord = TypeVar("AnyRecord", bound=Record)


@dataclass(frozen=True, kw_only=True)
class Recipe(Record):
    """Everything that determines a run; an experiment adds its own sections.

    `task` says what the model answers, for several outputs by their names; from it follow the loss and the metric
    that scores all nets, unless `metric` names another, for several outputs one for each. With
    `precision: mixed_bfloat16` all trainings compute in bfloat16, with variables and outputs in float32.
    `distribution` spreads the batches of the trainings over several devices. `multiworker` is known to be refused with
    what serves instead. `baseline: none` takes a trained model as it stands.

    Examples:
        >>> recipe = Recipe.from_json({"name": "tiny", "baseline": {"epochs": 3}})
        >>> recipe.baseline.epochs, recipe.data.source
        (3, 'digits')
        >>> Recipe.from_json(recipe.to_json()) == recipe
        True
    """

    name: str
    seed: int = 0
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    distribution: Distribution | None = None
    task: TaskName | dict[str, TaskName] = "classification"
    metric: str | dict[str, str | WeightedMetric] | None = None
    data: Data = field(default_factory=Data)
    model: Model = field(default_factory=Model)
    baseline: Training | Literal["none"] = field(default_factory=Training)
    export: Export = field(default_factory=Export)
    profile: ProfileSpec = field(default_factory=ProfileSpec)

    def __post_init__(self) -> None:
        good = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", self.name) is not None
        require(good, "name", "letters, digits, '.', '_' and '-'", self.name)
        require_whole("seed", self.seed, least=0, most=2**32 - 1)
        require(
            self.distribution != "multiworker",
            "distribution",
            "jax-data-parallel for several processes or machines, or mirrored for the devices of one: Keras 3 does not "
            "train under TensorFlow's MultiWorkerMirroredStrategy (keras-team/keras#20585)",
            self.distribution,
        )
        require(
            self.baseline != "none" or self.starts_trained,
            "baseline",
            "a training, since the model is not trained (none is for a .keras file or pretrained weights)",
            self.baseline,
        )
        if self.baseline != "none":
            self._require_validation("baseline", self.baseline)

    def _require_validation(self, section: str, training: Training) -> None:
        """Raise a RecordError if a section's training is to stop early with no examples to tell when."""
        require(
            training.patience is None or self.validation_images > 0,
            f"{section}.patience",
            "data.validation_images beside it, the number of training examples to hold out",
            training.patience,
        )

    @property
    def validation_images(self) -> int:
        """How many training examples are held out from every training."""
        return self.data.validation_images or 0

    @property
    def idle_keys(self) -> tuple[str, ...]:
        """The keys that are set and have no effect."""
        own_arrays = self.data.source == "digits" or self.data.source.startswith("synthetic:")
        idle = {
            "model.options": self.model.is_file and bool(self.model.options),
            "data.features": self.data.features is not None
            and (own_arrays or self.data.source.endswith(".npz")),
        }
        return tuple(key for key, has_no_effect in idle.items() if has_no_effect)

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """Read a recipe strictly.

        Raises:
            RecipeError: A key is unknown or missing, or a value is of the wrong type or range.
        """
        try:
            recipe: Self = read(cls, data)
        except RecordError as error:
            raise RecipeError(str(error)) from None
        return _with_default_rates(recipe, data, trained=recipe.starts_trained)

    @property
    def starts_trained(self) -> bool:
        """Whether the model comes with trained weights."""
        return self.model.is_file or self.model.weights is not None

    @property
    def fingerprint(self) -> str:
        """The sha256, in hex, of what the run's results depend on (not of where its data lie)."""
        tree = self.to_json()
        del tree["data"]["data_dir"]
        canonical = json.dumps(tree, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


def _with_default_rates(record: AnyRecord, data: Any, *, trained: bool) -> AnyRecord:
    """Return a record whose trainings that were given no learning rate have one for their optimizer and net."""
    given = data if isinstance(data, Mapping) else {}
    changes: dict[str, Any] = {}
    for each in fields(record):  # type: ignore[arg-type]
        value = getattr(record, each.name)
        if isinstance(value, Record):
            changes[each.name] = _with_default_rates(value, given.get(each.name), trained=trained)
    if isinstance(record, Training) and "learning_rate" not in given:
        changes["learning_rate"] = record.default_rate(trained=trained)
    return replace(record, **changes) if changes else record  # type: ignore[type-var]


def idle_without_bundle(recipe: Recipe) -> tuple[str, ...]:
    """Return the keys that are set and have no effect where an experiment packs no bundle."""
    defaults = Recipe(name="defaults")
    unused = (
        "target",
        "per_channel_dense",
        "input_type",
        "output_type",
        "raw_pixels",
        "tolerance",
        "strays",
        "keep_all",
    )
    sections = {"export": unused, "profile": ("warmup",)}
    return tuple(
        f"{section}.{key}"
        for section, keys in sections.items()
        for key in keys
        if getattr(getattr(recipe, section), key) != getattr(getattr(defaults, section), key)
    )


def built_in() -> tuple[str, ...]:
    """Return the names of the recipes that ship with tfelastic."""
    entries = resources.files("pipelines.recipes").iterdir()
    return tuple(sorted(entry.name[:-5] for entry in entries if entry.name.endswith(".yaml")))


def read_tree(
    name_or_path: str, *, schedule: str | None = None, overrides: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the keys of a recipe by its built-in name or its path, not yet checked.

    Args:
        name_or_path: The name, or the path of a .yaml file.
        schedule: Which of the file's further schedules to merge into the recipe; it is added to the run's name.
        overrides: `a.b=value` texts that come last.

    Raises:
        RecipeError: There is no such recipe or schedule, or it or an override is malformed.
    """
    tree = _parsed(name_or_path)
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
    _resolve_files(tree, Path(name_or_path).parent)
    for assignment in overrides:
        override(tree, assignment)
    if isinstance(tree.get("model"), str):
        tree["model"] = {"name": tree["model"]}
    return tree


def _resolve_files(tree: dict[str, Any], folder: Path) -> None:
    """Take the model files that a recipe names from the recipe's own folder."""
    if isinstance(tree.get("model"), str):
        tree["model"] = {"name": tree["model"]}
    model = tree.get("model")
    if isinstance(model, dict):
        for key in ("name", "weights"):
            value = model.get(key)
            if isinstance(value, str) and (key == "weights" or value.endswith(MODEL_SUFFIX)):
                model[key] = str(folder / value)


def _parsed(name_or_path: str) -> Any:
    """Return what the file of a recipe holds, given its path or a built-in name."""
    path = Path(name_or_path)
    if path.suffix in _SUFFIXES:
        return parse_file(path)
    if name_or_path in built_in():
        file = resources.files("pipelines.recipes") / f"{name_or_path}.yaml"
        return parse(file.read_text(encoding="utf-8"), f"recipe {name_or_path}")
    if path.exists():
        raise RecipeError(
            f"{path} is no recipe: expected a file that ends in {' or '.join(_SUFFIXES)}"
        )
    known = ", ".join(built_in())
    raise RecipeError(
        f"no recipe {name_or_path!r}{hint(name_or_path, built_in())}; "
        f"give the path of a .yaml file or one of the built-in ones: {known}"
    )
