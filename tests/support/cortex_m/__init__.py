"""A Cortex-M4F of the tests: Debian's arm-none-eabi compiler, and QEMU's mps2-an386 with semihosting."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
PROCESSOR = ("-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard")
SMALL = ("-Os", "-ffunction-sections", "-fdata-sections", "-fno-threadsafe-statics")
TOOLS = "arm-none-eabi-"


def compile_object(source: Path, target: Path, *options: str) -> Path:
    """Compile one file as for a board, and return the object."""
    tool = f"{TOOLS}{'gcc' if source.suffix == '.c' else 'g++'}"
    command = [tool, *PROCESSOR, *SMALL, *options, "-c", str(source), "-o", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


def link(objects: Sequence[Path], program: Path, *options: str) -> Path:
    """Link a program that starts on the board, and return it."""
    start = compile_object(HERE / "startup.c", program.with_suffix(".start.o"))
    command = [
        *(f"{TOOLS}g++", *PROCESSOR, "--specs=rdimon.specs", "-nostartfiles"),
        *("-Wl,--gc-sections", f"-Wl,-T{HERE / 'mps2.ld'}"),
        *map(str, (start, *objects)),
        *(*options, "-o", str(program)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return program


def run(program: Path, *arguments: str) -> str:
    """Run a program, and return what it printed; it must end with 0."""
    given = ",".join(f"arg={each}" for each in (program.name, *arguments))
    command = [
        *(
            "qemu-system-arm",
            "-M",
            "mps2-an386",
            "-nographic",
            "-monitor",
            "none",
            "-serial",
            "none",
        ),
        *("-semihosting-config", f"enable=on,target=native,{given}", "-kernel", str(program)),
    ]
    done = subprocess.run(
        command, capture_output=True, stdin=subprocess.DEVNULL, timeout=300, check=False
    )
    # Semihosting writes standard output to QEMU's standard error or output, by version.
    printed = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, f"{done.returncode}: {printed[-2000:]}"
    return printed


def sizes(target: Path) -> dict[str, int]:
    """Return the bytes of an object or program: code with constants, initialized and zeroed data."""
    done = subprocess.run([f"{TOOLS}size", str(target)], capture_output=True, text=True, check=True)
    names, numbers = (line.split()[:3] for line in done.stdout.splitlines())
    return dict(zip(names, map(int, numbers), strict=True))
