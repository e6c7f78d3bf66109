"""Load the data once, and note what they are, so that a later day cannot go on with others."""

from pipelines.stages.base import Outcome, Run, Stage


def run(run: Run) -> Outcome:
    """Load the recipe's data."""
    dataset = run.dataset
    description = dataset.describe()
    size = ", ".join("x".join(map(str, each["shape"])) for each in description["inputs"].values())
    return Outcome(
        f"{dataset.name}: {len(dataset.train):,} examples to train, {len(dataset.test):,} to test, "
        f"{size}, {len(dataset.classes)} classes",
        results={"description": description, "sha256": dataset.sha256},
    )


STAGE = Stage("data", run)
