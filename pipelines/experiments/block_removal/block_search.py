"""Remove blocks from the baseline: by direct measurement, and in the orders that it is compared with.

Seven searches, a stage each. Six take as many blocks: direct removal, random blocks, and those with the smallest
weights, each with fine-tuning after every step and without. The seventh goes down to the budget.
"""

import functools
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.errors import StageError
from pipelines.experiments.block_removal.recipe import BlockRemovalRecipe
from pipelines.progress import Advance
from pipelines.records import Record
from pipelines.stages import Outcome, PairedDifference, Run, Stage, baseline, data
from pipelines.stages.answers import Answers, answers_of
from pipelines.stages.evaluation import score
from pipelines.stages.task import TASK_KEYS, Task, task_of

if TYPE_CHECKING:
    import keras

    import tfelastic as te
    from tfelastic.data import Split

#: The orders of removal; each step of the last two is paired with direct removal's.
DIRECT = "direct"
ORDERS = (DIRECT, "random", "smallest")
#: Comes before an order's name in that of its search, where nothing is trained after a step.
UNTUNED = "untuned_"
BUDGET = "budget"


@dataclass(frozen=True)
class BlockSearch(Record):
    """What a search found.

    Attributes:
        search: The `tfelastic.BlockReport` as plain data.
        tests: The score of each step's net on the test examples.
        lead: Direct removal's lead over each step, where the search is compared with it.
        baseline: The baseline's score on the same test examples.
        test_examples: How many they are.
    """

    search: dict[str, Any]
    tests: tuple[float, ...]
    lead: tuple[PairedDifference, ...]
    baseline: float
    test_examples: int


def run(run: Run[BlockRemovalRecipe], *, name: str) -> Outcome[BlockSearch]:
    """Search, going on after the last candidate or step of an earlier try."""
    import tfelastic as te

    model, spec = baseline.load(run), run.recipe.block_removal
    validation, tests = run.validation_split, test_subset(run)
    task = task_of(run, model)
    with run.reporter.bar(len(te.trace(model).blocks), "blocks") as advance:
        report = te.remove_blocks(
            model,
            evaluate=te.Evaluator(
                validation.inputs,
                validation.targets,
                metric=task.metric,
                spread=run.workers.map,
            ),
            budget=te.Budget(**spec.budget.given) if name == BUDGET else spec.compared,
            per=spec.per if name == BUDGET else "block",
            order=_order(name, model, seed=run.recipe.seed),
            after_step=AfterEachStep(run, name, model, task, advance),
            checkpoint=run.scratch_path("search"),
        )
    assert report.model is not None
    run.workspace.save(keras_file(name), report.model.save)
    answers = _answers_so_far(run, task)
    _save(run, answers_file(name), _stacked(answers))
    lead: tuple[PairedDifference, ...] = ()
    if (ahead := _direct(name)) is not None:
        direct = _load(run.path(answers_file(ahead)))
        lead = tuple(
            PairedDifference.of(_step(direct, number, task), each)
            for number, each in enumerate(answers)
        )
    reached = tuple(each.score for each in answers)
    shown = run.result(baseline.STAGE).metric
    return Outcome(
        f"{len(reached)} blocks removed, {shown.title} {shown.show(reached[-1])} on {len(tests):,} test examples",
        BlockSearch(report.to_json(), reached, lead, score(model, tests, task.metric), len(tests)),
        files=(keras_file(name), answers_file(name)),
    )


def test_subset(run: Run[BlockRemovalRecipe]) -> "Split":
    """Return the test examples that measure the net of each step."""
    from tfelastic.data import limited

    test, count = run.dataset.test, run.recipe.block_removal.test_images
    return test if count is None else limited(test, min(count, len(test)), seed=run.recipe.seed)


def keras_file(name: str) -> str:
    """Return the name of the net that a search left."""
    return f"removed/{name}.keras"


def answers_file(name: str) -> str:
    """Return the name of the file that holds what the net of each step answers to the test examples."""
    return f"removed/{name}.npz"


class AfterEachStep:
    """Fine-tunes the net that a step leaves, and notes what it then answers to the test examples.

    All depends on the net alone, not on what was called before: a search that was killed goes on with the examples,
    the order and the augmentation that it would have had.
    """

    def __init__(
        self,
        run: Run[BlockRemovalRecipe],
        name: str,
        full: "keras.Model",
        task: Task,
        advance: Advance,
    ) -> None:
        import tfelastic as te

        self._run, self._name, self._full, self._advance = run, name, full, advance
        self._task = task
        self._blocks = len(te.trace(full).blocks)
        self._tests = test_subset(run)

    def __call__(self, net: "keras.Model") -> None:
        """Train `net` in place, unless the search does without."""
        import keras

        import tfelastic as te
        from pipelines.stages.training import recalibrate

        run, seed = self._run, self._run.recipe.seed
        removed = self._blocks - len(te.trace(net).blocks)
        keras.utils.set_random_seed(seed)
        if not self._name.startswith(UNTUNED):
            history = self._fine_tuning(removed)(net).history
            require_finite(history["loss"], f"{self._name}, fine-tuned after block {removed}")
        recalibrate(net, run.recipe.block_removal.fine_tuning, run.training_split, seed=seed)
        found = answers_of(net, self._tests, self._task.metric)
        _save(run, run.scratch_path(f"tests/{removed:03}.npz"), found.arrays)
        self._advance(removed, run.result(baseline.STAGE).metric.show(found.score))

    def _fine_tuning(self, removed: int) -> "te.FineTuning":
        import keras

        import tfelastic as te

        spec = self._run.recipe.block_removal.fine_tuning
        batches = te.data.Batches(
            _share(self._run, removed),
            batch_size=spec.batch_size,
            augment=spec.augment,
            seed=self._run.recipe.seed + removed,
        )
        return te.FineTuning(
            batches,
            epochs=spec.epochs,
            optimizer=keras.optimizers.SGD(spec.learning_rate, momentum=0.9),
            teacher=self._full if spec.distillation else None,
            loss=self._task.loss,
        )


def require_finite(losses: Sequence[float], what: str) -> None:
    """Raise a StageError unless every epoch's loss is a finite number."""
    for epoch, loss in enumerate(losses, start=1):
        if not math.isfinite(loss):
            raise StageError(
                f"the training of {what} diverged: the loss is {loss} in epoch {epoch}; lower "
                "block_removal.fine_tuning.learning_rate, to a tenth for example"
            )


def _share(run: Run[BlockRemovalRecipe], removed: int) -> "Split":
    """Return the examples to fine-tune on after so many blocks: the next ones of a shuffled round of all."""
    split, count = run.training_split, run.recipe.block_removal.fine_tuning.images
    if count is None or count >= len(split):
        return split
    order = np.random.default_rng(run.recipe.seed).permutation(len(split))
    return split.take(
        np.take(order, np.arange((removed - 1) * count, removed * count), mode="wrap")
    )


def _answers_so_far(run: Run[BlockRemovalRecipe], task: Task) -> list[Answers]:
    """Return what each step's net answers to the test examples.

    Raises:
        StageError: A file that an earlier try left is damaged.
    """
    folder = run.scratch_path("tests")
    try:
        return [Answers(task.metric, _load(file)) for file in sorted(folder.iterdir())]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise StageError(
            f"a file in {folder} is damaged: {error}; delete the folder {folder.parent} to begin the stage anew"
        ) from error


def _stacked(answers: Sequence[Answers]) -> dict[str, np.ndarray]:
    """Return the arrays of all steps, `[steps, examples, ...]`."""
    return {name: np.stack([each.arrays[name] for each in answers]) for name in answers[0].arrays}


def _step(arrays: Mapping[str, np.ndarray], number: int, task: Task) -> Answers:
    return Answers(task.metric, {name: array[number] for name, array in arrays.items()})


def _save(run: Run[BlockRemovalRecipe], file: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    def write(path: Path) -> None:
        with open(path, "wb") as opened:  # A path that does not end in .npz would get another name.
            np.savez(opened, allow_pickle=False, **arrays)

    run.workspace.save(file, write)


def _load(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as found:
        return dict(found)


def _order(name: str, model: "keras.Model", *, seed: int) -> tuple[str, ...] | None:
    import tfelastic as te

    order = name.removeprefix(UNTUNED)
    if order == "random":
        return te.random_blocks(model, seed=seed)
    return te.smallest_blocks(model) if order == "smallest" else None


def _direct(name: str) -> str | None:
    """Return the direct search that a search is compared with, if it is compared with one."""
    order = name.removeprefix(UNTUNED)
    return name.replace(order, DIRECT) if order in ORDERS[1:] else None


def _stages() -> Mapping[str, Stage[BlockSearch]]:
    section = "block_removal"
    tuned = ("fine_tuning", "test_images")
    shared = ("seed", "validation_images", *TASK_KEYS, *(f"{section}.{key}" for key in tuned))
    stages: dict[str, Stage[BlockSearch]] = {}
    for name in (*ORDERS, *(UNTUNED + order for order in ORDERS), BUDGET):
        own = ("budget", "per") if name == BUDGET else ("compared",)
        ahead = _direct(name)
        stages[name] = Stage(
            name,
            functools.partial(run, name=name),
            BlockSearch,
            keys=(*shared, *(f"{section}.{key}" for key in own)),
            stages=(data.STAGE, baseline.STAGE, *([stages[ahead]] if ahead else ())),
            packages=("tensorflow",),
            trains=True,
        )
    return stages


#: The searches by name, in the order in which they run.
STAGES = _stages()
