import numpy as np
import pytest
from tfelastic_runtime import Selector

from tflite_export._profile import host, profile, profile_host
from tflite_export._profile.measurement import MeasuredLatency, MeasuredProfile
from tflite_export.bundle import Variant, write_bundle
from tflite_export.errors import ProfileError

NAMES = ("wide", "narrow")


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


def test_every_variant_is_measured_as_often_as_asked(bundle):
    calls = []
    table = profile(bundle, runs=25, progress=lambda *call: calls.append(call))
    assert set(table.latencies) == set(NAMES)
    assert {latency.device.runs for latency in table.latencies.values()} == {30}, (
        "whole turns of ten"
    )
    assert calls == [("profile", done, 3) for done in (1, 2, 3)]
    assert table.threads == 1
    assert table.device["kind"] == "host"
    assert table.device["cores"] >= 1
    assert MeasuredProfile.from_json(table.to_json()) == table


def test_a_selector_takes_the_table_as_it_is(bundle):
    table = profile_host(bundle, runs=10, warmup=1)
    with Selector.open(bundle, budget_us=10_000_000, profile=table.table) as selector:
        assert selector.run(np.zeros((16, 16, 3), np.uint8)).variant == "wide"


class Recorder:
    """Stands for an open variant: notes each run, and lets the clock pass by what it costs."""

    def __init__(self, name, cost_ns, log, clock):
        self.name, self.cost_ns, self.log, self.clock = name, cost_ns, log, clock

    def run(self, image):
        self.log.append(self.name)
        self.clock[0] += self.cost_ns * (10 if self.log[-2:-1] != [self.name] else 1)


def _turns(monkeypatch, seed, rounds=12):
    log, clock = [], [0]
    monkeypatch.setattr(host.time, "perf_counter_ns", lambda: clock[0])
    runners = {
        "wide": Recorder("wide", 5_000, log, clock),
        "narrow": Recorder("narrow", 1_001, log, clock),
    }
    images = np.zeros((host.RUNS_PER_TURN, 1, 1, 1), np.uint8)
    samples = host._take_turns(runners, images, rounds=rounds, seed=seed, progress=None)
    return samples, log


def test_turns_are_shuffled_by_the_seed_and_hit_all_alike(monkeypatch):
    _, log = _turns(monkeypatch, seed=0)
    turns = [log[start] for start in range(0, len(log), 11)]
    assert all(len(set(log[start : start + 11])) == 1 for start in range(0, len(log), 11))
    assert all({turns[i], turns[i + 1]} == set(NAMES) for i in range(0, len(turns), 2))
    assert {tuple(turns[i : i + 2]) for i in range(0, len(turns), 2)} == {NAMES, NAMES[::-1]}
    assert _turns(monkeypatch, seed=0)[1] == log
    assert _turns(monkeypatch, seed=1)[1] != log


def test_the_cold_first_run_of_a_turn_is_not_counted_and_fractions_round_up(monkeypatch):
    samples, _ = _turns(monkeypatch, seed=0)
    assert MeasuredLatency.of(samples["narrow"]).to_json()["p90_us"] == 2
    assert set(samples["wide"]) == {5}
    assert len(samples["wide"]) == 120


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"on": "toaster"}, "'toaster'; known: host"),
        ({"runs": 0}, "runs must be at least 1"),
        ({"threads": 0}, "threads must be at least 1"),
    ],
)
def test_unfit_options_are_refused(bundle, options, told):
    with pytest.raises(ProfileError, match=told):
        profile(bundle, **options)
