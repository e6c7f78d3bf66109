"""The written project on a Cortex-M4F under QEMU, compiled for size, by the stub of TFLM."""

from __future__ import annotations

from pathlib import Path

import pytest
from tfelastic_runtime import Bundle

from tests.support.cortex_m import compile_object, link, run, sizes
from tests.support.firmware import (
    CLOCK,
    STRICT,
    STUB,
    TESTS,
    Step,
    expected_lines,
    steps_of,
    write_bench,
)
from tests.tflite_export.embed.conftest import INTERFACES, SHARED
from tflite_export._embed import embed

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("measured")]


def build(folder: Path, bundle: Path, steps: list[Step]) -> Path:
    """Embed a bundle and link the bench with it for the board."""
    project = folder / "project"
    embed(bundle, project, name="kws")
    write_bench(folder, Bundle.open(bundle), "kws", steps)
    network = project / "kws"
    options = (*STRICT, f"-isystem{STUB}", f"-I{folder}", f"-I{network}", *CLOCK)
    objects = [
        compile_object(source, folder / f"{source.stem}.o", *options, "-DMEASURE_US=1000000000")
        for source in (TESTS / "bench.cc", *sorted(network.glob("*.cc")))
    ]
    return link(objects, folder / "bench.elf")


@pytest.mark.parametrize("bundle", [SHARED, INTERFACES], ids=["shared", "interfaces"])
def test_decisions_and_outputs_are_those_of_python(bundle: Path, tmp_path: Path) -> None:
    opened = Bundle.open(bundle)
    steps = steps_of(opened)
    program = build(tmp_path, bundle, steps)
    lines = [line for line in run(program).splitlines() if not line.startswith("$TFE")]
    assert lines == expected_lines(opened, steps)
    array = sizes(tmp_path / "kws_data.o")
    memory = sizes(tmp_path / "kws_memory.o")
    # All of the array is read-only, and the one buffer is all of the RAM.
    assert (array["data"], array["bss"]) == (0, 0)
    assert memory["data"] == 0
    assert memory["bss"] % 16 == 0


def test_small_printing_takes_no_floating_point(tmp_path: Path) -> None:
    """With newlib-nano, whose printf knows integers alone, the example says the same."""
    embed(SHARED, tmp_path)
    network = tmp_path / "elastic_model"
    hooks = tmp_path / "hooks.cc"
    hooks.write_text(
        "#include <cstdint>\n"
        "static std::uint64_t now_us = 0;\n"
        'extern "C" std::uint64_t tfelastic_now_us(void) { return now_us; }\n'
        'extern "C" void tflm_stub_allocated(unsigned long) { now_us += 5; }\n'
        'extern "C" void tflm_stub_invoked(unsigned long) { now_us += 7000; }\n'
    )
    options = (*STRICT, f"-isystem{STUB}", f"-I{network}", "-DTFELASTIC_OWN_CLOCK")
    objects = [
        compile_object(source, tmp_path / f"{source.stem}.o", *options)
        for source in (tmp_path / "main.cc", hooks, *sorted(network.glob("*.cc")))
    ]
    program = link(objects, tmp_path / "main.elf", "--specs=nano.specs", "-lrdimon_nano")
    lines = run(program).splitlines()
    assert lines[-2].endswith(": 7000 us and 0 us to switch, budget met")
    assert "$TFE,run,w050,7000*" in "\n".join(lines)
