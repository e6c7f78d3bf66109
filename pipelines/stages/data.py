"""Load the data once, and note what they are, so that a later day notices when they changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.recipe import Recipe
from pipelines.records import Record
from pipelines.stages.run import DATA, Run, place
from pipelines.stages.stage import Outcome, Stage

if TYPE_CHECKING:
    import keras

    from tfelastic.data import Dataset


def input_shapes(model: "keras.Model") -> list[tuple[int | None, ...]]:
    """Return the shape of one example for each of a model's inputs."""
    return [tuple(tensor.shape[1:]) for tensor in model.inputs]


def load_shaped(
    shapes: Sequence[tuple[int | None, ...]],
    source: str,
    *,
    limit: int | None = None,
    seed: int = 0,
) -> "Dataset":
    """Load data for inputs of these shapes: images are resized to the one input's height and width.

    Raises:
        DataError: The source is missing, unknown or malformed.
    """
    from tfelastic import data

    return data.load(source, image_size=image_size_for(shapes, source), limit=limit, seed=seed)


def image_size_for(
    shapes: Sequence[tuple[int | None, ...]], source: str
) -> int | tuple[int, int] | None:
    """Return the size to which a source's images are resized for inputs of these shapes; arrays are left as they are.

    Example:
        >>> image_size_for([(96, 96, 3)], "photos/"), image_size_for([(48, 64, 3)], "photos/")
        (96, (48, 64))
        >>> image_size_for([(None, None, 3)], "photos/"), image_size_for([(96, 96, 3)], "photos.npz")
        (None, None)
    """
    arrays = source.startswith("synthetic:") or source.endswith(".npz")
    if arrays or len(shapes) != 1 or len(shapes[0]) != 3:
        return None
    height, width, _ = shapes[0]
    if height is None or width is None:
        return None
    return height if height == width else (height, width)


@dataclass(frozen=True)
class ArrayDescription(Record):
    """The shape of one example and its type."""

    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class DataDescription(Record):
    """What a data set is, in figures; inputs and targets by name, a single one under ""."""

    name: str
    train: int
    test: int
    inputs: dict[str, ArrayDescription]
    targets: dict[str, ArrayDescription]
    classes: tuple[str, ...] | dict[str, tuple[str, ...]]

    @property
    def shapes(self) -> str:
        """The shapes of the inputs as people write them: `32x32x3`."""
        return _listed({name: "x".join(map(str, a.shape)) for name, a in self.inputs.items()})

    @property
    def class_counts(self) -> str:
        """How many classes there are, of several targets by name: `10 classes`; empty where there are none."""
        classes = self.classes if isinstance(self.classes, dict) else {"": self.classes}
        return _listed({name: f"{len(each)} classes" for name, each in classes.items() if each})


def _listed(texts: Mapping[str, str]) -> str:
    """Return texts with their names in front, where they have some."""
    return ", ".join(f"{name} {text}".strip() for name, text in texts.items())


@dataclass(frozen=True)
class LoadedData(Record):
    """The data's description, and the sha256 over every value."""

    description: DataDescription
    sha256: str


def run(run: Run[Recipe]) -> Outcome[LoadedData]:
    """Load the recipe's data."""
    dataset = run.dataset
    found = DataDescription.from_json(dataset.describe())
    drawn = f" (drawn by seed {run.recipe.seed})" if dataset.test_drawn else ""
    sizes = f"{found.train:,} examples to train, {found.test:,} to test{drawn}"
    parts = [part for part in (sizes, found.shapes, found.class_counts) if part]
    return Outcome(f"{found.name}: {', '.join(parts)}", LoadedData(found, dataset.sha256))


def files(recipe: Recipe) -> Mapping[str, Path]:
    """Return the folder that the data are read from, where it is known beforehand."""
    source, _ = place(recipe.data)
    return {"data.source": Path(source)} if Path(source).exists() else {}


#: `data.data_dir` is no input: data that only moved are the same data.
STAGE: Stage[Any] = Stage(
    DATA,
    run,
    LoadedData,
    keys=(
        "seed",
        "data.source",
        "data.image_size",
        "data.features",
        "data.limit",
        "data.test_limit",
    ),
    files=files,
)
