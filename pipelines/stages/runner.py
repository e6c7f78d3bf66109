"""Which stages of a run have to run, and the loop that runs them in order."""

import importlib.util
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.backend import Cluster, start_backend
from pipelines.errors import StageError
from pipelines.stages.own_process import run_in_processes
from pipelines.stages.run import Run
from pipelines.stages.stage import Outcome, Stage
from pipelines.workspace import Workspace


@dataclass(frozen=True)
class Prospect:
    """What is to be expected of a stage.

    Attributes:
        stage: The stage.
        reasons: Why it runs; empty where it is kept.
        seconds: How long it took when it was last finished; `None` where it never was.
    """

    stage: Stage[Any]
    reasons: tuple[str, ...]
    seconds: float | None


def foresee(run: Run[Any], stages: Sequence[Stage[Any]]) -> tuple[Prospect, ...]:
    """Return which stages would run, and why.

    A stage that reads one that runs is counted as running; it is kept after all if that one ends with the very
    results and files that it had.
    """
    found: dict[str, Prospect] = {}
    for stage in stages:
        entry = run.workspace.entry(stage.name)
        rerun = tuple(
            f"the stage {earlier.name} runs"
            for earlier in stage.stages
            if earlier.name in found and found[earlier.name].reasons
        )
        reasons = rerun or tuple(_reasons(run, stage))
        found[stage.name] = Prospect(stage, reasons, entry.seconds if entry else None)
    return tuple(found.values())


def run_stages(run: Run[Any], stages: Sequence[Stage[Any]]) -> None:
    """Run in order every stage whose inputs changed since it was finished, recording each as it ends.

    Raises:
        StageError: A package is missing that a stage needs which is about to run.
    """
    workspace, reporter = run.workspace, run.reporter
    ahead = [each.stage for each in foresee(run, stages) if each.reasons]
    _require_packages(ahead)
    if ahead:
        start_backend()
    for stage in stages:
        if not any(_reasons(run, stage)):
            if entry := workspace.entry(stage.name):
                reporter.done(stage.name, entry.summary, seconds=0.0, kept=True)
            continue
        inputs = inputs_of(stage, run)
        workspace.start(stage.name, inputs, go_on=_goes_on(run, stage))
        start = time.perf_counter()
        with reporter.stage(stage.name):
            outcome = _outcome(run, stage)
        seconds = time.perf_counter() - start + outcome.earlier_seconds
        workspace.finish(
            stage.name,
            outcome.summary,
            inputs=inputs,
            files=outcome.files,
            result=outcome.result.to_json(),
            seconds=seconds,
        )
        reporter.done(stage.name, outcome.summary, seconds=seconds, kept=False)


def _outcome(run: Run[Any], stage: Stage[Any]) -> Outcome[Any]:
    """Run a stage and return what it leaves."""
    # The processes of one training know each other.
    alone = Cluster.of_environment().processes == 1
    if run.set_up_process and stage.trains and alone and not _holds_accelerator():
        return run_in_processes(run, stage, run.set_up_process)
    return stage.run(run.within(stage))


def _holds_accelerator() -> bool:
    """Whether this process has taken a GPU's memory for itself, so that another process would find none."""
    import keras

    return bool(keras.distribution.list_devices("gpu"))


def inputs_of(stage: Stage[Any], run: Run[Any]) -> dict[str, Any]:
    """Return all that a stage reads: recipe keys by value, files and outcomes of earlier stages by digest."""
    inputs = stage.own_inputs(run.recipe)
    for earlier in stage.stages:
        entry = run.workspace.entry(earlier.name)
        inputs[f"stage {earlier.name}"] = entry.digest if entry else None
    return inputs


def _reasons(run: Run[Any], stage: Stage[Any]) -> Iterator[str]:
    """Yield why a stage has to run, if it has to."""
    entry = run.workspace.entry(stage.name)
    if entry is None:
        yield "it was stopped, and goes on" if _goes_on(run, stage) else "it was not finished yet"
    elif not run.workspace.finished(stage.name):
        yield "a file that it left is gone or changed"
    else:
        yield from changes(entry.inputs, inputs_of(stage, run), stage.defaults(run.recipe))


def _goes_on(run: Run[Any], stage: Stage[Any]) -> bool:
    """Whether an earlier try was stopped that had the same inputs, so that what it kept serves."""
    started = run.workspace.started(stage.name)
    return started is not None and not any(
        changes(started, inputs_of(stage, run), stage.defaults(run.recipe))
    )


def changes(
    before: Mapping[str, Any], after: Mapping[str, Any], defaults: Mapping[str, Any]
) -> Iterator[str]:
    """Yield what differs between two inputs of a stage, in words.

    A key that was added to recipes later has its default in a record from before: that is how the stage then worked.
    """
    before = {**defaults, **before}
    for name in sorted(before.keys() | after.keys()):
        if name in before and name in after and before[name] == after[name]:
            continue
        kind, _, label = name.partition(" ")
        if kind == "file":
            yield f"the file {label} changed"
        elif kind == "stage":
            yield f"the outcome of the stage {label} changed"
        elif name not in before:
            yield f"{name} is new: {after[name]!r}"
        elif name not in after:
            yield f"{name} is gone: it was {before[name]!r}"
        else:
            yield f"{name} was {before[name]!r} and is {after[name]!r}"


def _require_packages(stages: Sequence[Stage[Any]]) -> None:
    """Report a missing package before hours of work, not after them."""
    for stage in stages:
        needed = stage.packages
        if stage.trains and needed == ("tensorflow",):  # It trains with whatever backend Keras has.
            needed = (os.environ.get("KERAS_BACKEND", "tensorflow"),)
        missing = [name for name in needed if importlib.util.find_spec(name) is None]
        if missing:
            raise StageError(
                f"the stage {stage.name} needs {', '.join(missing)}, which is not installed; "
                "pip install 'tfelastic[tensorflow,report]' brings it"
            )


def seconds_of(workspace: Workspace, stages: Sequence[Stage[Any]]) -> dict[str, float]:
    """Return how long each finished stage took, in the order of the stages."""
    entries = {stage.name: workspace.entry(stage.name) for stage in stages}
    return {name: entry.seconds for name, entry in entries.items() if entry is not None}
