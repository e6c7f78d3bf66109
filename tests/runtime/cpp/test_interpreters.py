"""C++ runs variants on the real LiteRT and TFLite as Python does, to the bit in the same kernels."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from tfelastic_runtime import Bundle, Runner, blank_inputs

from tests.support.cpp_driver import SANITIZED
from tests.support.cpp_selector import (
    KERNELS,
    LIBRARIES,
    Interpreters,
    hexadecimal,
)
from tests.support.golden import BUNDLES, GOLDEN, random_inputs, resealed

SETS = 20
"""Random sets of inputs per variant."""


@pytest.fixture(scope="module")
def interpreters(tmp_path_factory: pytest.TempPathFactory) -> Interpreters:
    """The adapters, which any undefined behaviour, byte beyond a range, or leak ends."""
    return Interpreters(tmp_path_factory.mktemp("cpp"), *SANITIZED, "-O0")


@pytest.mark.parametrize("runtime", LIBRARIES)
@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("name", BUNDLES)
def test_every_variant_agrees_with_python_to_the_bit(
    interpreters: Interpreters, conformance: Path, name: str, kernels: str, runtime: str
) -> None:
    path, rng = conformance / f"{name}.elastic", np.random.default_rng(0)
    bundle = Bundle.open(path)
    sets = [random_inputs(bundle, rng) for _ in range(SETS)]
    interpreters.check(path, kernels, sets, runtime=runtime)


@pytest.mark.parametrize("runtime", LIBRARIES)
@pytest.mark.parametrize("kernels", KERNELS)
def test_the_selector_measures_switches_and_runs(
    interpreters: Interpreters, conformance: Path, kernels: str, runtime: str
) -> None:
    path = conformance / "golden.elastic"
    bundle = Bundle.open(path)
    (line,) = interpreters.ask("select", path, kernels, runtime=runtime)
    runner = Runner(bundle, bundle.variants[0].name, xnnpack=kernels == "xnnpack")
    expected = runner.run(blank_inputs(bundle.manifest.inputs))
    assert line == f"0 {hexadecimal(bundle, expected)}"


@pytest.mark.parametrize("runtime", LIBRARIES)
def test_a_thousand_switches_leave_no_memory_behind(
    conformance: Path, tmp_path: Path, runtime: str
) -> None:
    plain = Interpreters(tmp_path)
    for kernels in KERNELS:
        (line,) = plain.ask("growth", conformance / "golden.elastic", kernels, runtime=runtime)
        # Less than a pointer a switch: the libraries' own heap is never quite the same.
        assert int(line) < 8 * 1000


@pytest.mark.parametrize(
    ("runtime", "reason"),
    [
        ("litert", "LiteRtCreateModelFromBuffer failed with status"),
        ("tflite", "TfLiteModelCreate: it is no .tflite"),
    ],
)
def test_a_variant_that_no_interpreter_opens_is_told_of(
    interpreters: Interpreters, tmp_path: Path, runtime: str, reason: str
) -> None:
    """The bundle is well-formed, and what is in it is no .tflite."""
    model = Bundle.from_bytes(GOLDEN).model("w100")
    other = model.replace(b"TFL3", b"TFL9")
    hashes = [hashlib.sha256(each).hexdigest().encode() for each in (model, other)]
    path = tmp_path / "other.elastic"
    path.write_bytes(resealed(GOLDEN.replace(model, other).replace(*hashes)))
    line = interpreters.ask("run", path, "xnnpack", runtime=runtime)[0]
    assert line.startswith("the interpreter refuses the variant")
    assert reason in line


@pytest.mark.parametrize("runtime", LIBRARIES)
def test_the_next_best_variant_runs_where_one_is_not_what_the_manifest_says(
    interpreters: Interpreters, tmp_path: Path, runtime: str
) -> None:
    path = tmp_path / "other.elastic"
    path.write_bytes(resealed(GOLDEN.replace(b'"zero_point":37', b'"zero_point":36', 1)))
    ran, failure = interpreters.ask("select", path, "xnnpack", runtime=runtime)
    assert ran.startswith("1 ")
    assert failure.startswith("0 the interpreter refuses the variant")
    assert failure.endswith(
        "output 0: its shape, dtype or quantization is not what the manifest says"
    )


def test_a_library_that_is_none_is_told_of(interpreters: Interpreters, conformance: Path) -> None:
    for runtime, other in (("litert", "tflite"), ("tflite", "litert")):
        said = interpreters.refused(conformance / "golden.elastic", runtime, LIBRARIES[other])
        assert "has no function" in said
    assert "cannot open shared object file" in interpreters.refused(
        conformance / "golden.elastic", "litert", Path("/nowhere/libLiteRt.so")
    )
