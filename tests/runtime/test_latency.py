"""Latency tables: how they are measured, summed up, written and read."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tfelastic_runtime import Latency, Profile, ProfileError, Row, measure

PROFILE = Profile(
    {"name": "bench", "cores": 2},
    1,
    {"w100": Latency(10, 12, 200, 19, 30, 400, 9_000_000), "w050": Latency(5, 6, 200)},
    runtime="LiteRT 2.3.0",
    kernels="xnnpack",
    bundle_sha256="0f" * 32,
)
SCHEMA = json.loads((Path(__file__).parents[2] / "runtime" / "profile.schema.json").read_text())


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=200))
def test_percentiles_split_the_samples(samples: list[int]) -> None:
    found = Latency.of(samples)
    assert found.p99_us is not None
    for share, value in ((0.5, found.p50_us), (0.9, found.p90_us), (0.99, found.p99_us)):
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
    assert found == {"a": Latency(5, 5, 6, 5), "b": Latency(7, 7, 6, 7)}


def test_json_is_symmetric() -> None:
    assert Profile.from_json(PROFILE.to_json()) == PROFILE
    assert Profile.from_json(json.loads(json.dumps(PROFILE.to_json()))) == PROFILE
    jsonschema.validate(PROFILE.to_json(), SCHEMA)


def test_a_table_in_a_manifest_may_leave_out_what_is_unknown() -> None:
    row = {"p50_us": 10, "p90_us": 12, "runs": 200}
    data = {"device": {}, "threads": 1, "latencies": {"w100": row}}
    assert Profile.from_json(data) == Profile({}, 1, {"w100": Latency(10, 12, 200)})


def test_row_of_the_policy_counts_opening_and_the_first_inference() -> None:
    assert Latency(10, 12, 200, 19, 30, 400).row(7) == Row(7, 10, 12, 430)
    assert Latency(10, 12, 200, 19, 30).row(7) == Row(7, 10, 12, 0)
    assert Latency(10, 12, 200, switch_us=5).row(7) == Row(7, 10, 12, 5)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("format", 2), ("format", True), ("format", None), ("threads", 0), ("runtime", 3)),
        *(("kernels", ""), ("bundle_sha256", "0F" * 32), ("device", {"name": []})),
    ],
)
def test_impossible_value_is_refused(key: str, value: Any) -> None:
    data = {**PROFILE.to_json(), key: value}
    with pytest.raises(ProfileError, match=key):
        Profile.from_json(data)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, SCHEMA)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("p99_us", 11), ("p99_us", 2**31), ("first_us", 0), ("switch_us", -1)),
        *(("switch_us", 1.5), ("peak_rss_bytes", 0), ("runs", 0), ("p90_us", "12")),
    ],
)
def test_impossible_latency_is_refused(key: str, value: Any) -> None:
    row = {**PROFILE.latencies["w100"].to_json(), key: value}
    with pytest.raises(ProfileError, match=key):
        Latency.from_json(row)


def test_further_statistics_are_ignored_and_fractions_rounded_up(tmp_path: Path) -> None:
    data: dict[str, Any] = PROFILE.to_json()
    data["note"] = "quiet room"
    data["latencies"]["w100"] |= {"p50_us": 9.2, "p90_us": 11.0001, "mean_us": 9.5}
    path = tmp_path / "profile.json"
    path.write_text(json.dumps(data))
    assert Profile.load(path) == PROFILE


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"{", "not UTF-8 JSON"),
        (b"[]", "expected an object"),
        (b"{}", "'format', 'device' missing"),
        (b'{"format":1,"device":{}}', "'threads', 'latencies' missing"),
        (b'{"format":2,"device":{},"threads":1,"latencies":{}}', "format: expected 1, received 2"),
        (b'{"format":1,"device":{},"threads":1,"latencies":{}}', "at least one variant"),
        (
            b'{"format":1,"device":{},"threads":1,"latencies":'
            b'{"a":{"p50_us":3,"p90_us":3,"runs":1}}}',
            "device: 'name' missing",
        ),
        (b'{"format":1,"device":{"a":[]},"threads":1,"latencies":{}}', "texts and numbers"),
        (
            b'{"format":1,"device":{},"threads":1,"latencies":{"a":3}}',
            r"latencies\['a'\]: expected an object",
        ),
        (
            b'{"format":1,"device":{},"threads":1,"latencies":{"a":{"p50_us":3,"p90_us":2,"runs":1}}}',
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
