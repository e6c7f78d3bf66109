"""The C++ library's test driver, compiled as a device's compiler would: no exceptions, no RTTI, no warning.

What was compiled is kept under `build/cpp`, by the content of its sources, for other tests and the next run of them.
"""

import fcntl
import hashlib
import shutil
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
_PROGRAMS = _ROOT / "tests" / "runtime" / "cpp"
_BUILD = _ROOT / "build" / "cpp"
SANITIZED = ("-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def packed(questions: Iterable[Question]) -> bytes:
    """Return questions as the driver reads them."""
    return b"".join(
        struct.pack("<III", kind, len(first), len(second)) + first + second
        for kind, first, second in questions
    )


def compiled(folder: Path, source: str, *options: str) -> Path:
    """Compile a program of tests/runtime/cpp, unless that was done before, and put it into the folder."""
    program = folder / Path(source).stem
    key = _key(source, options)
    kept = _BUILD / f"{program.name}-{key}"
    kept.parent.mkdir(parents=True, exist_ok=True)
    with (_BUILD / f"{key}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            command = ["g++", *STRICT, *options, f"-I{INCLUDE}", str(_PROGRAMS / source)]
            subprocess.run([*command, "-o", str(program), "-ldl"], check=True)
            # In one step, so that a build that is cut short leaves no half of a program.
            shutil.move(program, unfinished := kept.with_suffix(".new"))
            unfinished.rename(kept)
    shutil.copy2(kept, program)
    return program


def _key(source: str, options: tuple[str, ...]) -> str:
    """Return a digest of all that a program depends on."""
    version = subprocess.run(["g++", "--version"], capture_output=True, check=True).stdout
    digest = hashlib.sha256(version + repr((source, STRICT, options)).encode())
    for file in sorted([*INCLUDE.rglob("*.h"), *_PROGRAMS.rglob("*.h"), _PROGRAMS / source]):
        digest.update(f"{file.relative_to(_ROOT)}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def asking(folder: Path, *options: str) -> Ask:
    """Compile the driver, and return what asks it."""
    program = compiled(folder, "driver.cc", *options)

    def ask(questions: Iterable[Question]) -> list[str]:
        asked = packed(questions)
        done = subprocess.run([str(program)], input=asked, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().splitlines()

    return ask
