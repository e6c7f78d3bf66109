"""The firmware's selector decides as Python's policy does, on any interface, in C++ and in C."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from tfelastic_runtime import Bundle, Latency, Profile, Row

from tests.support.firmware import (
    CLOCK,
    ENOUGH_US,
    TESTS,
    Step,
    compile_program,
    costs,
    expected_lines,
    expected_outputs,
    run_on_host,
    steps_of,
    write_bench,
)
from tests.tflite_export.embed.conftest import INTERFACES, SHARED
from tflite_export._embed import embed, layout
from tflite_export._profile.serial_line import BoardTable

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("measured")]


def bench(
    folder: Path,
    bundle: Path,
    steps: list[Step],
    *options: str,
    measure_us: int = ENOUGH_US,
    **how: object,
) -> list[str]:
    """Embed a bundle, compile the bench with it, and return what it prints."""
    project = folder / "project"
    embed(bundle, project, name="kws", **how)
    write_bench(folder, Bundle.open(bundle), "kws", steps)
    network = project / "kws"
    program = compile_program(
        [TESTS / "bench.cc", *sorted(network.glob("*.cc"))],
        folder / "bench",
        *(
            "-O1",
            f"-I{folder}",
            f"-I{network}",
            *CLOCK,
            f"-DMEASURE_US={measure_us}",
            *options,
        ),
    )
    return run_on_host(program)


@pytest.mark.parametrize("bundle", [SHARED, INTERFACES], ids=["shared", "interfaces"])
def test_decisions_outputs_and_measured_times_are_those_of_python(
    bundle: Path, tmp_path: Path
) -> None:
    opened = Bundle.open(bundle)
    steps = steps_of(opened)
    sanitized = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    printed = bench(tmp_path, bundle, steps, *sanitized)
    lines = [line for line in printed if not line.startswith("$TFE")]
    assert lines == expected_lines(opened, steps)


def test_every_variant_is_loaded_as_it_was_laid_out(tmp_path: Path) -> None:
    embed(SHARED, tmp_path, name="kws")
    sources = [TESTS / "load_all.cc", *sorted((tmp_path / "kws").glob("*.cc"))]
    program = compile_program(sources, tmp_path / "program", "-O1", f"-I{tmp_path / 'kws'}")
    for line, placed in zip(run_on_host(program), layout(Bundle.open(SHARED)).placed, strict=True):
        assert line == f"{placed.variant.name} {placed.model.hex()}"


def test_every_variant_runs_by_the_engine_alone(tmp_path: Path) -> None:
    """The program of `benchmarks/tflm_tree.py`, by the stub."""
    bundle = Bundle.open(INTERFACES)
    embed(INTERFACES, tmp_path, name="kws")
    write_bench(tmp_path, bundle, "kws", [Step(1)])
    program = compile_program(
        [TESTS / "run_all.cc", *sorted((tmp_path / "kws").glob("*.cc"))],
        tmp_path / "program",
        *("-O0", f"-I{tmp_path}", f"-I{tmp_path / 'kws'}", "-DTFELASTIC_OWN_CLOCK"),
    )
    for line, variant in zip(run_on_host(program), bundle.variants, strict=True):
        name, used, *bits = line.split()
        values = np.concatenate([each.ravel() for each in expected_outputs(bundle, variant)])
        assert name == variant.name
        assert 0 < int(used) <= 4208
        assert bits == [f"{number:08x}" for number in values.astype("<f4").view("<u4")]


def test_newer_releases_have_their_names_elsewhere(tmp_path: Path) -> None:
    opened = Bundle.open(INTERFACES)
    steps = [Step(ENOUGH_US)]
    printed = bench(tmp_path, INTERFACES, steps, "-DTFLM_STUB_NAMESPACE")
    assert printed[-1:] == expected_lines(opened, steps)


def test_the_printed_table_is_what_was_measured(tmp_path: Path) -> None:
    lines = [line[1:] for line in bench(tmp_path, SHARED, [Step(1)]) if line.startswith("$TFE")]
    for line in lines:
        text, _, check = line.partition("*")
        value = 0
        for byte in text.encode():
            value ^= byte
        assert check == f"{value:02X}"
    fields = [line.partition("*")[0].split(",")[1:] for line in lines]
    assert fields[0] == ["begin", "1", bundle_sha256(SHARED)]
    assert fields[-1] == ["end", str(len(lines) - 2)]
    assert ["device", "name", "board"] in fields
    for name, (ready_us, run_us) in costs(Bundle.open(SHARED)).items():
        assert fields.count(["switch", name, str(ready_us)]) == 4
        assert fields.count(["first", name, str(run_us)]) == 4
        assert fields.count(["run", name, str(run_us)]) == 12


def bundle_sha256(bundle: Path) -> str:
    payload_bytes = Bundle.open(bundle).manifest.payload_bytes
    payload = bundle.read_bytes()[-32 - payload_bytes : -32]
    return hashlib.sha256(payload).hexdigest()


def test_what_a_board_prints_can_be_embedded(tmp_path: Path) -> None:
    """The lines go through the reader of `profile --on serial` into a table, and that into a firmware."""
    bundle = Bundle.open(SHARED)
    board = BoardTable()
    lines = [line for line in bench(tmp_path, SHARED, [Step(1)]) if line.startswith("$TFE")]
    assert [board.take(f"{line}\r\n".encode()) for line in lines][-1]
    measured = board.measured()
    assert (measured.kernels, measured.threads) == ("reference", 1)
    order = bundle.manifest.score.order
    table = {}
    for variant in bundle.variants:
        latency = measured.latencies[variant.name].device
        ready_us, run_us = costs(bundle)[variant.name]
        assert (latency.p50_us, latency.first_us, latency.switch_us) == (run_us, run_us, ready_us)
        table[variant.name] = Row(order(variant.score), run_us, run_us, ready_us)
    path = tmp_path / "profile.json"
    path.write_text(json.dumps(measured.to_json()), "utf-8")
    steps = steps_of(bundle)[:12]
    (tmp_path / "second").mkdir()
    printed = bench(tmp_path / "second", SHARED, steps, profile=path)
    assert printed == expected_lines(bundle, steps, table=table)


def test_measuring_ends_after_the_first_turn_where_time_is_over(tmp_path: Path) -> None:
    lines = bench(tmp_path, SHARED, [Step(1)], measure_us=1)
    assert sum(line.startswith("$TFE,run,") for line in lines) == 3 * 4


@pytest.mark.parametrize("bundle", [SHARED, INTERFACES], ids=["shared", "interfaces"])
def test_an_embedded_table_is_used_as_it_is(bundle: Path, tmp_path: Path) -> None:
    opened = Bundle.open(bundle)
    order = opened.manifest.score.order
    # A better variant is slower, by far; the steps go down from it, on a device that is as slow.
    ranked = sorted(opened.variants, key=lambda variant: order(variant.score))
    took = {name: run for name, (_, run) in costs(opened).items()}
    table, steps = {}, []
    for place, variant in enumerate(ranked, 1):
        p50_us = took[variant.name] * place * place
        table[variant.name] = Row(order(variant.score), p50_us, p50_us, 7 * place)
        steps.insert(0, Step(p50_us * 5 // 4, 100 * place * place))
    latencies = {
        name: Latency(row.p50_us, row.p90_us, 9, first_us=99_999, switch_us=row.switch_us)
        for name, row in table.items()
    }
    profile = Profile({"name": "a board"}, 1, latencies, bundle_sha256=bundle_sha256(bundle))
    path = tmp_path / "profile.json"
    path.write_text(json.dumps(profile.to_json()), "utf-8")
    printed = bench(tmp_path, bundle, steps, profile=path)
    assert printed == expected_lines(opened, steps, table=table)
    assert len({line.split()[0] for line in printed}) >= len(
        {row.score_order for row in table.values()}
    )


def test_residents_switch_at_no_cost(ladder: Path, tmp_path: Path) -> None:
    opened = Bundle.open(ladder)
    deep, shallow = (run for _, run in costs(opened).values())
    assert shallow < deep
    # Half a table's spread more than the deeper one takes.
    enough_us = deep + deep // 2
    steps = [Step(enough_us), Step(shallow), Step(enough_us), Step(shallow)]
    printed = bench(tmp_path, ladder, steps, resident=True)
    found = [line.split()[:3] for line in printed if not line.startswith("$TFE")]
    both = [["deep", str(deep), "0"], ["shallow", str(shallow), "0"]]
    assert found == [*both, *both]
    assert sum(line.startswith("$TFE,switch,deep,0*") for line in printed) == 4


def test_a_copy_in_a_buffer_of_its_own(tmp_path: Path) -> None:
    opened = Bundle.open(SHARED)
    steps = steps_of(opened)[:6]
    printed = bench(tmp_path, SHARED, steps, "-DKWS_COPY_SECTION=")
    lines = [line for line in printed if not line.startswith("$TFE")]
    assert lines == expected_lines(opened, steps)


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("-DKWS_ARENA_BYTES=128", "w100-int8: the interpreter refuses the variant: its arena"),
        ("-DKWS_ARENA_BYTES=3000", "w050-int8: it does not fit into the buffer"),
        ("-DKWS_DATA_SECTION=__attribute__((weak))", None),
    ],
    ids=["arena", "copy", "section"],
)
def test_buffers_and_sections_are_named_to_the_compiler(
    option: str, expected: str | None, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    embed(SHARED, project, name="kws")
    write_bench(tmp_path, Bundle.open(SHARED), "kws", [Step(ENOUGH_US)])
    network = project / "kws"
    program = compile_program(
        [TESTS / "bench.cc", *sorted(network.glob("*.cc"))],
        tmp_path / "bench",
        *("-O0", f"-I{tmp_path}", f"-I{network}", *CLOCK, "-DMEASURE_US=1", option),
    )
    done = subprocess.run([str(program)], capture_output=True, text=True, check=False)
    if expected is None:
        assert done.returncode == 0
    else:
        assert done.returncode == 1
        assert done.stdout.splitlines()[-1].startswith(expected)


def test_a_changed_array_is_found_at_start(tmp_path: Path) -> None:
    project = tmp_path / "project"
    embed(SHARED, project, name="kws")
    data = project / "kws" / "kws_data.cc"
    text = data.read_text()
    head, _, rest = text.partition("= {\n    ")
    first, _, others = rest.partition(",")
    data.write_text(f"{head}= {{\n    {int(first) ^ 1},{others}")
    write_bench(tmp_path, Bundle.open(SHARED), "kws", [Step(1)])
    program = compile_program(
        [TESTS / "bench.cc", *sorted((project / "kws").glob("*.cc"))],
        tmp_path / "bench",
        *("-O0", f"-I{tmp_path}", f"-I{project / 'kws'}", *CLOCK, "-DMEASURE_US=1"),
    )
    done = subprocess.run([str(program)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout.startswith("begin: damaged: the checksum does not match")


def test_the_c_face_is_c99_and_runs(tmp_path: Path) -> None:
    embed(SHARED, tmp_path)
    network = tmp_path / "elastic_model"
    face = tmp_path / "face.o"
    strict = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror")
    command = ["gcc", *strict, f"-I{network}", "-c", str(TESTS / "face.c"), "-o", str(face)]
    subprocess.run(command, check=True)
    program = compile_program(
        [face, *sorted(network.glob("*.cc"))],
        tmp_path / "program",
        *("-O1", f"-I{network}", "-DTFELASTIC_OWN_CLOCK"),
    )
    assert run_on_host(program) == [
        "the selector has no table: call Measure first, or embed with a profile",
        "w100 met",
        "w050 missed",
        "24 lines; kitten; []",
    ]


def test_two_networks_link_into_one_program(ladder: Path, tmp_path: Path) -> None:
    for bundle, name in ((SHARED, "eyes"), (ladder, "ears")):
        embed(bundle, tmp_path, name=name)
    source = tmp_path / "both.cc"
    source.write_text(
        '#include <cstdio>\n#include "eyes.h"\n#include "ears.h"\n#include "eyes_c.h"\n'
        '#include "tensorflow/lite/micro/micro_interpreter.h"\n'
        "const tflite::Model* model = nullptr;  // As most programs call theirs.\n"
        'extern "C" std::uint64_t tfelastic_now_us(void) { return 0; }\n'
        'extern "C" void tflm_stub_allocated(unsigned long) {}\n'
        'extern "C" void tflm_stub_invoked(unsigned long) {}\n'
        "static eyes::Selector seeing(eyes::StaticMemory());\n"
        "static ears::Selector hearing(ears::StaticMemory());\n"
        "int main() {\n"
        "  if (seeing.Begin() != eyes::Status::kOk || hearing.Begin() != ears::Status::kOk) return 1;\n"
        '  std::printf("%s %s\\n", eyes::kNetwork.variants[0].name, ears::kNetwork.variants[0].name);\n'
        "  return eyes_begin(false);\n}\n",
        "utf-8",
    )
    program = compile_program(
        [source, *sorted(tmp_path.glob("*/*.cc"))],
        tmp_path / "program",
        *("-O0", f"-I{tmp_path / 'eyes'}", f"-I{tmp_path / 'ears'}", "-DTFELASTIC_OWN_CLOCK"),
    )
    assert run_on_host(program) == ["w100-int8 deep"]
