"""What embed takes and what it refuses, in one line that names the thing and the way out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tfelastic_runtime import Bundle, Latency, Profile, ProfileError

import tflite_export as tx
from tests.support.firmware import CLOCK, TESTS, Step, compile_program, run_on_host, write_bench
from tests.tflite_export.embed.conftest import (
    IMAGE_SHAPE,
    INTERFACES,
    SHARED,
    net,
    write_depths,
)
from tflite_export import DeviceError, SchemeError
from tflite_export._convert import convert
from tflite_export._embed import Placement, embed, writing
from tflite_export._embed.identifiers import identifiers
from tflite_export._embed.operators import check_dense, registrations
from tflite_export.arena import with_arena_plan
from tflite_export.errors import PackError
from tflite_export.tflite import Operator

pytestmark = pytest.mark.usefixtures("measured")


@pytest.mark.parametrize(
    "name", ["Kws", "2nd", "a b", "int", "tflite", "_x", "a__b", "x_", "std", ""]
)
def test_a_name_must_name_a_namespace(name: str, tmp_path: Path) -> None:
    with pytest.raises(PackError, match="becomes a C\\+\\+ namespace"):
        embed(SHARED, tmp_path, name=name)
    assert not list(tmp_path.iterdir())


def test_tensors_get_identifiers_of_their_own() -> None:
    names = [
        "Serving default:0",
        "serving_default_0",
        "2nd",
        "float",
        "Größe",
        "犬",
        "x_2",
        "x",
        "x",
    ]
    assert identifiers(names) == [
        *("serving_default_0", "serving_default_0_2", "tensor_2nd", "tensor_float", "gr_e"),
        *("tensor", "x_2", "x", "x_3"),
    ]


def test_copied_variants_cannot_be_resident(tmp_path: Path) -> None:
    with pytest.raises(
        PackError, match=r"'w050-int8', 'w050' would be copied.*--in-place w050-int8"
    ):
        embed(SHARED, tmp_path, resident=True)
    report = embed(SHARED, tmp_path, resident=True, in_place=("w050-int8", "w050"))
    assert report.buffers.copy_bytes == 0
    assert report.buffers.resident_bytes is not None
    # One area for activations, and four variants' tables.
    assert (3000 + 4 * 1008) * 1.05 <= report.buffers.resident_bytes < (3000 + 4 * 1008) * 1.05 + 16
    assert "(chosen)" in next(line for line in str(report).splitlines() if "resident" in line)


def test_one_buffer_is_the_largest_sum_of_one_variant(tmp_path: Path) -> None:
    report = embed(SHARED, tmp_path)
    sums = [each.arena_with_margin_bytes + each.ram_bytes for each in report.variants]
    assert max(sums) <= report.buffers.pool_bytes < max(sums) + 16
    header = (tmp_path / "elastic_model" / "elastic_model_c.h").read_text()
    assert f"#define ELASTIC_MODEL_ARENA_BYTES {report.buffers.pool_bytes}\n" in header
    assert f"#define ELASTIC_MODEL_ARENA_BYTES {report.buffers.arena_bytes}\n" in header


def test_the_margin_is_added_to_every_arena(tmp_path: Path) -> None:
    report = embed(SHARED, tmp_path / "none", margin=0)
    assert {each.arena_with_margin_bytes for each in report.variants} == {4000}
    report = embed(SHARED, tmp_path / "half", margin=0.5)
    assert {each.arena_with_margin_bytes for each in report.variants} == {6000}
    assert "the margin is 50%" in str(report)
    header = (tmp_path / "half" / "elastic_model" / "elastic_model_c.h").read_text()
    assert f"#define ELASTIC_MODEL_ARENA_BYTES {6000 + 5360}\n" in header
    assert embed(SHARED, tmp_path / "half", Placement(margin=0.5)).margin == 0.5
    with pytest.raises(tx.ProfileError, match=r"as 0\.05 for 5 %; received 5"):
        embed(SHARED, tmp_path / "percent", margin=5)
    with pytest.raises(tx.ProfileError, match=r"a share from 0 to 1, .* received -0\.1"):
        embed(SHARED, tmp_path / "less", Placement(margin=0.5), margin=-0.1)
    assert not (tmp_path / "less").exists()


def test_kernels_with_scratch_take_a_larger_arena(
    models: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    bundle = tmp_path / "planned.elastic"
    write_depths(bundle, {name: with_arena_plan(model) for name, model in models.items()})
    reports = {
        kernels: embed(bundle, tmp_path / kernels, kernels=kernels)
        for kernels in ("reference", "cmsis-nn", "esp-nn")
    }
    for kernels in ("cmsis-nn", "esp-nn"):
        for plain, tuned in zip(
            reports["reference"].variants, reports[kernels].variants, strict=True
        ):
            assert plain.scratch_bytes < tuned.scratch_bytes
            assert plain.arena_bytes < tuned.arena_bytes
        assert f"arenas are for {kernels} kernels" in str(reports[kernels])
        header = (tmp_path / kernels / "elastic_model" / "elastic_model.h").read_text()
        assert f'#define ELASTIC_MODEL_KERNELS "{kernels}"' in header
    with pytest.raises(SchemeError, match="unknown kernels 'mkl'"):
        embed(bundle, tmp_path / "none", kernels="mkl")


def test_cmsis_nn_takes_a_scale_per_output_in_int8_alone(models: dict[str, bytes]) -> None:
    samples = np.random.default_rng(0).integers(0, 256, (8, *IMAGE_SHAPE), np.uint8)
    how = {"scheme": "int16x8", "samples": samples, "target": "tflm"}
    per_channel = convert(net(1), per_channel_dense=True, **how)
    with pytest.raises(PackError, match=r"variant 'w100': FULLY_CONNECTED.*--per-tensor-dense$"):
        check_dense({"w100": per_channel}, kernels="cmsis-nn")
    check_dense({"w100": per_channel}, kernels="reference")
    check_dense({"w100": convert(net(1), **how), **models}, kernels="cmsis-nn")


def test_kernels_of_int8_alone_where_nothing_else_is_used(ladder: Path, tmp_path: Path) -> None:
    report = embed(ladder, tmp_path, name="kws", int8_kernels=True)
    assert report.int8_kernels == ("ADD", "CONV_2D", "FULLY_CONNECTED")
    text = (tmp_path / "kws" / "kws_operators.h").read_text()
    assert "resolver->AddConv2D(tfelastic::tflm::Register_CONV_2D_INT8())" in text
    assert "resolver->AddMean()" in text
    assert '#include "tensorflow/lite/micro/kernels/conv.h"' in text
    write_bench(tmp_path, Bundle.open(ladder), "kws", [Step(10**8)])
    program = compile_program(
        [TESTS / "bench.cc", *sorted((tmp_path / "kws").glob("*.cc"))],
        tmp_path / "bench",
        *("-O0", f"-I{tmp_path}", f"-I{tmp_path / 'kws'}", *CLOCK, "-DMEASURE_US=1"),
    )
    assert run_on_host(program)[-1].startswith("deep ")
    # Two of its variants are float32.
    assert embed(SHARED, tmp_path / "other", int8_kernels=True).int8_kernels == ()


def profile_of(path: Path, names: list[str], **fields: object) -> Path:
    table = Profile({"name": "a board"}, 1, {name: Latency(5, 6, 9) for name in names})
    path.write_text(json.dumps({**table.to_json(), **fields}), "utf-8")
    return path


def test_a_profile_of_other_variants_or_another_bundle_is_refused(tmp_path: Path) -> None:
    names = [variant.name for variant in Bundle.open(SHARED).variants]
    path = tmp_path / "profile.json"
    with pytest.raises(
        PackError, match=r"not of this bundle: expected latencies of .*received 'w100'; or leave"
    ):
        embed(SHARED, tmp_path / "out", profile=profile_of(path, ["w100"]))
    with pytest.raises(
        PackError, match="measured with another bundle, whose payload has the SHA-256 0000"
    ):
        embed(SHARED, tmp_path / "out", profile=profile_of(path, names, bundle_sha256="0" * 64))
    with pytest.raises(ProfileError, match=r"profile\.json"):
        embed(SHARED, tmp_path / "out", profile=profile_of(path, names, format=9))
    assert not (tmp_path / "out").exists()
    report = embed(SHARED, tmp_path / "out", profile=profile_of(path, names))
    assert report.measured_on == "a board"
    assert "latencies: measured on a board" in str(report)


def test_an_operator_that_tflm_lacks_is_named_with_its_variant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    foreign = Operator("UNIQUE", (), ())
    monkeypatch.setattr("tflite_export._embed.operators.operators", lambda model: (foreign,))
    with pytest.raises(
        PackError, match=r"variant 'wide' uses operator UNIQUE, which TFLM does not"
    ):
        registrations({"wide": b""}, int8_kernels=False)


def test_a_variant_that_tflm_cannot_run_is_named_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(tflite: bytes, **_: object) -> None:
        raise DeviceError("TFLM failed: no arena\nis large enough")

    monkeypatch.setattr(writing, "estimate_arena", fails)
    with pytest.raises(
        DeviceError, match="variant 'float32': TFLM failed: no arena is large"
    ) as caught:
        embed(INTERFACES, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()
