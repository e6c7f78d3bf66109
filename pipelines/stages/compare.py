"""Judge both trainings of the ladder, and each rung's net trained alone, on the same test images."""

import typing
from collections.abc import Iterator
from typing import Any

from pipelines.report.pairs import Pair
from pipelines.stages import alone, elastic, grown
from pipelines.stages.base import Outcome, Run, Stage
from pipelines.stages.judging import judge

if typing.TYPE_CHECKING:
    import keras


def run(run: Run) -> Outcome:
    """Judge every net, and pair its hits with those of the rung's net trained alone."""
    rows: dict[str, dict[str, Any]] = {}
    of_alone = {}
    with run.reporter.bar(3 * len(run.recipe.ladder.widths), "nets") as advance:
        for method, name, net in _nets(run):
            verdict = judge(run, net)
            figures = verdict.figures
            if method == "alone":
                of_alone[name] = verdict.hits
                costs = {key: figures[key] for key in ("params", "macs")}
                rows[name] = {"name": name, **costs, "methods": {}}
            rows[name]["methods"][method] = {
                "accuracy_keras": figures["accuracy_keras"],
                "accuracy_tflite": figures["accuracy_tflite"],
                "against_alone": Pair.of(verdict.hits, of_alone[name]).to_json(),
            }
            advance(sum(len(row["methods"]) for row in rows.values()), f"{method} {name}")
    return Outcome(_summary(rows), results={"rungs": list(rows.values())})


def _nets(run: Run) -> "Iterator[tuple[str, str, keras.Model]]":
    """Yield every rung's net: first each trained alone, then those of the two elastic networks."""
    import keras

    import tfelastic as te  # noqa: F401 (registers ElasticModel for loading)

    for name in run.workspace.results(alone.STAGE.name)["accuracy"]:
        yield "alone", name, keras.saving.load_model(run.path(alone.keras_file(name)))
    for method, file in (("joint", elastic.FILE), ("grown", grown.FILE)):
        net = keras.saving.load_model(run.path(file))
        for name in net.names:
            yield method, name, net.cut(name)


def _summary(rows: dict[str, dict[str, Any]]) -> str:
    parts = []
    for name, row in rows.items():
        points = [100 * row["methods"][method]["accuracy_keras"] for method in row["methods"]]
        parts.append(f"{name} {' / '.join(f'{each:.1f}' for each in points)}")
    return f"alone / joint / grown, %: {'  '.join(parts)}"


STAGE = Stage("compare", run, needs=("tensorflow", "ai_edge_litert"))
