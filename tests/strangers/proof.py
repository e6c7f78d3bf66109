"""What is proven of an architecture: traced, pruned to half its MACs, made elastic, converted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

import tfelastic as te
import tflite_export as tx
from benchmarks.applications import frozen_reasons, judge
from tests.strangers.architecture import Architecture
from tests.support.inference import random_inputs, run
from tests.support.oracles import TOLERANCE, difference, masked
from tests.support.precision import precision
from tests.support.weights import randomize
from tflite_export.runtimes import LiteModel

SAMPLES = 32
# How far a .tflite may be from Keras, relative to the outputs' norm.
ALLOWED = {"float32": 1e-5, "int8": 0.1}


@dataclass(frozen=True)
class Proof:
    """What was found.

    Attributes:
        params: Parameters of the whole net and of its half.
        macs: Multiply-accumulate operations of both.
        groups: Number of groups, that of the outputs left out.
        frozen: Why which groups cannot be pruned, by the group's name.
        law2: How far the half is from the original with the dropped channels at zero, in float64.
        wrong: The smallest difference that one exchanged channel makes.
        exact: Whether the predicted costs are those counted on the pruned net.
        rungs: How far any rung of the elastic net is from the original with that rung's dropped channels at zero.
        switched: Whether the widest rung computes the same, to the last bit, after a narrow one ran.
        tflite: How far the half's .tflite is from Keras, by scheme.
    """

    params: tuple[int, int]
    macs: tuple[int, int]
    groups: int
    frozen: dict[str, list[str]]
    law2: float
    wrong: float
    exact: bool
    rungs: float
    switched: bool
    tflite: dict[str, float]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Proof":
        """Read what `dataclasses.asdict` wrote."""
        return cls(**{**data, "params": tuple(data["params"]), "macs": tuple(data["macs"])})

    @property
    def faults(self) -> tuple[str, ...]:
        """What does not hold."""
        claims = {
            "the pruned net is not the masked original": self.law2 < TOLERANCE,
            "a wrong channel is not seen": self.wrong > TOLERANCE,
            "the cost is not as predicted": self.exact,
            "more than half the MACs are left": 2 * self.macs[1] <= self.macs[0],
            "a rung is not the masked original": self.rungs < TOLERANCE,
            "switching changes the widest rung": self.switched,
        }
        for scheme, found in self.tflite.items():
            claims[f"the {scheme} .tflite is {found:.1e} off"] = found < ALLOWED[scheme]
        return tuple(fault for fault, holds in claims.items() if not holds)


def prove(architecture: Architecture, schemes: Sequence[str] = tuple(ALLOWED)) -> Proof:
    """Put an architecture through everything; convert by `schemes`."""
    with precision("float64"):
        model = _fresh(architecture)
        record, plan = judge(model)
        graph = te.trace(model)
        whole, half = te.cost(graph), te.cost(graph, plan)
        rungs, switched = _elastic(model)
    return Proof(
        params=(whole.params, half.params),
        macs=(whole.macs, half.macs),
        groups=sum("an output of the model" not in group.frozen for group in graph.groups),
        frozen=frozen_reasons(graph),
        law2=record["difference"],
        wrong=min(record["wrong"]),
        exact=record["cost_exact"],
        rungs=rungs,
        switched=switched,
        tflite=_files(architecture, plan, schemes),
    )


def _fresh(architecture: Architecture) -> keras.Model:
    """Build the net with random weights; layer names, and so the plan, are the same each time."""
    keras.utils.clear_session()
    return randomize(architecture.build(), seed=architecture.seed, alive=True)


def _elastic(model: keras.Model) -> tuple[float, bool]:
    """Make the net elastic; return the worst rung's difference, and whether the widest rung stays as it is."""
    net = te.ElasticModel(model, te.ladder(model, widths=(1.0, 0.5)))
    batch = random_inputs(model)
    before = run(net.rung("w100"), batch)
    apart = [difference(run(model, batch), before)]
    for rung in net.ladder.rungs:
        found = run(net.rung(rung.name), batch)
        apart.append(difference(masked(net.graph, rung.plan, batch), found))
    return max(apart), _same(before, run(net.rung("w100"), batch))


def _same(one: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def _files(
    architecture: Architecture, plan: te.KeepPlan, schemes: Sequence[str]
) -> dict[str, float]:
    """Convert the half by each scheme; return what `Proof.tflite` holds."""
    if not schemes:
        return {}
    pruned = te.prune(_fresh(architecture), plan)
    return {scheme: _converted(pruned, scheme) for scheme in schemes}


def _converted(model: keras.Model, scheme: str) -> float:
    """Return how far a net's .tflite is from the net, relative to the outputs' norm."""
    samples = random_inputs(model, count=SAMPLES)
    alone = samples if len(samples) > 1 else samples[0]
    tflite = tx.convert(model, scheme=scheme, samples=alone, raw_pixels=False)
    return difference(run(model, samples), LiteModel(tflite).outputs(samples))
