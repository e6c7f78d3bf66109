import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tfelastic_runtime import latency as runtime

from tflite_export.errors import ProfileError
from tflite_export.profile.measurement import Latency, Profile, describe_host

samples = st.lists(st.integers(1, 10**6), min_size=1, max_size=50)


@given(samples)
def test_statistics_are_those_of_numpy(taken):
    found = Latency.of(taken)
    assert found.p50_us == np.percentile(taken, 50, method="inverted_cdf")
    assert found.p90_us == np.percentile(taken, 90, method="inverted_cdf")
    assert found.mean_us == pytest.approx(np.mean(taken), abs=0.051)
    assert (found.min_us, found.runs) == (min(taken), len(taken))


@given(st.dictionaries(st.text("abc", min_size=1), samples, min_size=1))
def test_a_profile_comes_back_from_json_and_the_device_reads_it_too(taken):
    table = Profile(describe_host(), 1, {name: Latency.of(runs) for name, runs in taken.items()})
    text = json.dumps(table.to_json())
    assert Profile.from_json(json.loads(text)) == table
    device = runtime.Profile.from_json(json.loads(text))
    assert {name: row.p90_us for name, row in device.latencies.items()} == {
        name: row.p90_us for name, row in table.latencies.items()
    }


def test_a_measured_table_is_what_a_selector_takes():
    table = Profile(describe_host(), 1, {"w100": Latency.of([3, 4])})
    assert isinstance(table, runtime.Profile)
    assert isinstance(table.latencies["w100"], runtime.Latency)
    assert "w100" in str(table)


@pytest.mark.parametrize("change", [{"min_us": 0}, {"min_us": 9}, {"mean_us": 1.0}])
def test_impossible_statistics_are_refused(change):
    with pytest.raises(ProfileError, match="min_us"):
        Latency(**{"p50_us": 5, "p90_us": 7, "runs": 3, "mean_us": 5.5, "min_us": 4, **change})


def test_a_table_without_the_exporters_statistics_is_refused():
    row = {"p50_us": 5, "p90_us": 7, "runs": 3}
    with pytest.raises(ProfileError, match="mean_us"):
        Profile.from_json({"device": {}, "threads": 1, "latencies": {"w100": row}})
