"""Plans that TFLM carries out: predicted to the byte, with equal outputs, and kept by whatever rewrites a file."""

import random
from pathlib import Path

import keras
import numpy as np
import pytest
from tfelastic_runtime import Bundle

import tfelastic as te
import tflite_export as tx
from tests.support.tflite_builder import Cell, Node, tflite_file
from tests.support.weights import randomize
from tflite_export._embed.flash import layout
from tflite_export.arena import estimate_arena, plan_arena, with_arena_plan
from tflite_export.runtimes import LiteModel, measure_arena
from tflite_export.runtimes.tflm import infer
from tflite_export.tflite import (
    read_graph,
    read_memory_plan,
    strip,
    with_memory_plan,
    with_roots,
)

SEEDS = range(8)
SHAPE = (1, 12, 12, 4)
IMAGE_SHAPE = (16, 16, 3)


def random_file(seed: int) -> bytes:
    """Return a network of branches that grow, shrink and meet, of float32 values."""
    rng = random.Random(seed)
    cells, nodes = [Cell("float32", SHAPE) for _ in range(2)], []

    def emit(name: str, reads: tuple[int, ...], shape: tuple[int, ...], options="", **values):
        cells.append(Cell("float32", shape))
        nodes.append(Node(name, reads, (len(cells) - 1,), options, values))

    for _ in range(rng.randint(12, 24)):
        one, other = (max(0, len(cells) - 1 - rng.randint(0, 2)) for _ in range(2))
        (_, height, width, channels), beside = cells[one].shape, cells[other].shape
        kind = rng.choice(("unary", "pool", "pair", "join"))
        if kind == "unary":
            emit(rng.choice(("RELU", "LOGISTIC", "TANH", "HARD_SWISH")), (one,), cells[one].shape)
        elif kind == "pool" and height > 2:
            stride = rng.choice((1, 2))
            options = {"filterWidth": 3, "filterHeight": 3, "strideW": stride, "strideH": stride}
            shape = (1, -(-height // stride), -(-width // stride), channels)
            emit("MAX_POOL_2D", (one,), shape, "Pool2DOptions", **options)
        elif kind == "pair" and beside == cells[one].shape:
            emit(rng.choice(("ADD", "MUL", "SUB")), (one, other), beside)
        elif beside[:3] == cells[one].shape[:3] and channels + beside[3] <= 32:
            joined = (*beside[:3], channels + beside[3])
            emit("CONCATENATION", (one, other), joined, "ConcatenationOptions", axis=3)
    read = {tensor for node in nodes for tensor in node.inputs}
    outputs = [node.outputs[0] for node in nodes if node.outputs[0] not in read]
    return tflite_file(cells, nodes, inputs=[0, 1], outputs=outputs)


@pytest.mark.parametrize("seed", SEEDS)
def test_tflm_computes_the_same_by_a_plan_in_the_bytes_that_it_states(seed: int) -> None:
    tflite = random_file(seed)
    plan = plan_arena(tflite)
    assert plan.in_place_bound_bytes <= plan.planned_bytes <= plan.tflm_bytes
    rng = np.random.default_rng(seed)
    inputs = [rng.normal(size=(2, *SHAPE[1:])).astype("float32") for _ in range(2)]
    own, planned = infer(tflite, inputs), infer(with_memory_plan(tflite, plan.offsets), inputs)
    assert own.activation_bytes == plan.tflm_bytes
    assert planned.activation_bytes == plan.planned_bytes
    for one, other in zip(own.outputs, planned.outputs, strict=True):
        np.testing.assert_array_equal(one, other)


def test_some_of_those_plans_save_and_write_in_place() -> None:
    plans = [plan_arena(random_file(seed)) for seed in SEEDS]
    assert any(plan.saved_bytes for plan in plans)
    assert any(plan.in_place for plan in plans)
    assert any(plan.planned_bytes < plan.bound_bytes for plan in plans)


@pytest.fixture(scope="module")
def resnet() -> keras.Model:
    """Return a network that TFLM's own planner lays out with gaps."""
    return randomize(te.zoo.build("resnet8", input_shape=IMAGE_SHAPE, classes=5), seed=0)


@pytest.fixture(scope="module")
def planned(resnet, images) -> bytes:
    """Return that network's file for TFLM."""
    return tx.convert(resnet, target="tflm", strip=True, samples=images)


def test_a_file_for_tflm_is_planned_and_another_is_not(resnet, planned, images) -> None:
    own = tx.convert(resnet, target="tflm", arena="tflm", strip=True, samples=images)
    assert read_memory_plan(own) is None
    assert read_memory_plan(planned) == plan_arena(own).offsets
    assert measure_arena(planned).arena_bytes < measure_arena(own).arena_bytes
    found = LiteModel(planned), LiteModel(own)
    for one, other in zip(*(model.outputs([images]) for model in found), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(tx.SchemeError, match=r"'planned' or 'tflm', received 'best'"):
        tx.ConversionOptions(arena="best")


def test_the_plan_outlives_whatever_rewrites_the_file() -> None:
    own = [random_file(seed) for seed in (3, 6)]
    files = [with_arena_plan(tflite) for tflite in own]
    plans = [read_memory_plan(tflite) for tflite in files]
    assert None not in plans
    assert [read_memory_plan(strip(tflite)) for tflite in files] == plans
    roots = with_roots(files)
    assert [read_memory_plan(roots.model(index)) for index in (0, 1)] == plans
    # Planned again it is the same file; without its plan it is the network that it was.
    assert [with_arena_plan(tflite) for tflite in files] == files
    assert [plan_arena(with_memory_plan(each, None)).offsets for each in files] == plans
    assert read_memory_plan(with_memory_plan(files[0], None)) is None


def test_every_variant_of_a_bundle_keeps_its_own_plan(tmp_path, planned, converted) -> None:
    narrow = with_arena_plan(with_memory_plan(strip(converted("residual")), None))
    files = {"wide": planned, "narrow": narrow}
    bundle = write_two(tmp_path, files)
    assert {name: bundle.model(name) for name in files} == files
    flash = layout(bundle, in_place=["narrow"])
    for name, each in zip(files, flash.placed, strict=True):
        assert read_memory_plan(each.model) == read_memory_plan(files[name])


def test_a_bundles_plans_are_made_anew_for_a_library_with_scratch(tmp_path, resnet8_files) -> None:
    planned = {name: with_arena_plan(tflite) for name, tflite in resnet8_files.items()}
    bundle = write_two(tmp_path, planned)
    arenas = [
        {
            each.variant.name: arena_bytes(each.model)
            for each in layout(bundle, kernels=kernels).placed
        }
        for kernels in ("reference", "esp-nn")
    ]
    assert [found["w100"] for found in arenas] == [115_168, 108_896]
    assert arenas[1]["w025"] <= arenas[0]["w025"]


def arena_bytes(tflite: bytes) -> int:
    """Return what a file's arena takes with ESP-NN, no margin added."""
    return estimate_arena(tflite, kernels="esp-nn", margin=0).arena_bytes


def write_two(folder: Path, files: dict[str, bytes]) -> Bundle:
    """Return a bundle of these files, widest first."""
    variants = [
        tx.Variant(name=name, width=1.0, params=0, macs=0, score=0.0, scheme="int8", tflite=tflite)
        for name, tflite in files.items()
    ]
    tx.write_bundle(folder / "two.elastic", variants, name="two")
    return Bundle.open(folder / "two.elastic")


def test_a_plan_has_one_offset_for_each_tensor() -> None:
    tflite = random_file(0)
    tensors = len(read_graph(tflite).tensors)
    with pytest.raises(tx.ConversionError, match=f"the file has {tensors}, received 2"):
        with_memory_plan(tflite, [0, 16])
