"""Train the net that the budget left, and the whole net for as long, and judge both."""

import typing

from pipelines.report.pairs import Pair
from pipelines.stages import baseline, searches
from pipelines.stages.base import Outcome, Run, Stage
from pipelines.stages.judging import Verdict, judge

if typing.TYPE_CHECKING:
    import keras

FILE = "pruned.keras"
TFLITE = "pruned.tflite"


def run(run: Run) -> Outcome:
    """Train both, and pair them with the baseline over all test images."""
    import keras

    nets = {"baseline": keras.saving.load_model(run.path(baseline.FILE))}
    histories, earlier_seconds = {}, 0.0
    for name, file in (("whole", baseline.FILE), ("pruned", searches.keras_file(searches.BUDGET))):
        nets[name] = keras.saving.load_model(run.path(file))
        histories[name], seconds = _train(run, name, nets[name], whole=nets["baseline"])
        earlier_seconds += seconds
    verdicts: dict[str, Verdict] = {}
    with run.reporter.bar(len(nets), "nets") as advance:
        for name, net in nets.items():
            verdicts[name] = judge(run, net)
            advance(len(verdicts), name)
    run.workspace.save(FILE, nets["pruned"].save)
    run.workspace.save_bytes(TFLITE, verdicts["pruned"].tflite)
    before = verdicts["baseline"].hits
    rows = [
        {"name": name, **each.figures, "against_baseline": Pair.of(each.hits, before).to_json()}
        for name, each in verdicts.items()
    ]
    return Outcome(
        "  ".join(f"{row['name']} {100 * row['accuracy_keras']:.2f} %" for row in rows),
        files=(FILE, TFLITE),
        results={"nets": rows, "history": histories},
        earlier_seconds=earlier_seconds,
    )


def _train(
    run: Run, name: str, net: "keras.Model", *, whole: "keras.Model"
) -> tuple[list[dict[str, float]], float]:
    """Train a net in place, taught by the whole one if the recipe says so.

    Returns:
        Its epochs, and the seconds of those that an earlier try had ended.
    """
    import tfelastic as te
    from pipelines.stages.training import TrainingCheckpoint, train

    spec = searches.spec_of(run).finish
    trained = train(
        te.Student(net, whole if spec.distillation else None),
        run.learned,
        training=spec,
        seed=run.recipe.seed,
        checkpoint=TrainingCheckpoint(run.workspace, STAGE.name, name),
        reporter=run.reporter,
    )
    return trained.history, trained.earlier_seconds


STAGE = Stage("finish", run, needs=("tensorflow", "ai_edge_litert"))
