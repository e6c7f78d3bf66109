"""Latency tables: how they are measured, summed up, written and read."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tfelastic_runtime import Latency, Profile, ProfileError, measure

PROFILE = Profile({"name": "bench", "cores": 2}, 1, {"w100": Latency(10, 12, 200)})


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=200))
def test_percentiles_split_the_samples(samples: list[int]) -> None:
    found = Latency.of(samples)
    for share, value in ((0.5, found.p50_us), (0.9, found.p90_us)):
        assert value in samples
        assert sum(sample <= value for sample in samples) >= share * len(samples)
        assert sum(sample < value for sample in samples) < share * len(samples)
    assert found.runs == len(samples)


def test_variants_take_turns() -> None:
    order = []

    def run(name: str) -> int:
        order.append(name)
        return {"a": 5, "b": 7}[name]

    found = measure(["a", "b"], run, rounds=2, runs=3)
    assert "".join(order) == "aaabbbaaabbb"
    assert found == {"a": Latency(5, 5, 6), "b": Latency(7, 7, 6)}


def test_json_is_symmetric() -> None:
    assert Profile.from_json(PROFILE.to_json()) == PROFILE
    assert Profile.from_json(json.loads(json.dumps(PROFILE.to_json()))) == PROFILE


def test_further_statistics_are_ignored_and_fractions_rounded_up(tmp_path: Path) -> None:
    data: dict[str, Any] = PROFILE.to_json()
    data["note"] = "quiet room"
    data["latencies"]["w100"] = {"p50_us": 9.2, "p90_us": 11.0001, "runs": 200, "mean_us": 9.5}
    path = tmp_path / "profile.json"
    path.write_text(json.dumps(data))
    assert Profile.load(path) == PROFILE


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"{", "not UTF-8 JSON"),
        (b"[]", "expected an object"),
        (b"{}", "'device', 'threads', 'latencies' missing"),
        (b'{"device":{},"threads":1,"latencies":{}}', "at least one variant"),
        (b'{"device":{"a":[]},"threads":1,"latencies":{}}', "texts and numbers"),
        (b'{"device":{},"threads":1,"latencies":{"a":3}}', r"latencies\['a'\]: expected an object"),
        (
            b'{"device":{},"threads":1,"latencies":{"a":{"p50_us":3,"p90_us":2,"runs":1}}}',
            r"latencies\['a'\]\.p90_us: expected an integer in 3",
        ),
    ],
)
def test_malformed_profile_names_file_and_place(data: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    path.write_bytes(data)
    with pytest.raises(ProfileError, match=rf"profile\.json.*{said}"):
        Profile.load(path)


def test_no_sample_is_refused() -> None:
    with pytest.raises(ProfileError, match="no run"):
        Latency.of([])
