"""The strategy `blocks` of `tfelastic prune`: a search that measures candidates on images."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

    import tfelastic as te
    from pipelines.progress import Advance, Reporter

# The share of the training images that measures candidates, so that the test images measure the result alone.
_HELD_OUT = 0.1


@dataclass(frozen=True)
class Found:
    """What a search found, and how the result does.

    Attributes:
        report: The search.
        data: The data's name.
        validation_images: How many held-out training images measured the candidates.
        before: The model's accuracy on the test images.
        after: The result's.
    """

    report: "te.BlockReport"
    data: str
    validation_images: int
    before: float
    after: float

    def to_json(self) -> dict[str, Any]:
        """Return the search as plain data."""
        return {
            "data": self.data,
            "validation_images": self.validation_images,
            "test_accuracy": {"before": self.before, "after": self.after},
            "search": self.report.to_json(),
        }

    def __str__(self) -> str:
        return (
            f"measured on {self.validation_images:,} held-out training images of {self.data}\n{self.report}\n"
            f"accuracy on the test images: {self.before:.4f} -> {self.after:.4f}"
        )


class _StepsDone:
    """Counts a search's steps by its passes over the examples.

    The original is measured first; each step then measures all candidates in one pass, and the net that is left in
    another one where it was tuned.
    """

    def __init__(self, advance: "Advance", *, tuned: bool) -> None:
        self._advance, self._passes_per_step = advance, 2 if tuned else 1
        self._passes = -1

    def __call__(self, seen: int, count: int) -> None:
        """Move the bar; the budget may be met before all blocks are gone."""
        share = seen / count
        self._advance(max(0.0, (self._passes + share) / self._passes_per_step), "")
        self._passes += seen == count


def search(
    model: "keras.Model",
    budget: "te.Budget",
    *,
    data: str,
    epochs: int,
    checkpoint: str | None = None,
    reporter: "Reporter",
) -> Found:
    """Remove blocks until `budget` is met, and measure the result on the test images.

    Args:
        model: A classifier that takes raw pixels.
        budget: What the result may spend.
        data: A source of `tfelastic.data.load`.
        epochs: How long to fine-tune after each step, with `model` as the teacher; 0 for not at all.
        checkpoint: A folder from which a search that was cut short goes on.
        reporter: Where to report progress.
    """
    import numpy as np

    import tfelastic as te
    from pipelines.stages.data import input_shapes, load_shaped
    from tfelastic.data import stratified_order

    dataset = load_shaped(input_shapes(model), data)
    train = dataset.train
    order = stratified_order(train.labels, seed=0)
    held_out, rest = np.split(order, [max(1, int(len(order) * _HELD_OUT))])
    validation, training = train.take(np.sort(held_out)), train.take(np.sort(rest))
    tuning = None
    if epochs:
        batches = te.data.Batches(training, batch_size=128, augment="shift")
        tuning = te.FineTuning(batches, epochs=epochs, teacher=model)
    blocks = len(te.trace(model).blocks)
    with reporter.stage("block search"), reporter.bar(blocks, "blocks") as advance:
        evaluate = te.Evaluator(
            validation.images,
            validation.labels,
            metric="accuracy",
            progress=_StepsDone(advance, tuned=tuning is not None),
        )
        report = te.remove_blocks(
            model, evaluate=evaluate, budget=budget, after_step=tuning, checkpoint=checkpoint
        )
    test = te.Accuracy(dataset.test.images, dataset.test.labels)
    return Found(report, dataset.name, len(validation), test(model), test(report.model))
