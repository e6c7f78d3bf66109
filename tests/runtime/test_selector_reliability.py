"""What may go wrong on a device does not stop the Python selector, and nothing grows."""

import gc
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tfelastic_runtime import (
    BackendError,
    Bundle,
    BundleError,
    ClosedError,
    InputError,
    Latency,
    RunnerPool,
    Selector,
    measure,
)

IMAGE = np.zeros((4, 6, 3), np.uint8)
TABLE = {"w100": Latency(40, 44, 200), "w050": Latency(25, 27, 200), "w025": Latency(10, 12, 200)}
AMPLE_US = 10_000


class Device:
    """Opens stubs of variants that take what the table says, and fail where they are told to."""

    def __init__(self) -> None:
        self.now_ns, self.openings, self.alive = 0, 0, 0
        self.jump_ns = 0
        self.refused: set[str] = set()
        self.broken: set[str] = set()
        self.on_run: Callable[[], None] = lambda: None

    def open_runner(self, bundle: Bundle, name: str, *, threads: int) -> "_Stub":
        self.openings += 1
        if name in self.refused:
            raise BundleError(f"variant {name!r}: refused")
        return _Stub(self, name)

    def selector(self, bundle: Bundle, *, resident: int = 2, **options: Any) -> Selector:
        pool = RunnerPool(bundle, resident=resident, open_runner=self.open_runner)
        options = {"profile": TABLE, "budget_us": AMPLE_US, **options}
        return Selector(pool, clock=lambda: self.now_ns, **options)


class _Stub:
    def __init__(self, device: Device, name: str) -> None:
        self._device, self._name = device, name
        device.alive += 1

    def run(self, inputs: Any) -> dict[str, np.ndarray]:
        if not isinstance(inputs, np.ndarray | dict):
            raise InputError("input 'image': refused")
        self._device.on_run()
        if self._name in self._device.broken:
            raise RuntimeError
        self._device.now_ns += 1000 * TABLE[self._name].p50_us + self._device.jump_ns
        return {"output_0": np.zeros(3, np.float32)}

    def __del__(self) -> None:
        self._device.alive -= 1


@pytest.fixture
def device() -> Device:
    return Device()


def test_what_does_not_open_or_run_is_chosen_no_more(bundle: Bundle, device: Device) -> None:
    device.refused = {"w100"}
    with device.selector(bundle) as selector:
        result = selector.run(IMAGE)
        assert (result.variant, result.feasible) == ("w050", True)
        assert dict(result.failures) == {"w100": "variant 'w100': refused"}
        device.refused, device.broken = set(), {"w050"}
        opened = device.openings
        result = selector.run(IMAGE)
        assert result.variant == "w025"
        assert dict(result.failures) == {
            "w100": "variant 'w100': refused",
            "w050": "RuntimeError",
        }
        assert (device.openings, device.alive) == (opened + 1, 1)
        device.broken = set(TABLE)
        for _ in range(2):
            with pytest.raises(BackendError, match=r"w100: .*; w050: RuntimeError; w025: Runt"):
                selector.run(IMAGE)
    assert device.alive == 0


def test_what_was_learned_survives_a_failure(bundle: Bundle, device: Device) -> None:
    with device.selector(bundle) as selector:
        device.jump_ns = 40_000
        for _ in range(4):
            selector.run(IMAGE)
        device.jump_ns, device.broken = 25_000, {"w100"}
        assert selector.run(IMAGE).variant == "w050"
        assert selector.slowdown == pytest.approx(2.0, rel=0.01)


def test_a_refused_input_is_no_fault_of_the_variant(bundle: Bundle, device: Device) -> None:
    with device.selector(bundle) as selector:
        for _ in range(2):
            with pytest.raises(InputError, match="refused"):
                selector.run(None)  # type: ignore[arg-type]
        assert not selector.run(IMAGE).failures


def test_measuring_leaves_out_what_does_not_run(bundle: Bundle, device: Device) -> None:
    device.refused, device.broken = {"w025"}, {"w100"}
    with device.selector(bundle, profile=None) as selector:
        assert list(selector.latencies) == ["w050"]
        result = selector.run(IMAGE)
        assert result.variant == "w050"
        assert set(result.failures) == {"w100", "w025"}
    device.broken = set(TABLE)
    with pytest.raises(BackendError, match="no variant runs: w100"):
        device.selector(bundle, profile=None)


def test_a_variant_whose_bytes_are_damaged_is_left_out(conformance: Path) -> None:
    data = bytearray((conformance / "golden.elastic").read_bytes())
    bundle = Bundle.from_bytes(bytes(data))
    stored = bundle.variants[0].stored
    at = len(data) - 32 - bundle.manifest.payload_bytes + stored.offset + stored.bytes // 2
    data[at] ^= 1
    with pytest.raises(BundleError):
        Bundle.from_bytes(bytes(data))
    # As in a mapped file that somebody overwrites, against the rules.
    bundle._payload = memoryview(data)[-32 - bundle.manifest.payload_bytes : -32]
    with Selector(RunnerPool(bundle), budget_us=AMPLE_US, profile=TABLE) as selector:
        result = selector.run(IMAGE)
    assert result.variant == "w050"
    assert list(result.failures) == ["w100"]


def test_a_bundle_is_replaced_on_disk_while_it_is_open(conformance: Path, tmp_path: Path) -> None:
    path, other = tmp_path / "model.elastic", tmp_path / "other.elastic"
    shutil.copy(conformance / "golden.elastic", path)
    shutil.copy(conformance / "shared.elastic", other)
    with Selector.open(path, budget_us=AMPLE_US, profile=TABLE, resident=1) as selector:
        selector.run(IMAGE)
        other.rename(path)
        for budget_us in (1, AMPLE_US):
            selector.budget_us = budget_us
            assert not selector.run(IMAGE).failures
    assert (
        Bundle.open(path).manifest.name != Bundle.open(conformance / "golden.elastic").manifest.name
    )


def test_measuring_is_bounded_in_time() -> None:
    """All run at least once; when the time is over no further round begins."""
    runs: list[str] = []

    def run(name: str) -> int:
        time.sleep(0.005)
        runs.append(name)
        return 5_000

    taken = measure(["a", "b", "c"], run, rounds=1000, limit_s=0.05)
    assert set(taken) == set(runs) == {"a", "b", "c"}
    assert len(runs) <= 14
    runs.clear()
    assert measure(["a", "b", "c"], run, limit_s=0.0)["c"].runs == 1
    assert runs == ["a", "b", "c"]


@pytest.mark.parametrize("jump_s", [-3600, 3600, -86_400, 10**9])
def test_the_choice_recovers_from_a_clock_that_jumps(
    bundle: Bundle, device: Device, jump_s: int
) -> None:
    with device.selector(bundle, budget_us=50) as selector:
        for _ in range(20):
            selector.run(IMAGE)
        device.jump_ns = jump_s * 10**9
        assert selector.run(IMAGE).latency_us >= 1
        device.jump_ns = 0
        for _ in range(70):
            selector.run(IMAGE)
        result = selector.run(IMAGE)
        assert (result.variant, result.feasible) == ("w100", True)
        assert selector.slowdown == pytest.approx(1.0, abs=0.1)


def test_neither_runs_nor_switches_make_memory_grow(bundle: Bundle, device: Device) -> None:
    def follow(runs: int) -> None:
        for number in range(runs):
            if number % 100 == 0:
                selector.budget_us = 15 if selector.budget_us == AMPLE_US else AMPLE_US
            selector.run(IMAGE)
        gc.collect()

    with device.selector(bundle, resident=1) as selector:
        follow(2_000)
        blocks, openings = sys.getallocatedblocks(), device.openings
        follow(100_000)
        assert device.openings - openings == 1_000
        assert device.alive == 1
        assert sys.getallocatedblocks() - blocks < 200


def test_real_interpreters_are_given_back(bundle: Bundle) -> None:
    """1,000 switches between variants that LiteRT opens anew each time."""

    def resident_bytes() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    def switch(times: int) -> None:
        for number in range(times):
            selector.budget_us = 15 if number % 2 else AMPLE_US
            selector.run(IMAGE)

    with Selector.open(bundle, budget_us=AMPLE_US, profile=TABLE, resident=1) as selector:
        switch(100)
        before = resident_bytes()
        switch(1_000)
        # An interpreter that stayed would take tens of kilobytes each time.
        assert resident_bytes() - before < 4 << 20


def test_closing_waits_for_the_run_under_way(bundle: Bundle, device: Device) -> None:
    selector = device.selector(bundle)
    selector.run(IMAGE)
    started, released = threading.Event(), threading.Event()

    def hold() -> None:
        started.set()
        released.wait(10)

    device.on_run = hold
    results: list[str] = []

    def call() -> None:
        try:
            results.append(selector.run(IMAGE).variant)
        except ClosedError:
            results.append("closed")

    callers = [threading.Thread(target=call) for _ in range(8)]
    callers[0].start()
    assert started.wait(10)
    closer = threading.Thread(target=selector.close)
    closer.start()
    for caller in callers[1:]:
        caller.start()
    closer.join(0.05)
    assert closer.is_alive()
    assert device.alive == 1
    released.set()
    for thread in (closer, *callers):
        thread.join(10)
        assert not thread.is_alive()
    assert len(results) == 8
    assert set(results) <= {"w100", "closed"}
    assert "w100" in results
    assert device.alive == 0
