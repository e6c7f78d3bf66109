"""A longer attack on the C++ reader, guided by the code that it reaches: `make fuzz`.

The test run carries out a short one. Any byte read beyond a range, any undefined behaviour, and any single input that
takes more than ten seconds or 2 GB stops the run and leaves the input behind.

    python tests/fuzz/fuzz_reader.py [--seconds 300] [--corpus FOLDER]
"""

import argparse
import json
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONFORMANCE = ROOT / "runtime" / "conformance"
WHOLE, REPAIRED, DELTA, PROFILE = range(4)
WORDS = ("p50_us", "switch_us", "stored", "whole", "delta", "offset", "null", "true", "1e308")
"""What a mutation would not find by itself."""


def compiled(folder: Path) -> Path:
    """Compile the attack with clang's fuzzer and sanitizers."""
    program = folder / "fuzz_reader"
    subprocess.run(
        [
            *("clang++", "-std=c++17", "-O1", "-fno-exceptions", "-fno-rtti", "-Wall", "-Wextra"),
            *("-Werror", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"),
            f"-I{ROOT / 'runtime' / 'cpp' / 'include'}",
            str(Path(__file__).with_name("fuzz_reader.cc")),
            *("-o", str(program)),
        ],
        check=True,
    )
    return program


def seeds(corpus: Path) -> None:
    """Write the bundles, deltas and tables that all readers know as the first inputs."""
    for name in ("golden", "shared", "interfaces"):
        data = (CONFORMANCE / f"{name}.elastic").read_bytes()
        for kind in (WHOLE, REPAIRED):
            (corpus / f"{name}-{kind}").write_bytes(bytes((kind,)) + data)
    deltas = json.loads((CONFORMANCE / "deltas.json").read_text("utf-8"))
    for index, case in enumerate(deltas["expanded"] + deltas["refused"]):
        size = case.get("bytes", len(case.get("output", "")) // 2)
        head = bytes((DELTA,)) + struct.pack("<H", size % 4096)
        (corpus / f"delta-{index}").write_bytes(head + bytes.fromhex(case["delta"]))
    data = (CONFORMANCE / "golden.elastic").read_bytes()
    manifest = json.loads(data[24:][: struct.unpack_from("<I", data, 12)[0]])
    for index, profile in enumerate(manifest["profiles"]):
        profile["format"] = 1
        profile["device"].setdefault("name", "device")
        text = json.dumps(profile).encode()
        (corpus / f"profile-{index}").write_bytes(bytes((PROFILE,)) + text)


def attack(folder: Path, corpus: Path, *bounds: str) -> str:
    """Run the fuzzer within its bounds, and return what it says.

    Raises:
        subprocess.CalledProcessError: The reader broke; the input is in the folder.
    """
    program = compiled(folder)
    deltas = json.loads((CONFORMANCE / "deltas.json").read_text("utf-8"))
    (folder / "payload").write_bytes(bytes.fromhex(deltas["payload"]))
    (folder / "words").write_text("\n".join(f'"{word}"' for word in WORDS))
    seeds(corpus)
    done = subprocess.run(
        [
            *(str(program), "-timeout=10", "-max_len=30000"),
            # libFuzzer's own limit counts the largest memory of the process that started it, too, as Linux hands it
            # on; the sanitizer's looks at what is resident now.
            *("-rss_limit_mb=0", "-malloc_limit_mb=2048"),
            *(f"-dict={folder / 'words'}", f"-artifact_prefix={folder}/", *bounds, str(corpus)),
        ],
        env={
            "ASAN_OPTIONS": "hard_rss_limit_mb=2048",
            "FUZZ_PAYLOAD": str(folder / "payload"),
            "FUZZ_GOLDEN": str(CONFORMANCE / "golden.elastic"),
        },
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise subprocess.CalledProcessError(done.returncode, str(program), stderr=done.stderr)
    return done.stderr


def main() -> None:
    """Fuzz for a bounded time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--corpus", type=Path, help="Keep what was found here, to go on from.")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="fuzz_reader_"))
    corpus = options.corpus or folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    try:
        said = attack(folder, corpus, f"-max_total_time={options.seconds}")
    except subprocess.CalledProcessError as failure:
        raise SystemExit(f"{failure.stderr[-4000:]}\nthe input is in {folder}") from failure
    sys.stdout.write("\n".join(said.splitlines()[-3:]) + "\n")


if __name__ == "__main__":
    main()
