"""A longer attack on the bundle's reader, guided by the code that it reaches: `make fuzz`.

Not part of the test run. Every input is tried as it is, as a whole bundle whose checksum was put right, and as a
delta on a bundle's payload. Anything but an answer or a `BundleError`, and any single input that takes more than ten
seconds or 2 GB, stops the run and leaves the input behind.

    python tests/fuzz/fuzz_bundle.py [--seconds 300] [--corpus FOLDER]
"""

import argparse
import contextlib
import hashlib
import json
import struct
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["tfelastic_runtime"]):
    from tfelastic_runtime import Bundle, BundleError
    from tfelastic_runtime.delta import expand

CONFORMANCE = Path(__file__).parents[2] / "runtime" / "conformance"
PAYLOAD = bytes.fromhex(json.loads((CONFORMANCE / "deltas.json").read_text("utf-8"))["payload"])
WHOLE, REPAIRED, DELTA = range(3)
SIZE_MAX = 4096


def attack(data: bytes) -> None:
    """Try one input; its first byte says as what."""
    if not data:
        return
    kind, data = data[0] % 3, data[1:]
    with contextlib.suppress(BundleError):
        if kind == DELTA:
            size = struct.unpack("<H", data[:2].ljust(2, b"\0"))[0] % SIZE_MAX
            written = expand(memoryview(data[2:]), memoryview(PAYLOAD), size=size)
            assert len(written) == size
            return
        bundle = Bundle.from_bytes(repaired(data) if kind == REPAIRED else data)
        for variant in bundle.variants:
            with contextlib.suppress(BundleError):
                model = bundle.model(variant.name)
                assert hashlib.sha256(model).hexdigest() == variant.sha256
                assert sum(bundle.tally(variant.name).values()) == len(model)


def repaired(data: bytes) -> bytes:
    """Return a bundle with the right length and checksum, which no mutation finds by itself."""
    body = data[:16] + struct.pack("<Q", len(data)) + data[24:-32]
    return body + hashlib.sha256(body).digest()


def seeds(folder: Path) -> None:
    """Write the bundles and deltas that all readers know as the first inputs."""
    for name in ("golden", "shared", "interfaces"):
        data = (CONFORMANCE / f"{name}.elastic").read_bytes()
        for kind in (WHOLE, REPAIRED):
            (folder / f"{name}-{kind}").write_bytes(bytes((kind,)) + data)
    deltas = json.loads((CONFORMANCE / "deltas.json").read_text("utf-8"))
    for index, case in enumerate(deltas["expanded"] + deltas["refused"]):
        size = case.get("bytes", len(case.get("output", "")) // 2)
        head = bytes((DELTA,)) + struct.pack("<H", size % SIZE_MAX)
        (folder / f"delta-{index}").write_bytes(head + bytes.fromhex(case["delta"]))


def main() -> None:
    """Fuzz for a bounded time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--corpus", type=Path, help="Keep what was found here, to go on from.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        corpus = options.corpus or Path(scratch)
        corpus.mkdir(parents=True, exist_ok=True)
        seeds(corpus)
        bounds = ["-timeout=10", "-rss_limit_mb=2048", "-max_len=30000", "-print_final_stats=1"]
        length = f"-max_total_time={options.seconds}"
        atheris.Setup([sys.argv[0], length, *bounds, str(corpus)], attack)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
