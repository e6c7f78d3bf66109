"""A bundle in one C array: what runs in place, what is copied, and the project around it."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tfelastic_runtime import Bundle
from tfelastic_runtime.delta import expand

from pipelines.cli.entry import execute
from tests.tflite_export.embed.conftest import CHANNELS, CLASSES, IMAGE_SHAPE, SHARED
from tflite_export import VerificationError
from tflite_export._embed import Flash, embed, layout, writing
from tflite_export.arena import estimate_arena
from tflite_export.errors import PackError
from tflite_export.runtimes import tflm
from tflite_export.tflite import buffers, with_roots


def test_roots_over_one_pool_run_on_tflm_as_the_files_do(models: dict[str, bytes]) -> None:
    roots = with_roots(list(models.values()))
    images = np.random.default_rng(1).integers(-128, 128, (4, *IMAGE_SHAPE), np.int8)
    assert roots.offsets[0] == 0
    for index, model in enumerate(models.values()):
        assert roots.offsets[index] % 16 == 0
        (own,) = tflm.run(model, [images])
        assert len(np.unique(own)) > CLASSES
        assert np.array_equal(tflm.run(roots.model(index), [images])[0], own)


def test_shared_constants_are_stored_once_and_aligned(models: dict[str, bytes]) -> None:
    deep, shallow = models.values()
    roots = with_roots([deep, shallow])
    alone = with_roots([deep])
    assert len(roots.data) - len(alone.data) < 0.2 * len(shallow)
    for buffer in buffers(deep):
        constant = deep[buffer.offset :][: buffer.bytes]
        assert roots.data.count(constant) == 1 or buffer.bytes < 64
    for index in range(2):
        places = [roots.offsets[index] + each.offset for each in buffers(roots.model(index))]
        assert not any(place % 16 for place in places)


def test_equal_input_gives_equal_bytes(models: dict[str, bytes]) -> None:
    assert with_roots(list(models.values())) == with_roots(list(models.values()))


def test_a_depth_rung_runs_in_place(ladder: Path) -> None:
    flash = layout(Bundle.open(ladder))
    deep, shallow = flash.placed
    assert (deep.in_place, shallow.in_place) == (True, True)
    assert deep.ram_bytes == shallow.ram_bytes == 0
    assert flash.data[shallow.offset :] == shallow.model
    assert deep.flash_bytes + shallow.flash_bytes == len(flash.data)
    assert shallow.flash_bytes < deep.flash_bytes / 4


def test_the_arena_is_planned_for_the_boards_kernels_over_the_same_constants(ladder: Path) -> None:
    bundle = Bundle.open(ladder)
    flashes = [layout(bundle, kernels=kernels) for kernels in ("reference", "esp-nn")]
    # The bundle's files have no plan: 12,032 bytes are what TFLM's own planner needs beside ESP-NN's scratch.
    assert [_activation_bytes(flash, "esp-nn") for flash in flashes] == [
        {"deep": 12_032, "shallow": 11_008},
        {"deep": 11_008, "shallow": 11_008},
    ]
    own, planned = flashes
    assert all(placed.in_place for placed in planned.placed)
    # What is added is one plan: a number for each tensor.
    assert 0 < len(planned.data) - len(own.data) < 256
    images = np.random.default_rng(1).integers(-128, 128, (4, *IMAGE_SHAPE), np.int8)
    for placed in planned.placed:
        (found,) = tflm.run(placed.model, [images])
        (expected,) = tflm.run(bundle.model(placed.variant.name), [images])
        assert np.array_equal(found, expected)


def _activation_bytes(flash: Flash, kernels: str) -> dict[str, int]:
    return {
        placed.variant.name: estimate_arena(placed.model, kernels=kernels).activation_bytes
        for placed in flash.placed
    }


def test_a_width_rung_is_copied_and_its_ram_told() -> None:
    bundle = Bundle.open(SHARED)
    flash = layout(bundle)
    assert [placed.in_place for placed in flash.placed] == [True, True, False, False]
    for placed in flash.placed:
        stored = memoryview(flash.data)[placed.offset :][: placed.stored_bytes]
        if placed.in_place:
            assert (placed.ram_bytes, bytes(stored)) == (0, placed.model)
        else:
            written = expand(stored, memoryview(flash.data), size=placed.ram_bytes)
            assert written == placed.model
            assert placed.ram_bytes < placed.variant.bytes
    assert sum(placed.flash_bytes for placed in flash.placed) == len(flash.data)


def test_any_variant_runs_in_place_if_told_to() -> None:
    bundle = Bundle.open(SHARED)
    flash, plain = layout(bundle, in_place=["w050-int8"]), layout(bundle)
    (chosen,) = (each for each in flash.placed if each.variant.name == "w050-int8")
    assert chosen.in_place
    assert len(flash.data) > len(plain.data)
    with pytest.raises(PackError, match=r"no variant 'w7'; it has w100-int8"):
        layout(bundle, in_place=["w7"])


@pytest.mark.usefixtures("measured")
def test_a_variant_that_answers_otherwise_is_not_written(
    ladder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flash = layout(Bundle.open(ladder))
    deep, shallow = flash.placed
    exchanged = dataclasses.replace(
        flash, placed=(deep, dataclasses.replace(shallow, model=deep.model))
    )
    monkeypatch.setattr(writing, "lay_out", lambda bundle, **_: exchanged)
    with pytest.raises(VerificationError, match="'shallow'"):
        embed(ladder, tmp_path / "project")
    assert not (tmp_path / "project").exists()


def test_the_command_measures_arenas_and_writes(
    ladder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(tmp_path / "project")
    assert execute(["embed", str(ladder), "-o", folder, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["operators"] == ["ADD", "CONV_2D", "FULLY_CONNECTED", "MEAN"]
    assert told["array_bytes"] < told["separate_bytes"]
    for variant in told["variants"]:
        least, given = variant["arena_bytes"], variant["arena_with_margin_bytes"]
        # The input and two outputs of 16 channels are alive at once.
        assert least > 2 * 8 * 8 * CHANNELS
        assert least * 1.05 <= given < least * 1.05 + 16
    assert (
        "MutableOpResolver<4>"
        in (tmp_path / "project" / "elastic_model" / "elastic_model_operators.h").read_text()
    )
    shutil.rmtree(folder)
    assert execute(["embed", str(ladder), "-o", folder, "--in-place", "none"]) == 1
    assert "no variant 'none'" in capsys.readouterr().err
    assert not Path(folder).exists()
