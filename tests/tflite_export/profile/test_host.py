import itertools
import json
import math
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import tfelastic_runtime as runtime
from tfelastic_runtime import Selector

from tflite_export._profile import StoppingRule, host, profile, profile_host
from tflite_export._profile.measurement import MeasuredLatency, MeasuredProfile
from tflite_export.bundle import Variant, write_bundle
from tflite_export.errors import ProfileError

NAMES = ("wide", "narrow")
TWELVE_TURNS = StoppingRule.after(120)
SCHEMA = json.loads((Path(__file__).parents[3] / "runtime" / "profile.schema.json").read_text())


@pytest.fixture(scope="module")
def bundle(converted, tmp_path_factory):
    path = tmp_path_factory.mktemp("profile") / "model.elastic"
    rest = {"params": 1, "macs": 1, "scheme": "int8"}
    variants = [
        Variant(name="wide", width=1, score=0.9, tflite=converted("residual"), **rest),
        Variant(name="narrow", width=0.5, score=0.8, tflite=converted("flatten"), **rest),
    ]
    write_bundle(path, variants, name="nets")
    return path


def test_a_fixed_number_of_runs_is_rounded_up_to_turns_of_ten(bundle):
    calls = []
    table = profile(bundle, stop=StoppingRule.after(25), progress=lambda *call: calls.append(call))
    assert set(table.latencies) == set(NAMES)
    assert {latency.device.runs for latency in table.latencies.values()} == {30}
    assert calls == [("profile", done, 3) for done in (1, 2, 3)]
    assert table.threads == 1
    assert table.device["kind"] == "host"
    assert table.device["cores"] >= 1


def test_the_table_says_what_ran_and_what_a_switch_costs(bundle):
    table = profile_host(bundle, stop=StoppingRule.after(10), warmup=0)
    assert MeasuredProfile.from_json(json.loads(json.dumps(table.to_json()))) == table
    jsonschema.validate(table.to_json(), SCHEMA)
    assert table.runtime.startswith("LiteRT 2.")
    assert table.kernels == "xnnpack"
    assert table.bundle_sha256 == runtime.Bundle.open(bundle).payload_sha256
    for latency in table.latencies.values():
        assert latency.device.p50_us <= latency.device.p90_us <= latency.device.p99_us
        # Opening an interpreter takes longer than a run of so small a net; Python alone has 10 MB.
        assert latency.device.switch_us > latency.device.p50_us
        assert latency.device.first_us >= 1
        assert 10_000_000 < latency.device.peak_rss_bytes < 2_000_000_000


def test_other_kernels_can_be_measured_and_a_selector_is_held_to_them(bundle):
    table = profile_host(bundle, stop=StoppingRule.after(10), warmup=0, xnnpack=False).table
    assert table.kernels == "builtin"
    with pytest.raises(runtime.ProfileError, match=r"'builtin'.*'xnnpack'.*xnnpack=False"):
        Selector.open(bundle, budget_us=10, profile=table)
    with Selector.open(bundle, budget_us=10_000_000, profile=table, xnnpack=False) as selector:
        assert selector.run(np.zeros((16, 16, 3), np.uint8)).variant == "wide"


def test_a_process_that_cannot_open_a_variant_is_an_error(bundle):
    with pytest.raises(
        ProfileError, match=r"(?s)measures memory failed.*has no variant 'narrower'"
    ):
        host._peak_rss(bundle, ["narrower"], threads=1, xnnpack=True)


def test_a_selector_takes_the_table_as_it_is(bundle):
    table = profile_host(bundle, stop=StoppingRule.after(10), warmup=1)
    with Selector.open(bundle, budget_us=10_000_000, profile=table.table) as selector:
        assert selector.run(np.zeros((16, 16, 3), np.uint8)).variant == "wide"


class Recorder:
    """Stands for an open variant: notes each run, and lets the clock pass by what it costs."""

    def __init__(self, name, cost_ns, log, clock):
        self.name, self.cost_ns, self.log, self.clock = name, cost_ns, log, clock

    def run(self, image):
        self.log.append(self.name)
        noise_ns = self.noise_ns(len(self.log))
        self.clock[0] += self.cost_ns * (10 if self.log[-2:-1] != [self.name] else 1) + noise_ns

    def noise_ns(self, run):
        return 0


class NoisyRecorder(Recorder):
    """A slower one, whose turns differ by up to a tenth, in a fixed order."""

    def __init__(self, name, cost_ns, log, clock):
        super().__init__(name, 100 * cost_ns, log, clock)

    def noise_ns(self, run):
        return run // 22 * 7919 % 11 * self.cost_ns // 100


def _turns(monkeypatch, seed=0, stop=TWELVE_TURNS, recorder=Recorder, progress=None):
    log, clock = [], [0]
    monkeypatch.setattr(host.time, "perf_counter_ns", lambda: clock[0])
    monkeypatch.setattr(host.time, "monotonic", lambda: clock[0] / 1e9)
    runners = {
        "wide": recorder("wide", 5_000, log, clock),
        "narrow": recorder("narrow", 1_001, log, clock),
    }
    images = np.zeros((host.RUNS_PER_TURN, 1, 1, 1), np.uint8)
    turns = host._take_turns(runners, images, stop=stop, seed=seed, progress=progress)
    return turns, log


def test_turns_are_shuffled_by_the_seed_and_hit_all_alike(monkeypatch):
    _, log = _turns(monkeypatch, seed=0)
    turns = [log[start] for start in range(0, len(log), 11)]
    assert all(len(set(log[start : start + 11])) == 1 for start in range(0, len(log), 11))
    assert all({turns[i], turns[i + 1]} == set(NAMES) for i in range(0, len(turns), 2))
    assert {tuple(turns[i : i + 2]) for i in range(0, len(turns), 2)} == {NAMES, NAMES[::-1]}
    assert _turns(monkeypatch, seed=0)[1] == log
    assert _turns(monkeypatch, seed=1)[1] != log


def test_the_cold_first_run_of_a_turn_is_not_counted_and_fractions_round_up(monkeypatch):
    turns, _ = _turns(monkeypatch)
    narrow, wide = (list(itertools.chain(*turns[name])) for name in ("narrow", "wide"))
    assert MeasuredLatency.of(narrow).to_json()["p90_us"] == 2
    assert set(wide) == {5}
    assert len(wide) == 120


def test_measuring_goes_on_until_the_medians_are_known_as_asked(monkeypatch):
    found = {}
    for half_width in (0.05, 0.01):
        stop = StoppingRule(half_width=half_width, min_runs=10, limit_s=math.inf)
        calls = []
        turns, _ = _turns(
            monkeypatch,
            stop=stop,
            recorder=NoisyRecorder,
            progress=lambda *call, calls=calls: calls.append(call),
        )
        assert all(host._half_width(each) <= half_width for each in turns.values())
        assert calls[-1][1] == calls[-1][2] == len(turns["wide"])
        found[half_width] = len(turns["wide"])
    assert 6 <= found[0.05] < found[0.01]
    still, _ = _turns(monkeypatch, stop=StoppingRule(min_runs=10, limit_s=math.inf))
    assert len(still["wide"]) == 6, "equal turns: the fewest of which a median has an interval"


def test_measuring_ends_when_its_time_is_up(monkeypatch):
    stop = StoppingRule(half_width=1e-9, min_runs=10_000_000, limit_s=0.002)
    turns, _ = _turns(monkeypatch, stop=stop, recorder=NoisyRecorder)
    assert 1 <= len(turns["wide"]) == len(turns["narrow"]) < 100


def test_what_comes_before_the_turns_is_bounded_as_well(bundle, monkeypatch):
    now, calls = [0.0], []
    monkeypatch.setattr(host.time, "monotonic", lambda: now[0])

    class Slow:
        def run(self, inputs):
            now[0] += 1.0
            calls.append(inputs)

    found = host._time_openings(NAMES, lambda name: Slow(), {}, limit_s=3)
    assert len(calls) == 4, "two rounds: the first ends before the limit, the second goes beyond"
    assert set(found) == set(NAMES)
    calls.clear()
    host._warm_up([Slow(), Slow()], {}, runs=100, limit_s=5)
    assert len(calls) == 5


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"on": "toaster"}, "'toaster'; known: host"),
        ({"warmup": -1}, "warmup must be at least 0"),
        ({"threads": 0}, "threads must be at least 1"),
    ],
)
def test_unfit_options_are_refused(bundle, options, told):
    with pytest.raises(ProfileError, match=told):
        profile(bundle, **options)
