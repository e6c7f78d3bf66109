"""The C++ selector of phones and hosts: its choices are Python's, and nothing that goes wrong stops it."""

import functools
import json
import random
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tfelastic_runtime import Bundle, Latency, Profile, RunnerPool, Selector, blank_inputs

from tests.support.cpp_driver import SANITIZED, compiled

Program = Callable[..., subprocess.CompletedProcess[str]]
THREADS = ("-fsanitize=thread",)
TABLE = {
    "w100": Latency(400, 440, 200, first_us=30, switch_us=90),
    "w050": Latency(250, 270, 200, switch_us=50),
    "w025": Latency(100, 120, 200),
}


def program(folder: Path, *options: str) -> Program:
    path = compiled(folder, "bundle_selector.cc", "-pthread", *options)

    def run(*arguments: object, text: str = "") -> subprocess.CompletedProcess[str]:
        words = [str(path), *map(str, arguments)]
        return subprocess.run(words, input=text, capture_output=True, text=True, check=False)

    return run


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Program:
    return program(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The program, which any undefined behaviour, byte read beyond a range, or leak ends."""
    return program(tmp_path_factory.mktemp("sanitized"), *SANITIZED, "-O0")


@pytest.fixture(scope="module")
def threaded(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The program, which a race between threads ends."""
    return program(tmp_path_factory.mktemp("threaded"), *THREADS)


@pytest.fixture
def profile(conformance: Path) -> Profile:
    digest = Bundle.open(conformance / "golden.elastic").payload_sha256
    return Profile({"name": "test"}, 1, TABLE, "LiteRT", "xnnpack", digest)


def passes(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("mode", ["failures", "damage", "background", "clock"])
def test_the_selector_keeps_running(sanitized: Program, conformance: Path, mode: str) -> None:
    passes(sanitized(mode, conformance / "golden.elastic"))


def test_a_bundle_is_replaced_on_disk_while_it_is_open(
    sanitized: Program, conformance: Path, tmp_path: Path
) -> None:
    path, other = tmp_path / "model.elastic", tmp_path / "other.elastic"
    shutil.copy(conformance / "golden.elastic", path)
    shutil.copy(conformance / "shared.elastic", other)
    passes(sanitized("replacement", path, other))
    assert path.read_bytes() == (conformance / "shared.elastic").read_bytes()


def test_a_measured_table_is_written_as_python_reads_it(
    sanitized: Program, conformance: Path, tmp_path: Path
) -> None:
    bundle = Bundle.open(conformance / "golden.elastic")
    text = "\n".join(passes(sanitized("measuring", conformance / "golden.elastic")))
    (tmp_path / "profile.json").write_text(text, encoding="utf-8")
    table = Profile.load(tmp_path / "profile.json")
    assert table.device == {"name": 'a "phone" \\ é'}
    assert (table.runtime, table.kernels, table.threads) == ("stub", None, 1)
    assert table.bundle_sha256 == bundle.payload_sha256
    found = [table.latencies[variant.name] for variant in bundle.variants]
    assert [(each.p50_us, each.p90_us, each.runs) for each in found] == [
        (us, us, 20) for us in (3000, 2000, 1000)
    ]


def test_a_number_that_is_not_finite_is_no_fault_of_the_variant(
    sanitized: Program, conformance: Path
) -> None:
    passes(sanitized("inputs", conformance / "interfaces.elastic"))


@pytest.mark.parametrize("mode", ["threads", "background"])
def test_threads_take_turns(threaded: Program, conformance: Path, mode: str) -> None:
    passes(threaded(mode, conformance / "golden.elastic"))


def test_memory_does_not_grow(plain: Program, conformance: Path) -> None:
    passes(plain("memory", conformance / "golden.elastic"))


class Device:
    """Python's side of the stub: a clock that runs alone move."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.takes_us: dict[str, int] = {}

    def open_runner(self, bundle: Bundle, name: str, *, threads: int) -> Any:
        return _Stub(functools.partial(self._run, name))

    def _run(self, name: str, warm: bool) -> None:
        self.now_ns += 1000 * self.takes_us[name] if warm else 0


class _Stub:
    def __init__(self, run: Callable[[bool], None]) -> None:
        self._run, self._warm = run, False

    def run(self, inputs: Any) -> dict[str, np.ndarray]:
        self._run(self._warm)
        self._warm = True
        return {"output_0": np.zeros(3, np.float32)}


def trace(rng: random.Random, steps: int) -> list[tuple[int, list[int]]]:
    """Draw budgets, and latencies under loads that come and go."""
    slowdown, found = 1.0, []
    for _ in range(steps):
        if rng.random() < 0.05:
            slowdown = rng.choice((1.0, 1.0, 1.5, 2.5))
        budget_us = rng.choice((150, 300, 500, 2000))
        noise = slowdown * rng.lognormvariate(0, 0.05)
        found.append((budget_us, [max(round(each.p50_us * noise), 1) for each in TABLE.values()]))
    return found


@pytest.mark.parametrize("resident", [1, 2, 3])
def test_choices_are_pythons(
    sanitized: Program, conformance: Path, profile: Profile, tmp_path: Path, resident: int
) -> None:
    (tmp_path / "profile.json").write_text(json.dumps(profile.to_json()))
    steps = trace(random.Random(resident), 500)
    text = "\n".join(f"{budget_us} {' '.join(map(str, took))}" for budget_us, took in steps)
    arguments = (conformance / "golden.elastic", tmp_path / "profile.json", resident)
    lines = passes(sanitized("trace", *arguments, text=text))
    device, bundle = Device(), Bundle.open(conformance / "golden.elastic")
    pool = RunnerPool(bundle, resident=resident, open_runner=device.open_runner)
    names, expected = [variant.name for variant in bundle.variants], []
    with Selector(pool, budget_us=1, profile=profile, clock=lambda: device.now_ns) as selector:
        for budget_us, took in steps:
            selector.budget_us, device.takes_us = budget_us, dict(zip(names, took, strict=True))
            result = selector.run(blank_inputs(bundle.manifest.inputs))
            words = [names.index(result.variant), result.latency_us, result.predicted_us]
            slowdown_q16 = round(selector.slowdown * 65536)
            expected.append(" ".join(map(str, [*words, int(result.feasible), slowdown_q16])))
    assert lines == expected
    assert len({line.split()[0] for line in lines}) == 3


def test_a_table_gives_pythons_rows(
    sanitized: Program, conformance: Path, profile: Profile, tmp_path: Path
) -> None:
    path, bundle = tmp_path / "profile.json", Bundle.open(conformance / "golden.elastic")
    fractions = profile.to_json()
    fractions["latencies"]["w100"]["p50_us"] = 399.25
    order = bundle.manifest.score.order
    for data, measured in ((profile.to_json(), profile), (fractions, profile)):
        path.write_text(json.dumps(data))
        lines = passes(sanitized("profile", conformance / "golden.elastic", path, 1, "xnnpack"))
        rows = [measured.latencies[each.name].row(order(each.score)) for each in bundle.variants]
        words = [(row.score_order, row.p50_us, row.p90_us, row.switch_us) for row in rows]
        assert lines == [" ".join(map(str, each)) for each in words]
    embedded = bundle.manifest.profiles[0]
    arguments = (conformance / "golden.elastic", "embedded", embedded.threads)
    kernels = embedded.kernels or "xnnpack"
    lines = passes(sanitized("profile", *arguments, kernels))
    assert [int(line.split()[1]) for line in lines] == [
        embedded.latencies[each.name].p50_us for each in bundle.variants
    ]


def test_a_corrupt_table_is_refused_or_read_as_in_python(
    sanitized: Program, conformance: Path, profile: Profile, tmp_path: Path
) -> None:
    text = json.dumps(profile.to_json()).encode()
    rng, path = random.Random(0), tmp_path / "profile.json"
    foreign = [
        replace(profile, threads=2),
        replace(profile, kernels="builtin"),
        replace(profile, bundle_sha256="0" * 64),
        replace(profile, latencies={"w100": TABLE["w100"]}),
    ]
    damaged = [json.dumps(each.to_json()).encode() for each in foreign]
    damaged += [b"", b"{", text[:-1], text + b"}", b"[" * 100_000, b"\xff"]
    damaged += [text[:at] + rng.randbytes(1) + text[at + 1 :] for at in range(0, len(text), 23)]
    judged = []
    for index, data in enumerate(damaged):
        path.write_bytes(data)
        lines = passes(sanitized("profile", conformance / "golden.elastic", path, 1, "xnnpack"))
        try:
            expected = index >= len(foreign) and Profile.load(path)
            selects = expected and expected.threads == 1 and expected.kernels in (None, "xnnpack")
            selects = selects and set(expected.latencies) == set(TABLE)
            selects = selects and expected.bundle_sha256 in (None, profile.bundle_sha256)
        except ValueError:
            selects = False
        judged.append(len(lines) == 3)
        assert judged[-1] == bool(selects), data[:300]
    assert any(judged)
    assert not any(judged[: len(foreign) + 6])
