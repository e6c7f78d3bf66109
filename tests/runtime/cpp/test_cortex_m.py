"""The conformance cases on a Cortex-M4F, and what the library takes of its flash and RAM."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.runtime.cpp.test_cpp_conformance import (  # noqa: F401 (tests of this module, too)
    TestShipped,
    test_digests,
    test_refusals_tell_why,
    test_variants_in_place_and_refusals_of_access,
)
from tests.support.cortex_m import compile_object, link, run, sizes
from tests.support.cpp_driver import INCLUDE, STRICT, Ask, Question, packed


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Ask the library on the board, in the place of the host's."""
    folder = tmp_path_factory.mktemp("cortex-m")
    source = Path(__file__).with_name("driver.cc")
    driver = compile_object(source, folder / "driver.o", *STRICT, f"-I{INCLUDE}")
    program = link([driver], folder / "driver.elf")
    questions = folder / "questions"

    def ask_board(asked: Iterable[Question]) -> list[str]:
        questions.write_bytes(packed(asked))
        return run(program, str(questions)).splitlines()

    return ask_board


@pytest.fixture(scope="module")
def ask_sanitized(ask: Ask) -> Ask:
    """No sanitizer runs there; a fault ends the program."""
    return ask


SELECTOR_AND_READER = {"flash": 8 * 1024, "ram": 1024}
"""Most bytes on a Cortex-M4 at -Os, for eight variants; constants count as flash."""
BUNDLE_READER_FLASH = 16 * 1024
"""The reader of whole bundles, manifest and SHA-256 included, which no embedded firmware links."""


def test_selector_and_reader_are_small(tmp_path: Path) -> None:
    options = (*STRICT, f"-I{INCLUDE}", "-DTFELASTIC_OWN_CLOCK")
    found = sizes(
        compile_object(Path(__file__).with_name("footprint.cc"), tmp_path / "one.o", *options)
    )
    print(found)  # noqa: T201
    assert 1024 < found["text"] + found["data"] <= SELECTOR_AND_READER["flash"]
    assert 256 < found["data"] + found["bss"] <= SELECTOR_AND_READER["ram"]


def test_the_reader_of_bundles_is_small(tmp_path: Path) -> None:
    source = tmp_path / "reader.cc"
    source.write_text(
        '#include "tfelastic/bundle.h"\n'
        "using tfelastic::Status;\n"
        "Status Open(const std::uint8_t* data, std::size_t size, tfelastic::Bundle* bundle) {\n"
        "  return tfelastic::Bundle::Open(data, size, bundle);\n}\n"
        "Status Take(const tfelastic::Bundle& bundle, const char* name, tfelastic::Variant* variant,\n"
        "            std::uint8_t* buffer, std::size_t capacity) {\n"
        "  const Status found = bundle.Find(name, variant);\n"
        "  return found == Status::kOk ? bundle.Expand(*variant, buffer, capacity) : found;\n}\n",
        "utf-8",
    )
    found = sizes(compile_object(source, tmp_path / "reader.o", *STRICT, f"-I{INCLUDE}"))
    print(found)  # noqa: T201
    assert 4096 < found["text"] <= BUNDLE_READER_FLASH
    assert found["data"] + found["bss"] == 0
