"""Recipes: what a run does, as frozen data read strictly from YAML.

A recipe is a tree of frozen dataclasses. Reading one accepts no unknown key, no repeated key and no
value of a wrong type; every complaint names the file, the key's place in it and the way to mend it.
"""

import dataclasses
import difflib
import hashlib
import json
import math
import re
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import yaml


class PipelineError(Exception):
    """The base of every error that the application raises on purpose."""


class RecipeError(PipelineError, ValueError):
    """A recipe cannot be found, read or understood."""


def _require(ok: bool, key: str, expected: str, received: object) -> None:
    if not ok:
        raise RecipeError(f"{key}: expected {expected}, received {received!r}")


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
        _require(bool(self.source), "source", "the name or path of a data set", self.source)
        for key in ("image_size", "limit"):
            value = getattr(self, key)
            _require(value is None or value >= 1, key, "null or at least 1", value)


@dataclass(frozen=True)
class Model:
    """Which net of the zoo, and its options."""

    name: str = "resnet8"
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class LadderSpec:
    """How narrow the rungs are and which channels they keep."""

    widths: tuple[float, ...] = (1.0, 0.75, 0.5, 0.25)
    criterion: str = "magnitude"
    round_to: int = 8

    def __post_init__(self) -> None:
        falling = all(a > b for a, b in zip(self.widths, self.widths[1:], strict=False))
        whole = bool(self.widths) and self.widths[0] == 1.0 and self.widths[-1] > 0
        _require(
            falling and whole, "widths", "widths that fall from 1 and stay above 0", self.widths
        )
        _require(self.round_to >= 1, "round_to", "at least 1", self.round_to)


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
        _require(self.epochs >= 1, "epochs", "at least 1", self.epochs)
        _require(self.batch_size >= 1, "batch_size", "at least 1", self.batch_size)
        _require(self.learning_rate > 0, "learning_rate", "more than 0", self.learning_rate)
        _require(0 <= self.warmup < 1, "warmup", "a share from 0 to below 1", self.warmup)
        _require(self.weight_decay >= 0, "weight_decay", "at least 0", self.weight_decay)


@dataclass(frozen=True)
class ElasticTraining(Training):
    """The training of all rungs together; `distillation` lets the widest teach the others."""

    distillation: bool = True


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
        _require(self.calibration >= 1, "calibration", "at least 1 image", self.calibration)
        _require(self.tolerance >= 0, "tolerance", "at least 0", self.tolerance)


@dataclass(frozen=True)
class ProfileSpec:
    """How the variants' latencies are measured."""

    runs: int = 200
    warmup: int = 20
    threads: int = 1

    def __post_init__(self) -> None:
        _require(self.runs >= 1, "runs", "at least 1", self.runs)
        _require(self.warmup >= 0, "warmup", "at least 0", self.warmup)
        _require(self.threads >= 1, "threads", "at least 1", self.threads)


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
            _require(good, "budgets", "'auto' or microseconds above 0", self.budgets)
        _require(
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
    export: Export = field(default_factory=Export)
    profile: ProfileSpec = field(default_factory=ProfileSpec)
    selector: SelectorSpec = field(default_factory=SelectorSpec)

    def __post_init__(self) -> None:
        good = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", self.name) is not None
        _require(good, "name", "letters, digits, '.', '_' and '-'", self.name)
        _require(self.seed >= 0, "seed", "at least 0", self.seed)

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
        recipe: Recipe = _read_section(cls, data, "")
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


def load(name_or_path: str, *, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe by its built-in name or its path, with `a.b=value` overrides laid on top.

    Raises:
        RecipeError: There is no such recipe, or it or an override is malformed.
    """
    tree = _parse(_text(name_or_path), f"recipe {name_or_path}")
    if not isinstance(tree, dict):
        raise RecipeError(f"recipe {name_or_path}: expected a mapping of keys, received {tree!r}")
    tree.setdefault("name", Path(name_or_path).stem)
    for override in overrides:
        _override(tree, override)
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
        f"no recipe {name_or_path!r}{_hint(name_or_path, built_in())}; "
        f"give the path of a .yaml file or one of the built-in ones: {known}"
    )


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


def _parse(text: str, what: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)
    except RecipeError as error:
        raise RecipeError(f"{what}: {error}") from None
    except yaml.YAMLError as error:
        raise RecipeError(f"{what} is not valid YAML: {error}") from None


def _override(tree: dict[str, Any], override: str) -> None:
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
    tree[keys[-1]] = _parse(text, f"--set {override}")


def _hint(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _read_section(kind: type, data: Any, place: str) -> Any:
    """Build the dataclass `kind` from a mapping found at `place`."""
    where = place or "the top level"
    if not isinstance(data, Mapping):
        raise RecipeError(f"{where}: expected keys and values, received {data!r}")
    hints = get_type_hints(kind)
    for key in data:
        if key not in hints:
            raise RecipeError(
                f"unknown key {key!r} at {where}{_hint(str(key), tuple(hints))}; "
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
    if dataclasses.is_dataclass(kind):
        return _read_section(kind, value, place)  # type: ignore[arg-type]
    for option in _options(kind):
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
    if get_origin(kind) is dict:
        return "keys and values"
    words = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
    return words.get(kind, "null")
