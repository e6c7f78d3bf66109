"""Judge both trainings of the ladder, and each rung's net trained alone, on the same test images."""

import typing
from collections.abc import Iterator
from typing import Any

from pipelines.report.pairs import Pair
from pipelines.stages import alone, elastic, grown
from pipelines.stages.base import Outcome, Run, Stage, some_images

if typing.TYPE_CHECKING:
    import keras


def run(run: Run) -> Outcome:
    """Count every net's hits, in Keras and after conversion, and pair them with those of the net trained alone."""
    import tfelastic as te
    import tflite_export as tx
    from pipelines.stages.training import hits

    dataset, spec = run.dataset, run.recipe.export
    samples = some_images(dataset.train.images, spec.calibration, seed=run.recipe.seed)
    rows: dict[str, dict[str, Any]] = {}
    of_alone = {}
    with run.reporter.bar(3 * len(run.recipe.ladder.widths), "nets") as advance:
        for method, name, net in _nets(run):
            test = dataset.test
            found = hits(net, test)
            if method == "alone":
                cost = te.cost(net)
                of_alone[name] = found
                rows[name] = {"name": name, "params": cost.params, "macs": cost.macs, "methods": {}}
            tflite = tx.convert(net, scheme=spec.scheme, samples=samples, seed=run.recipe.seed)
            seen = tx.verify(net, tflite, test.images, test.labels, scheme=spec.scheme)
            rows[name]["methods"][method] = {
                "accuracy_keras": float(found.mean()),
                "accuracy_tflite": seen.accuracy_tflite,
                "against_alone": Pair.of(found, of_alone[name]).to_json(),
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
