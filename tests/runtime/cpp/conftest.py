"""The C++ library, compiled as a device's compiler would: no exceptions, no RTTI, no warning."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

Question = tuple[int, bytes, bytes]
Ask = Callable[[Iterable[Question]], list[str]]

INCLUDE = Path(__file__).parents[3] / "runtime" / "cpp" / "include"
STRICT = (
    *("-std=c++17", "-fno-exceptions", "-fno-rtti"),
    *("-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror"),
)
SANITIZED = ("-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def packed(questions: Iterable[Question]) -> bytes:
    """Return questions as the driver reads them."""
    return b"".join(
        struct.pack("<III", kind, len(first), len(second)) + first + second
        for kind, first, second in questions
    )


def asking(folder: Path, *options: str) -> Ask:
    """Compile the driver, and return what asks it."""
    program = folder / "driver"
    source = Path(__file__).with_name("driver.cc")
    subprocess.run(
        ["g++", *STRICT, *options, f"-I{INCLUDE}", str(source), "-o", str(program)], check=True
    )

    def ask(questions: Iterable[Question]) -> list[str]:
        asked = packed(questions)
        done = subprocess.run([str(program)], input=asked, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().splitlines()

    return ask


@pytest.fixture(scope="session")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Ask the library as it is shipped."""
    return asking(tmp_path_factory.mktemp("cpp"), "-O2")


@pytest.fixture(scope="session")
def ask_sanitized(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Ask the library where any undefined behaviour, or a byte read beyond a range, ends it."""
    return asking(tmp_path_factory.mktemp("cpp"), *SANITIZED)
