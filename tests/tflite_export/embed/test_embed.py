"""A bundle in one C array: what runs in place, what is copied, and the project around it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import keras
import numpy as np
import pytest
from tfelastic_runtime import Bundle
from tfelastic_runtime.delta import expand

from pipelines.cli.entry import execute
from tflite_export import Variant, VerificationError, write_bundle
from tflite_export._convert import convert
from tflite_export._embed import embed, layout, writing
from tflite_export.errors import PackError
from tflite_export.runtimes import ArenaReport, tflm
from tflite_export.tflite import buffers, with_roots

layers = keras.layers

HERE = Path(__file__).parent
SHARED = Path(__file__).parents[3] / "runtime" / "conformance" / "shared.elastic"
STRICT = (
    *("g++", "-std=c++17", "-O1", "-fno-exceptions", "-fno-rtti"),
    *("-Wall", "-Wextra", "-Wshadow", "-Werror"),
)
IMAGE_SHAPE, CHANNELS, CLASSES = (8, 8, 3), 16, 4


def net(blocks: int) -> keras.Model:
    """Return a residual network, the same weights whatever number of blocks."""
    inputs = keras.Input(IMAGE_SHAPE)
    x = layers.Conv2D(CHANNELS, 3, padding="same", activation="relu")(inputs)
    for _ in range(blocks):
        y = layers.Conv2D(CHANNELS, 3, padding="same", activation="relu")(x)
        x = layers.Add()([x, layers.Conv2D(CHANNELS, 3, padding="same")(y)])
    model = keras.Model(inputs, layers.Dense(CLASSES)(layers.GlobalAveragePooling2D()(x)))
    rng = np.random.default_rng(0)
    stem, *convolutions, classifier = [each for each in model.layers if each.weights]
    for layer in (classifier, stem, *convolutions):
        for weight in layer.weights:
            weight.assign(rng.normal(0, 0.1, weight.shape))
    return model


@pytest.fixture(scope="module")
def models() -> dict[str, bytes]:
    """A network, and what is left of it without its last block."""
    samples = np.random.default_rng(0).integers(0, 256, (8, *IMAGE_SHAPE), np.uint8)
    return {
        name: convert(net(blocks), scheme="int8", samples=samples)
        for name, blocks in (("deep", 2), ("shallow", 1))
    }


@pytest.fixture(scope="module")
def ladder(models: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("embed") / "depth.elastic"
    fields = {"width": 1.0, "params": 1, "macs": 1, "score": 0.5, "scheme": "int8"}
    write_bundle(
        path,
        [Variant(name=name, tflite=model, **fields) for name, model in models.items()],
        name="depth",
    )
    return path


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tell any arena at once: measuring takes seconds."""
    monkeypatch.setattr(writing, "measure_arena", lambda tflite: ArenaReport(1000, 600, 400))


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


def compiled(folder: Path, *arguments: str) -> str:
    """Compile C++ strictly against the stub of TFLM, run it, and return what it printed."""
    includes = (f"-I{folder}", f"-I{folder / 'include'}", f"-I{HERE / 'tflm_stub'}")
    program = folder / "program"
    subprocess.run([*STRICT, *includes, *arguments, "-o", str(program)], check=True)
    return subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout


@pytest.mark.usefixtures("measured")
def test_the_project_compiles_and_loads_every_variant(tmp_path: Path) -> None:
    embed(SHARED, tmp_path)
    data = str(tmp_path / "model_data.cc")
    loaded = compiled(tmp_path, str(HERE / "load_all.cc"), data).splitlines()
    for line, placed in zip(loaded, layout(Bundle.open(SHARED)).placed, strict=True):
        assert line == f"{placed.variant.name} {placed.model.hex()}"


@pytest.mark.usefixtures("measured")
def test_the_project_builds_where_a_library_is_named(tmp_path: Path) -> None:
    embed(SHARED, tmp_path)
    library = tmp_path / "libempty.a"
    subprocess.run(["ar", "rc", str(library)], check=True)
    unnamed = subprocess.run(["make", "-C", str(tmp_path)], capture_output=True, check=False)
    assert unnamed.returncode != 0
    assert b"TFLM_LIBRARY=..." in unnamed.stderr
    named = (f"TFLM_INCLUDE={HERE / 'tflm_stub'}", f"TFLM_LIBRARY={library}")
    flags = "CXXFLAGS=-O0 -Wall -Wextra -Wshadow -Werror"
    subprocess.run(["make", "-C", str(tmp_path), *named, flags], capture_output=True, check=True)
    done = subprocess.run([str(tmp_path / "embedded_model")], capture_output=True, check=True)
    lines = done.stdout.decode().splitlines()
    assert [line.split(":")[0] for line in lines] == ["w100-int8", "w100", "w050-int8", "w050"]
    # The stub answers zeros: 0 - 104, times the scale.
    assert lines[0] == "w100-int8: arena 0 of 1280 bytes, answers" + 3 * " -0.0734569"


@pytest.mark.usefixtures("measured")
def test_writing_again_gives_the_same_files(ladder: Path, tmp_path: Path) -> None:
    report = embed(ladder, tmp_path / "one")
    embed(ladder, tmp_path / "other")
    digests = [
        [hashlib.sha256((tmp_path / which / name).read_bytes()).digest() for name in report.files]
        for which in ("one", "other")
    ]
    assert digests[0] == digests[1]


@pytest.mark.usefixtures("measured")
def test_a_variant_that_answers_otherwise_is_not_written(
    ladder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flash = layout(Bundle.open(ladder))
    deep, shallow = flash.placed
    exchanged = dataclasses.replace(
        flash, placed=(deep, dataclasses.replace(shallow, model=deep.model))
    )
    monkeypatch.setattr(writing, "layout", lambda bundle, in_place: exchanged)
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
        assert least * 1.1 <= given < least * 1.1 + 256
    assert "MicroMutableOpResolver<4>" in (tmp_path / "project" / "operators.h").read_text()
    shutil.rmtree(folder)
    assert execute(["embed", str(ladder), "-o", folder, "--in-place", "none"]) == 1
    assert "no variant 'none'" in capsys.readouterr().err
    assert not Path(folder).exists()
