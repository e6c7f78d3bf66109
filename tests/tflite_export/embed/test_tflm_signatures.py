"""What a project expects of TFLM is what TFLM has: in its sources, in the pinned wheel, and in the tests' stub."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.firmware import STUB, TESTS
from tflite_export._embed.operators import INT8_KERNELS, Registration
from tflite_export._embed.sources import HEADERS, header_folder
from tflite_export.runtimes import get_target

RESOLVER = [
    line.split()
    for line in (TESTS / "tflm_resolver.txt").read_text("utf-8").splitlines()
    if not line.startswith("#")
]
LINKED = (
    "MicroInterpreter::MicroInterpreter(tflite::Model const*, tflite::MicroOpResolver const&, unsigned char*, "
    "unsigned long, tflite::MicroResourceVariables*, tflite::MicroProfilerInterface*, bool)",
    "MicroInterpreter::MicroInterpreter(tflite::Model const*, tflite::MicroOpResolver const&, "
    "tflite::MicroAllocator*, tflite::MicroResourceVariables*, tflite::MicroProfilerInterface*)",
    "MicroInterpreter::~MicroInterpreter()",
    "MicroInterpreter::AllocateTensors()",
    "MicroInterpreter::Invoke()",
    "MicroInterpreter::input(unsigned long)",
    "MicroInterpreter::output(unsigned long)",
    "MicroAllocator::Create(unsigned char*, unsigned long, tflite::MemoryPlannerType)",
)
"""What no header defines, tensorflow/lite/micro/micro_interpreter.h and micro_allocator.h: it must be linked."""


def compiles(stub: Path, *options: str) -> bool:
    source = TESTS / "tflm_signatures.cc"
    include = header_folder().parent
    command = ["g++", "-std=c++17", "-fsyntax-only", "-DTF_LITE_STATIC_MEMORY", *options]
    command += [f"-I{include}", f"-isystem{stub}", str(source)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("options", [(), ("-DTFLM_STUB_NAMESPACE",)], ids=["older", "newer"])
def test_the_stub_has_the_signatures(options: tuple[str, ...]) -> None:
    assert compiles(STUB, *options)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("micro_interpreter.h", "TfLiteTensor* input(std::size_t", "TfLiteTensor* input(int"),
        ("micro_allocator.h", "static MicroAllocator* Create", "static void* Create"),
        ("stub_common.h", "kTfLiteInt16 = 7", "kTfLiteInt16 = 8"),
    ],
)
def test_another_signature_is_noticed(file: str, old: str, new: str, tmp_path: Path) -> None:
    stub = tmp_path / "stub"
    shutil.copytree(STUB, stub)
    changed = stub / "tensorflow" / "lite" / "micro" / file
    text = changed.read_text("utf-8")
    assert old in text
    changed.write_text(text.replace(old, new, 1), "utf-8")
    assert not compiles(stub)


def symbols_of_the_wheel() -> set[str]:
    """Return the functions in the pinned tflite-micro wheel, as if its namespace were the older one."""
    spec = importlib.util.find_spec("tflite_micro")
    assert spec is not None
    assert spec.submodule_search_locations
    library = Path(spec.submodule_search_locations[0]) / "python" / "tflite_micro" / "_runtime.so"
    done = subprocess.run(
        ["nm", "--dynamic", "--demangle", str(library)], capture_output=True, text=True, check=True
    )
    return {
        line.split(" ", 2)[2].replace("tflite::micro::", "tflite::")
        for line in done.stdout.splitlines()
        if " T " in line
    }


def test_the_wheel_has_what_is_linked() -> None:
    symbols = symbols_of_the_wheel()
    assert {f"tflite::{each}" for each in LINKED} <= symbols
    registered = {f"tflite::Register_{name}()" for name in get_target("tflm").operators}
    assert registered - symbols == set()


def test_every_operator_is_added_by_the_resolvers_own_method() -> None:
    methods = {operator: method for method, operator in RESOLVER if method.startswith("Add")}
    for operator in sorted(get_target("tflm").operators):
        assert Registration(operator, None).adder == methods[operator]


def test_kernels_of_int8_alone_are_declared_where_they_are_included() -> None:
    declared = {(header, name) for header, name in RESOLVER if header.endswith(".h")}
    for operator, header in INT8_KERNELS.items():
        assert (f"{header}.h", f"Register_{operator}_INT8") in declared


def test_no_other_header_of_the_runtime_knows_tflm() -> None:
    for header in HEADERS:
        text = (header_folder() / header).read_text("utf-8")
        assert ("tensorflow/" in text) == (header == "tflm.h"), header
