"""Puts every image classifier of keras.applications through tracing, pruning and conversion, and tabulates it.

    python -m benchmarks.applications --workspace runs/applications

Each net is surveyed at its official input size without allocating a weight: traced, counted, and planned down to
half its MACs. The smallest net of each family is then proved at a small input size in float64: with random
weights everywhere, the pruned net must equal the original whose dropped channels are zeroed, a plan with one wrong
channel must not, and the cost counted on the pruned net must be the cost predicted. In float32 it must convert
to a .tflite that agrees with Keras.

Every result is kept as a JSON file in the workspace, so an interrupted run goes on where it stopped. At the end
docs/applications.md is written anew.
"""

import argparse
import functools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

import tfelastic as te
from tests.support.inference import random_inputs, run
from tests.support.oracles import TOLERANCE, counted_macs, difference, masked, wrong_plans
from tests.support.precision import precision
from tests.support.weights import randomize

HALF = te.Budget(macs=0.5)
WRONG_PLANS = 5  # groups in which a wrong channel is tried, spread over the depth of the net
OUTPUT = Path(__file__).parents[1] / "docs" / "applications.md"

# Input sizes: the official one of each net.
SURVEY = {
    **dict.fromkeys(("MobileNet", "MobileNetV2", "MobileNetV3Small", "MobileNetV3Large"), 224),
    **{
        f"EfficientNetB{number}": size
        for number, size in enumerate((224, 240, 260, 300, 380, 456, 528, 600))
    },
    **{f"EfficientNetV2B{number}": size for number, size in enumerate((224, 240, 260, 300))},
    "EfficientNetV2S": 384,
    "EfficientNetV2M": 480,
    "EfficientNetV2L": 480,
    **{f"ResNet{depth}{version}": 224 for version in ("", "V2") for depth in (50, 101, 152)},
    **{f"DenseNet{depth}": 224 for depth in (121, 169, 201)},
    "InceptionV3": 299,
    "InceptionResNetV2": 299,
    "Xception": 299,
    "NASNetMobile": 224,
    "NASNetLarge": 331,
    "VGG16": 224,
    "VGG19": 224,
    **{f"ConvNeXt{size}": 224 for size in ("Tiny", "Small", "Base", "Large", "XLarge")},
}

# The smallest net of each family, with an input size that float64 on a CPU can bear.
PROOF = {
    "MobileNet": 64,
    "MobileNetV2": 64,
    "MobileNetV3Small": 64,
    "EfficientNetB0": 64,
    "EfficientNetV2B0": 64,
    "ResNet50": 64,
    "ResNet50V2": 64,
    "DenseNet121": 64,
    "InceptionV3": 75,
    "InceptionResNetV2": 75,
    "Xception": 72,
    "NASNetMobile": 64,
    "VGG16": 32,
    "ConvNeXtTiny": 32,
}


def network(name: str, size: int, *, classes: int) -> keras.Model:
    """Return the net `name` of keras.applications with logits as its output and fresh weights."""
    build = getattr(keras.applications, name)
    options = {"weights": None, "classes": classes, "classifier_activation": None}
    return build(input_shape=(size, size, 3), **options)


def without_weights(name: str, size: int) -> keras.Model:
    """Return the net `name` with 1,000 classes and variables that have shapes but no values."""
    with keras.StatelessScope(initialize_variables=False):
        model = network(name, size, classes=1000)
    keras.utils.clear_session()  # Keras has a list of variables to give values to later: forget it.
    return model


def survey(name: str) -> dict[str, Any]:
    """Trace, count and plan a net at its official size; its weights are never made."""
    graph = te.trace(without_weights(name, SURVEY[name]))
    whole = te.cost(graph)
    plan = te.plan(graph, budget=HALF, strategy="uniform", criterion="random")
    half = te.cost(graph, plan)
    return {
        "layers": len({step.path for step in graph.steps}),
        "groups": len(graph.groups),
        "prunable": prunable_share(graph),
        "params": [whole.params, half.params],
        "macs": [whole.macs, half.macs],
        "frozen": frozen_reasons(graph),
        "opaque": sorted({f"{s.path}: {s.opaque}" for s in graph.steps if s.opaque}),
    }


def prunable_share(graph: te.LayerGraph) -> float:
    """Return the share of channels that a plan may drop; the logits, which always stay, are left out."""
    hidden = [group for group in graph.groups if "an output of the model" not in group.frozen]
    free = sum(
        group.size * group.channels for group in hidden if not group.frozen and group.size > 1
    )
    return free / sum(group.size * group.channels for group in hidden)


def frozen_reasons(graph: te.LayerGraph) -> dict[str, list[str]]:
    """Return for each frozen group, the logits left out, why it is frozen."""
    return {
        group.name: list(group.frozen)
        for group in graph.groups
        if group.frozen and "an output of the model" not in group.frozen
    }


def prove(name: str) -> dict[str, Any]:
    """Prune a net to half its MACs and judge it: law 2, wrong channels, costs, conversion."""
    with precision("float64"):
        record, plan = judge(randomize(network(name, PROOF[name], classes=10), alive=True))
    keras.utils.clear_session()
    model = randomize(network(name, PROOF[name], classes=10), alive=True)
    record["tflite_difference"] = convert(te.prune(model, plan))
    return record


def judge(model: keras.Model) -> tuple[dict[str, Any], te.KeepPlan]:
    """Prune `model` to half its MACs; return how that went, and the plan."""
    graph = te.trace(model)
    plan = te.plan(graph, budget=HALF, strategy="uniform")
    pruned = te.prune(model, plan)
    batch = random_inputs(model)
    expected = masked(graph, plan, batch)
    wrong = list(wrong_plans(graph, plan))
    chosen = [wrong[i] for i in np.linspace(0, len(wrong) - 1, WRONG_PLANS, dtype=int)]
    predicted, counted = te.cost(graph, plan), te.cost(pruned)
    exact = (counted.params, counted.macs) == (pruned.count_params(), counted_macs(pruned))
    record = {
        "size": model.input_shape[1],
        "difference": difference(expected, run(pruned, batch)),
        "wrong": [difference(expected, masked(graph, each, batch)) for each in chosen],
        "macs_share": predicted.macs / te.cost(graph).macs,
        "cost_exact": predicted == counted and exact,
    }
    return record, plan


def convert(model: keras.Model) -> float:
    """Convert `model` to a float32 .tflite and return how far that is from Keras, relative to the output."""
    from tflite_export._convert import convert as to_tflite
    from tflite_export.runtimes import LiteModel

    batch = random_inputs(model)
    found = LiteModel(to_tflite(model, scheme="float32")).outputs([batch[0]])[0]
    return difference(run(model, batch), [found])


def passed(proof: dict[str, Any]) -> bool:
    """Whether a proof holds: law 2, every wrong channel found, costs exact, half the MACs."""
    right = proof["difference"] < TOLERANCE < min(proof["wrong"])
    return right and proof["cost_exact"] and proof["macs_share"] <= 0.5


def kept(
    workspace: Path, kind: str, name: str, work: Callable[[str], dict[str, Any]]
) -> dict[str, Any]:
    """Return the result of `work(name)`, from the workspace where it was done before."""
    path = workspace / f"{kind}-{name}.json"
    if not path.exists():
        result = work(name)
        keras.utils.clear_session()
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(result, indent=1))
        partial.replace(path)
        print(f"{kind} {name}: done", flush=True)
    return json.loads(path.read_text())


def page(surveys: dict[str, dict[str, Any]], proofs: dict[str, dict[str, Any]]) -> str:
    """Return the text of docs/applications.md."""
    layers = sum(len(found["opaque"]) for found in surveys.values())
    rows = [_row(name, found, proofs.get(name)) for name, found in surveys.items()]
    return "\n".join(
        [*_introduction(len(surveys), len(proofs), layers), *rows, "", *_why(surveys), ""]
    )


def _introduction(count: int, proved: int, whole: int) -> list[str]:
    return [
        "# Every image classifier of keras.applications",
        "",
        "Generated by `python -m benchmarks.applications`; do not edit.",
        "",
        f"{count} nets are traced at their official input size with 1,000 classes; no rule is missing in "
        f"{'any of them' if not whole else f'all but {whole} of their layers'}. *Prunable* is the share of the "
        "channels, logits left out, that a plan may drop. *After* is the uniform plan for half the MACs "
        '(`te.plan(model, budget=te.Budget(macs=0.5), strategy="uniform")`, channel counts in multiples of 8).',
        "",
        f"{proved} nets, the smallest of each family, are really pruned, with random weights, biases, BatchNorm "
        "statistics and layer scales, at a small input size. *Law 2* is the difference in float64 between the "
        "pruned net's logits and those of the original whose dropped channels are set to zero wherever channels "
        f"are summed, relative to their norm (allowed: {TOLERANCE:.0e}). *One wrong channel* is the smallest "
        f"difference that a single exchanged channel makes, tried in {WRONG_PLANS} groups over the net's depth. "
        "*Pruned* says that both hold, that parameters and MACs counted on the pruned net are exactly those "
        "predicted, and that at most half the MACs are left. *Converted* is the difference between the pruned "
        "net's float32 .tflite in LiteRT and Keras.",
        "",
        "| model | traced | groups | prunable | params | after | MACs | after | pruned | law 2 | "
        "one wrong channel | converted |",
        "|---|---|--:|--:|--:|--:|--:|--:|---|--:|--:|--:|",
    ]


def _row(name: str, found: dict[str, Any], proof: dict[str, Any] | None) -> str:
    cells = [
        name,
        "yes",
        str(found["groups"]),
        f"{found['prunable']:.1%}",
        *(f"{value / 1e6:,.2f} M" for value in found["params"]),
        *(f"{value / 1e6:,.0f} M" for value in found["macs"]),
    ]
    if proof is None:
        cells += ["", "", "", ""]
    else:
        cells += [
            "yes" if passed(proof) else "NO",
            f"{proof['difference']:.0e}",
            f"{min(proof['wrong']):.0e}",
            f"{proof['tflite_difference']:.0e}",
        ]
    return f"| {' | '.join(cells)} |"


def _why(surveys: dict[str, dict[str, Any]]) -> list[str]:
    """Say for every net with frozen channels which layers are why."""
    lines = ["## What stays whole, and why", ""]
    for name, found in surveys.items():
        if found["frozen"]:
            told = "; ".join(
                f"`{group}`: {reasons[0]}" + f" (and {len(reasons) - 1} more)" * (len(reasons) > 1)
                for group, reasons in found["frozen"].items()
            )
            lines += [f"- {name}, {len(found['frozen'])} of {found['groups'] - 1} groups. {told}."]
    return [*lines, "", "In all other nets every channel but the logits may be dropped."]


def main() -> None:
    """Run what the workspace lacks, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--workspace", type=Path, required=True, help="where results are kept")
    parser.add_argument("--only", nargs="*", help="names of nets; the page is not written then")
    arguments = parser.parse_args()
    arguments.workspace.mkdir(parents=True, exist_ok=True)
    chosen = arguments.only or SURVEY
    keep = functools.partial(kept, arguments.workspace)
    surveys = {name: keep("survey", name, survey) for name in SURVEY if name in chosen}
    proofs = {name: keep("proof", name, prove) for name in PROOF if name in chosen}
    for name, proof in proofs.items():
        if not passed(proof):
            print(f"{name}: {proof}")
    if not arguments.only:
        partial = OUTPUT.with_suffix(".partial")
        partial.write_text(page(surveys, proofs))
        partial.replace(OUTPUT)
        print(f"wrote {OUTPUT}")


if __name__ == "__main__":
    main()
