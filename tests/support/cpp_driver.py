"""The C++ library's test driver, compiled as a device's compiler would: no exceptions, no RTTI, no warning."""

import struct
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.support.questions import Ask

Question = tuple[int, bytes, bytes]

_ROOT = Path(__file__).parents[2]
INCLUDE = _ROOT / "runtime" / "cpp" / "include"
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


def compiled(folder: Path, source: str, *options: str) -> Path:
    """Compile a program of tests/runtime/cpp in the folder."""
    program = folder / Path(source).stem
    path = _ROOT / "tests" / "runtime" / "cpp" / source
    subprocess.run(
        ["g++", *STRICT, *options, f"-I{INCLUDE}", str(path), "-o", str(program), "-ldl"],
        check=True,
    )
    return program


def asking(folder: Path, *options: str) -> Ask:
    """Compile the driver, and return what asks it."""
    program = compiled(folder, "driver.cc", *options)

    def ask(questions: Iterable[Question]) -> list[str]:
        asked = packed(questions)
        done = subprocess.run([str(program)], input=asked, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().splitlines()

    return ask
