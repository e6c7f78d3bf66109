"""Times the C++ expansion of variants beside memcpy of as many bytes, in one run.

    python -m benchmarks.expansion_speed [model.elastic ...]

Made cases first: a kernel of 64 output channels and 3 x 3 taps, of which a narrower one keeps runs of 8 to
512 bytes; plain, and with float32 factors. Then each stored delta of the bundles named. memcpy and expansion
take turns; the fastest round of each tells. The SHA-256 over the result is timed on its own. Needs g++.
"""

import argparse
import json
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from tfelastic_runtime import Bundle
from tfelastic_runtime.delta import PER_ELEMENT, PER_ROW, PLAIN

from benchmarks.quiet_machine import measured_quietly
from tflite_export.bundle.delta import DeltaWriter, Gather

CPP = Path(__file__).parents[1] / "runtime" / "cpp"
RUNS = (8, 16, 32, 64, 128, 512)
ROWS, TAPS = 64, 9
SMALLEST_RUN = 32
"""Runs of as many bytes and more are to be expanded at a quarter of memcpy's speed."""
KINDS = {PLAIN: "plain", PER_ROW: "a factor per row", PER_ELEMENT: "a factor per element"}


@dataclass(frozen=True)
class Case:
    """A delta to time."""

    name: str
    delta: bytes
    payload: bytes
    size: int


@dataclass(frozen=True)
class Timing:
    """What one case took.

    Attributes:
        name: The case's name.
        bytes: How many bytes it writes.
        memcpy_ns: Nanoseconds of copying as many.
        expand_ns: Nanoseconds of expanding.
        sha256_ns: Nanoseconds of hashing the result.
    """

    name: str
    bytes: int
    memcpy_ns: float
    expand_ns: float
    sha256_ns: float

    @property
    def share(self) -> float:
        """The expansion's speed as a share of memcpy's."""
        return self.memcpy_ns / self.expand_ns


def slice_of_a_kernel(run_bytes: int, kind: int) -> Case:
    """Return the leading half of the input channels of a kernel, `run_bytes` at each tap."""
    row = TAPS * 2 * run_bytes
    loops = ((ROWS, row), (TAPS, 2 * run_bytes))
    kernel = np.random.default_rng(0).uniform(0.5, 2, ROWS * row // 4).astype("<f4").tobytes()
    factors = np.ones(max(ROWS, run_bytes // 4), "<f4").tobytes()
    writer = DeltaWriter()
    writer.gather(Gather(0, loops, ((0, run_bytes),), kind, len(kernel)))
    name = f"runs of {run_bytes} bytes, {KINDS[kind]}"
    return Case(name, bytes(writer.finish()), kernel + factors, ROWS * TAPS * run_bytes)


def deltas_of(path: str) -> list[Case]:
    """Return the deltas that a bundle stores."""
    bundle, data = Bundle.open(path), Path(path).read_bytes()
    payload = data[-32 - bundle.manifest.payload_bytes : -32]
    return [
        Case(
            f"{Path(path).stem}: {variant.name}",
            payload[variant.stored.offset :][: variant.stored.bytes],
            payload,
            variant.bytes,
        )
        for variant in bundle.variants
        if not variant.stored.whole
    ]


def measure(cases: Sequence[Case]) -> list[Timing]:
    """Compile the C++ side and time every case."""
    asked = b"".join(
        struct.pack("<III", len(case.delta), len(case.payload), case.size)
        + case.delta
        + case.payload
        for case in cases
    )
    with tempfile.TemporaryDirectory() as folder:
        program = str(Path(folder) / "expansion")
        source = str(CPP / "benchmarks" / "expansion.cc")
        options = ("-std=c++17", "-O2", "-fno-exceptions", "-fno-rtti", f"-I{CPP / 'include'}")
        subprocess.run(["g++", *options, source, "-o", program], check=True)
        told = subprocess.run([program], input=asked, stdout=subprocess.PIPE, check=True).stdout
    lines = told.decode().splitlines()
    return [
        Timing(case.name, case.size, *map(float, line.split()))
        for case, line in zip(cases, lines, strict=True)
    ]


def main() -> None:
    """Print the table, and say whether the target is met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundles", nargs="*", metavar="model.elastic")
    parser.add_argument("--json", action="store_true", help="print the timings as JSON")
    arguments = parser.parse_args()
    made = [slice_of_a_kernel(run, kind) for kind in KINDS for run in RUNS]
    cases = [*made, *(case for path in arguments.bundles for case in deltas_of(path))]
    timings = measured_quietly(lambda: measure(cases))
    if arguments.json:
        print(json.dumps([asdict(timing) for timing in timings], indent=1))
        return
    print(f"{'':34}{'bytes':>10}{'memcpy':>12}{'expand':>12}{'of memcpy':>11}{'sha-256':>12}")
    for timing in timings:
        times = (timing.memcpy_ns, timing.expand_ns)
        print(
            f"{timing.name:34}{timing.bytes:>10,}"
            + "".join(f"{time_ns / 1000:>9,.1f} us" for time_ns in times)
            + f"{timing.share:>11.0%}{timing.sha256_ns / 1000:>9,.1f} us"
        )
    slowest = min(
        timing.share
        for timing, case in zip(timings, made, strict=False)
        if int(case.name.split()[2]) >= SMALLEST_RUN
    )
    print(f"\nruns of {SMALLEST_RUN} bytes or more: at least {slowest:.0%} of memcpy's speed")


if __name__ == "__main__":
    main()
