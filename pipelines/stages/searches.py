"""Take blocks out of the baseline: by direct measurement, and in the orders that it is compared with.

Seven searches, a stage each. Six take as many blocks: direct removal, random blocks, and those with the smallest
weights, each with fine-tuning after every step and without. The seventh goes down to the budget.
"""

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.report.blocks import UNTUNED
from pipelines.report.pairs import Pair
from pipelines.sections import BlockRemoval
from pipelines.stages import baseline
from pipelines.stages.base import Outcome, Run, Stage
from pipelines.stages.progress import Advance

if TYPE_CHECKING:
    import keras

    import tfelastic as te
    from tfelastic.data import Split

#: The orders of removal; each step of the last two is paired with direct removal's.
ORDERS = ("direct", "random", "smallest")
BUDGET = "budget"
NAMES = (*ORDERS, *(UNTUNED + order for order in ORDERS), BUDGET)


def run(run: Run, *, name: str) -> Outcome:
    """Search, going on after the last candidate or step of an earlier try."""
    import keras

    import tfelastic as te

    model = keras.saving.load_model(run.path(baseline.FILE))
    with run.reporter.bar(len(te.trace(model).blocks), "blocks") as advance:
        report = te.remove_blocks(
            model,
            evaluate=te.Accuracy(run.judges.images, run.judges.labels),
            budget=_budget(run, name),
            per=spec_of(run).per if name == BUDGET else "block",
            order=_order(run, name, model),
            fine_tune=AfterEachStep(run, name, model, advance),
            checkpoint=run.path(run.workspace.begun(name, "search")),
        )
    assert report.model is not None
    run.workspace.save(keras_file(name), report.model.save)
    found = _tests_so_far(run, name)
    run.workspace.save(hits_file(name), lambda path: np.save(path, found))
    behind = []
    if (ahead := _direct(name)) is not None:
        direct = np.load(run.path(hits_file(ahead)))
        behind = [Pair.of(*both).to_json() for both in zip(direct, found, strict=True)]
    tests = [float(each.mean()) for each in found]
    whole = _whole(run, model) if name == "direct" else {}
    return Outcome(
        f"{len(tests)} blocks removed, {100 * tests[-1]:.2f} % on {found.shape[1]:,} test images",
        files=(keras_file(name), hits_file(name)),
        results={"search": report.to_json(), "tests": tests, "behind": behind, **whole},
    )


def _whole(run: Run, model: "keras.Model") -> dict[str, Any]:
    """Return how many test images judge each step, and how many of them the baseline gets right."""
    from pipelines.stages.training import accuracy

    tests = tests_of(run)
    return {"tested_by": len(tests), "baseline": accuracy(model, tests)}


def spec_of(run: Run) -> BlockRemoval:
    """Return the recipe's section `blocks`."""
    assert run.recipe.blocks is not None
    return run.recipe.blocks


def tests_of(run: Run) -> "Split":
    """Return the test images that judge the net of each step."""
    from tfelastic.data import limited

    test, count = run.dataset.test, spec_of(run).tests
    return test if count is None else limited(test, min(count, len(test)), seed=run.recipe.seed)


def keras_file(name: str) -> str:
    """Return the name of the net that a search left."""
    return f"removed/{name}.keras"


def hits_file(name: str) -> str:
    """Return the name of the file that says which test images the net of each step gets right."""
    return f"removed/{name}.npy"


class AfterEachStep:
    """Fine-tunes the net that a step leaves, and notes which test images it then gets right.

    All depends on the net alone, not on what was called before: a search that was killed goes on with the images, the
    order and the augmentation that it would have had.
    """

    def __init__(self, run: Run, name: str, whole: "keras.Model", advance: Advance) -> None:
        import tfelastic as te

        self._run, self._name, self._whole, self._advance = run, name, whole, advance
        self._blocks = len(te.trace(whole).blocks)
        self._tests = tests_of(run)

    def __call__(self, net: "keras.Model") -> None:
        """Train `net` in place, unless the search does without."""
        import keras

        import tfelastic as te
        from pipelines.stages.training import calibration_images, hits

        run = self._run
        removed = self._blocks - len(te.trace(net).blocks)
        keras.utils.set_random_seed(run.recipe.seed)
        if self._name.startswith(UNTUNED):
            images = calibration_images(spec_of(run).tuning, run.learned, seed=run.recipe.seed)
            te.recalibrate(net, images)
        else:
            self._fine_tuning(removed)(net)
        found = hits(net, self._tests)
        file = run.workspace.begun(self._name, f"tests/{removed:03}.npy")
        run.workspace.save(file, lambda path: np.save(path, found))
        self._advance(removed, f"{100 * found.mean():.2f} %")

    def _fine_tuning(self, removed: int) -> "te.FineTuning":
        import keras

        import tfelastic as te

        spec = spec_of(self._run).tuning
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
            teacher=self._whole if spec.distillation else None,
        )


def _share(run: Run, removed: int) -> "Split":
    """Return the images to fine-tune on after so many blocks: the next ones of a shuffled round of all."""
    learned, count = run.learned, spec_of(run).tuning.images
    if count is None or count >= len(learned):
        return learned
    order = np.random.default_rng(run.recipe.seed).permutation(len(learned))
    return learned.take(
        np.take(order, np.arange((removed - 1) * count, removed * count), mode="wrap")
    )


def _tests_so_far(run: Run, name: str) -> np.ndarray:
    """Return for each step which test images its net gets right, bool `[steps, images]`."""
    folder = run.path(run.workspace.begun(name, "tests"))
    return np.stack([np.load(file) for file in sorted(folder.iterdir())])


def _budget(run: Run, name: str) -> "te.Budget | int":
    import tfelastic as te

    spec = spec_of(run)
    return te.Budget(**spec.budget.given) if name == BUDGET else spec.compared


def _order(run: Run, name: str, model: "keras.Model") -> tuple[str, ...] | None:
    import tfelastic as te

    order = name.removeprefix(UNTUNED)
    if order == "random":
        return te.random_blocks(model, seed=run.recipe.seed)
    return te.smallest_blocks(model) if order == "smallest" else None


def _direct(name: str) -> str | None:
    """Return the direct search that a search is compared with, if it is compared with one."""
    order = name.removeprefix(UNTUNED)
    return name.replace(order, "direct") if order in ORDERS[1:] else None


STAGES = tuple(
    Stage(name, functools.partial(run, name=name), needs=("tensorflow",)) for name in NAMES
)
