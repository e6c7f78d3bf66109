"""Load the data once, and note what they are, so that a later day cannot go on with others."""

from pipelines.stages.base import Outcome, Run, Stage, digest


def run(run: Run) -> Outcome:
    """Load the recipe's data."""
    dataset = run.dataset
    description = dataset.describe()
    size = "x".join(str(side) for side in description["image_shape"])
    return Outcome(
        f"{dataset.name}: {len(dataset.train):,} images to train, {len(dataset.test):,} to test, "
        f"{size}, {len(dataset.classes)} classes",
        results={"description": description, "sha256": digest(dataset)},
    )


STAGE = Stage("data", run)
