"""The selector: policy, interpreters and clock together."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tfelastic_runtime import (
    BudgetError,
    Bundle,
    BundleError,
    ClosedError,
    InputError,
    Latency,
    Profile,
    ProfileError,
    Runner,
    RunnerPool,
    Selector,
)

IMAGE = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
TABLE = {"w100": Latency(40, 44, 200), "w050": Latency(25, 27, 200), "w025": Latency(10, 12, 200)}


class Device:
    """A clock that only running variants move, by what each takes at the present slowdown."""

    def __init__(self, takes_us: dict[str, float]) -> None:
        self.now_ns, self.slowdown, self.takes_us = 5, 1.0, takes_us
        self.opened: list[str] = []

    def clock(self) -> int:
        return self.now_ns

    def open_runner(self, bundle: Bundle, name: str, *, threads: int) -> Any:
        self.opened.append(name)
        # Opening and warming up are slow, and must not count.
        self.now_ns += 10**9
        return _Timed(Runner(bundle, name), lambda: self._ran(name))

    def _ran(self, name: str) -> None:
        self.now_ns += round(self.takes_us[name] * 1000 * self.slowdown)


class _Timed:
    def __init__(self, runner: Runner, ran: Callable[[], None]) -> None:
        self._runner, self._ran = runner, ran

    def run(self, inputs: Any) -> dict[str, np.ndarray]:
        self._ran()
        return self._runner.run(inputs)


def selector(bundle: Bundle, device: Device, **options: Any) -> Selector:
    pool = RunnerPool(bundle, open_runner=device.open_runner)
    return Selector(pool, clock=device.clock, **options)


@pytest.fixture
def device() -> Device:
    return Device({"w100": 41.2, "w050": 25.5, "w025": 10.0})


def test_runs_what_the_budget_allows(bundle: Bundle, device: Device) -> None:
    with selector(bundle, device, budget_us=44, profile=TABLE) as chosen:
        result = chosen.run(IMAGE)
        assert (result.variant, result.latency_us) == ("w100", 42)
        assert (result.predicted_us, result.feasible) == (44, True)
        expected = Runner(bundle, "w100").run(IMAGE)["output_0"]
        assert np.array_equal(result.output, expected)
        assert list(result.outputs) == ["output_0"]
        assert result.label == ("kitten", "Möwe", "犬")[int(np.argmax(result.output))]
        chosen.budget_us = 43
        assert chosen.run(IMAGE).variant == "w050"
        chosen.budget_us = 11
        result = chosen.run(IMAGE)
        assert (result.variant, result.predicted_us, result.feasible) == ("w025", 13, False)
        assert 1.0 < chosen.slowdown < 1.06
        assert chosen.budget_us == 11


def test_interpreters_open_when_needed_and_two_stay(bundle: Bundle, device: Device) -> None:
    with selector(bundle, device, budget_us=50, profile=TABLE) as chosen:
        assert device.opened == []
        for budget_us in (50, 50, 30, 50, 15, 50, 30):
            chosen.budget_us = budget_us
            chosen.run(IMAGE)
    assert device.opened == ["w100", "w050", "w025", "w050"]


def test_follows_a_device_that_slows_down_and_recovers(bundle: Bundle, device: Device) -> None:
    with selector(bundle, device, budget_us=60, profile=TABLE) as chosen:
        before = [chosen.run(IMAGE).variant for _ in range(20)]
        device.slowdown = 2.0
        slow = [chosen.run(IMAGE).variant for _ in range(20)]
        assert 1.9 < chosen.slowdown < 2.1
        device.slowdown = 1.0
        after = [chosen.run(IMAGE).variant for _ in range(80)]
    assert set(before) == {"w100"}
    assert slow[:2] == ["w100", "w100"]
    assert set(slow[2:]) == {"w050"}
    assert after[0] == "w050"
    assert set(after[1:]) == {"w100"}


def test_measures_itself_in_turns_without_the_warm_up(bundle: Bundle, device: Device) -> None:
    with selector(bundle, device, budget_us=30) as chosen:
        assert chosen.latencies == {
            "w100": Latency(42, 42, 20, 42),
            "w050": Latency(26, 26, 20, 26),
            "w025": Latency(10, 10, 20, 10),
        }
        # Two are resident, so each turn of a third reopens it.
        assert device.opened == ["w100", "w050", "w025"] * 5
        assert chosen.run(IMAGE).variant == "w050"


def test_runs_on_this_machine(conformance: Path) -> None:
    """No fakes: the golden bundle, its file, LiteRT and the real clock."""
    with Selector.open(conformance / "golden.elastic", budget_ms=2000.0) as chosen:
        result = chosen.run(IMAGE)
        assert (result.variant, result.feasible) == ("w100", True)
        assert 1 <= result.latency_us < 2_000_000
        chosen.budget_us = 1
        results = [chosen.run(IMAGE) for _ in range(5)]
        fastest = min(latency.p90_us for latency in chosen.latencies.values())
        assert not any(result.feasible for result in results) or fastest == 1


def test_takes_a_profile_from_anywhere(conformance: Path, bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    path.write_bytes(
        b'{"format":1,"device":{"name":"bench"},"threads":1,"latencies":{"w100":{"p50_us":40,"p90_us":44,"runs":200},'
        b'"w050":{"p50_us":25,"p90_us":27,"runs":200},"w025":{"p50_us":10,"p90_us":12,"runs":200}}}'
    )
    for profile in (TABLE, path, str(path), Profile({}, 1, TABLE), bundle.manifest.profiles[0]):
        with Selector.open(bundle, budget_us=43, profile=profile) as chosen:
            assert chosen.latencies == TABLE
            assert chosen.run(IMAGE).variant == "w050"


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        ({"w100": TABLE["w100"]}, "expected latencies of w100, w050, w025, received 'w100'"),
        ({**TABLE, "w010": TABLE["w100"]}, "received 'w100', 'w050', 'w025', 'w010'"),
        ({**TABLE, "w050": 27}, r"profile\['w050'\]: expected a Latency, received 27"),
        (Profile({}, 4, TABLE), "measured with threads=4.*opened with threads=1"),
        (Profile({}, 1, TABLE, bundle_sha256="0" * 64), "with another bundle.*0000"),
        (27, "received 27"),
    ],
)
def test_foreign_profile_is_refused(bundle: Bundle, profile: Any, said: str) -> None:
    with pytest.raises(ProfileError, match=said):
        Selector.open(bundle, budget_us=1, profile=profile)


@pytest.mark.parametrize(
    "budget",
    [
        {},
        {"budget_ms": 5.0, "budget_us": 5000},
        {"budget_ms": 0.0},
        {"budget_ms": -1.0},
        {"budget_ms": float("nan")},
        {"budget_ms": float("inf")},
        {"budget_ms": 1e8},
        {"budget_ms": "5"},
        {"budget_us": 0},
        {"budget_us": 5000.0},
        {"budget_us": 2**31},
    ],
)
def test_bad_budget_is_refused(bundle: Bundle, budget: dict[str, Any]) -> None:
    with pytest.raises(BudgetError, match="budget_"):
        Selector.open(bundle, profile=TABLE, **budget)


def test_milliseconds_become_microseconds(bundle: Bundle) -> None:
    for budget_ms, budget_us in ((5.0, 5000), (5, 5000), (0.0001, 1), (1.2345, 1234)):
        with Selector.open(bundle, budget_ms=budget_ms, profile=TABLE) as chosen:
            assert chosen.budget_us == budget_us


def test_bad_budget_later_changes_nothing(bundle: Bundle) -> None:
    with Selector.open(bundle, budget_us=50, profile=TABLE) as chosen:
        with pytest.raises(BudgetError, match="budget_us must lie in 1"):
            chosen.budget_us = 0
        assert chosen.budget_us == 50


def test_bad_image_is_told_and_teaches_nothing(bundle: Bundle) -> None:
    with Selector.open(bundle, budget_us=50, profile=TABLE) as chosen:
        for image in (IMAGE[np.newaxis], IMAGE / 255):
            with pytest.raises(InputError, match=r"raw pixels 0 \.\. 255"):
                chosen.run(image)
        assert chosen.slowdown == 1.0
        chosen.run(IMAGE)


def test_closed_selector_says_so(bundle: Bundle) -> None:
    chosen = Selector.open(bundle, budget_us=50, profile=TABLE)
    chosen.run(IMAGE)
    chosen.close()
    chosen.close()
    with pytest.raises(ClosedError, match=r"open the bundle again with Selector\.open"):
        chosen.run(IMAGE)
    with pytest.raises(ClosedError), chosen:
        pass


def test_damaged_bundle_does_not_open(conformance: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.elastic"
    path.write_bytes((conformance / "golden.elastic").read_bytes()[:-7])
    with pytest.raises(BundleError, match=r"cut\.elastic"):
        Selector.open(path, budget_us=50)


class Jealous:
    """A runner that notices when a second thread enters it, as an interpreter would not."""

    def __init__(self, bundle: Bundle, name: str, *, threads: int) -> None:
        self.busy, self.crowded = False, False

    def run(self, image: Any) -> dict[str, np.ndarray]:
        self.crowded |= self.busy
        self.busy = True
        time.sleep(0.001)
        self.busy = False
        return {"output_0": np.full(3, image[0, 0, 0], np.float32)}


def test_threads_take_turns(bundle: Bundle) -> None:
    pool = RunnerPool(bundle, resident=1, open_runner=Jealous)
    answers: dict[int, set[float]] = {}

    def work(mine: int) -> None:
        image = np.full((4, 6, 3), mine, np.uint8)
        answers[mine] = {float(chosen.run(image).output[0]) for _ in range(20)}

    with Selector(pool, budget_us=2**31 - 1, profile=TABLE) as chosen:
        workers = [threading.Thread(target=work, args=(mine,)) for mine in range(8)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        runner = pool.get("w100", IMAGE)
    assert isinstance(runner, Jealous)
    assert not runner.crowded
    assert answers == {mine: {float(mine)} for mine in range(8)}
