"""Random interfaces from a .tflite through the bundle's writer to both readers, and run by LiteRT.

The networks are one RESHAPE per output, so that what a selector returns follows from the quantization alone.
"""

from pathlib import Path

import numpy as np
import pytest
from tfelastic_runtime import Bundle, InputSpec, Latency, OutputSpec, Row, ScoreSpec, Selector

from tests.support.questions import (
    BUNDLE,
    Ask,
    answer_of_python,
    answered_by_policy,
    asked_of_policy,
    comparable,
)
from tests.support.tflite_builder import Cell, Node, tflite_file
from tflite_export.bundle.interface import Interface
from tflite_export.bundle.manifest import Variant
from tflite_export.bundle.writer import write_bundle

ZERO_POINTS = {"float32": (0, 0), "int8": (-128, 127), "uint8": (0, 255), "int16": (0, 0)}
BETTER, WORSE = 0.75, 0.25


def random_cell(rng: np.random.Generator, dtype: str, shape: tuple[int, ...]) -> Cell:
    """Return a tensor with a random quantization; a float has none."""
    if dtype == "float32":
        return Cell(dtype, shape)
    low, high = ZERO_POINTS[dtype]
    scale = float(np.float32(rng.uniform(0.001, 2)))
    return Cell(dtype, shape, scale, int(rng.integers(low, high + 1)))


def flat(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (1, int(np.prod(shape)))


def reshaping(cells: list[Cell], sources: list[int]) -> bytes:
    """Return a file whose outputs are the inputs of the numbers in `sources`, each `[1, elements]`."""
    count = len(cells)
    outputs = [
        Cell(c.dtype, flat(c.shape), c.scale, c.zero_point) for c in (cells[s] for s in sources)
    ]
    nodes = [
        Node(
            "RESHAPE",
            (s,),
            (count + i,),
            "ReshapeOptions",
            {"newShape": list(flat(cells[s].shape))},
        )
        for i, s in enumerate(sources)
    ]
    places = range(count, count + len(sources))
    return tflite_file([*cells, *outputs], nodes, inputs=range(count), outputs=places)


def stored_and_back(value: np.ndarray, cell: Cell) -> np.ndarray:
    """Return what is left of real values, by the formula of SPEC.md, section 3."""
    if cell.scale is None:
        return value
    scale, limits = np.float32(cell.scale), np.iinfo(cell.dtype)
    stored = np.clip(np.rint(value / scale) + cell.zero_point, limits.min, limits.max)
    return ((stored - cell.zero_point) * scale).astype(np.float32)


@pytest.mark.parametrize("higher_is_better", [True, False])
@pytest.mark.parametrize("seed", range(20))
def test_a_random_interface_reaches_both_readers_and_litert(
    ask_sanitized: Ask, tmp_path: Path, seed: int, higher_is_better: bool
) -> None:
    rng = np.random.default_rng(seed)
    shapes = [
        (1, *rng.integers(1, 5, rng.integers(0, 5)).tolist()) for _ in range(rng.integers(1, 4))
    ]
    sources = rng.integers(0, len(shapes), rng.integers(1, 4)).tolist()
    inputs = tuple(InputSpec(f"in {i}", shape) for i, shape in enumerate(shapes))
    outputs = []
    for i, source in enumerate(sources):
        shape = flat(shapes[source])
        labels = tuple(f"{i} é {j}" for j in range(shape[1])) if rng.integers(2) else None
        outputs.append(OutputSpec(f"out {i}", shape, "values", labels))
    variants, stored = [], {}
    for name, width in (("wide", 1.0), ("narrow", 0.5)):
        dtypes = rng.choice(list(ZERO_POINTS), len(shapes))
        cells = [random_cell(rng, str(d), s) for d, s in zip(dtypes, shapes, strict=True)]
        # Each file orders its tensors in its own way.
        order, given = rng.permutation(len(shapes)), rng.permutation(len(sources))
        place = {int(old): new for new, old in enumerate(order)}
        file = reshaping([cells[i] for i in order], [place[sources[i]] for i in given])
        stored[name] = cells
        variants.append(
            Variant(
                name=name,
                width=width,
                params=1,
                macs=1,
                score=BETTER if (name == "wide") == higher_is_better else WORSE,
                scheme="random",
                tflite=file,
                input_names=tuple(inputs[i].name for i in order),
                output_names=tuple(outputs[i].name for i in given),
            )
        )
    interface = Interface(inputs, tuple(outputs), ScoreSpec("m", higher_is_better=higher_is_better))
    write_bundle(tmp_path / "net.elastic", variants, name="net", interface=interface)
    data = (tmp_path / "net.elastic").read_bytes()
    bundle = Bundle.from_bytes(data)
    assert (bundle.manifest.inputs, bundle.manifest.outputs) == (inputs, tuple(outputs))

    (answer,) = ask_sanitized([(BUNDLE, data, b"")])
    assert comparable(answer) == answer_of_python(data) is not None
    # The wide variant is the better one in both directions, and is chosen where both are in time.
    table = [Row(int(each.split()[3]), 10, 10, 0) for each in answer.split("\t")[-2:]]
    (choice,) = ask_sanitized([asked_of_policy(table, [(1000, 10, None)])])
    assert answered_by_policy(choice)[0][0] == 0

    values = {s.name: rng.normal(0, 60, s.shape[1:]).astype(np.float32) for s in inputs}
    latencies = dict.fromkeys(stored, Latency(10, 10, 20))
    with Selector.open(bundle, budget_us=2**31 - 1, profile=latencies) as selector:
        result = selector.run(values)
    assert result.variant == "wide"
    for spec, source in zip(outputs, sources, strict=True):
        expected = stored_and_back(values[f"in {source}"], stored["wide"][source])
        np.testing.assert_array_equal(result.outputs[spec.name], expected.ravel())
