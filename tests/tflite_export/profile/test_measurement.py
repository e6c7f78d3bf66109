import json

import numpy as np
import pytest
import tfelastic_runtime as runtime
from hypothesis import given
from hypothesis import strategies as st

from tflite_export._profile.measurement import MeasuredLatency, MeasuredProfile, describe_host
from tflite_export.errors import ProfileError

samples = st.lists(st.integers(1, 10**6), min_size=1, max_size=50)


@given(samples)
def test_statistics_are_those_of_numpy(taken):
    found = MeasuredLatency.of(taken)
    assert found.device.p50_us == np.percentile(taken, 50, method="inverted_cdf")
    assert found.device.p90_us == np.percentile(taken, 90, method="inverted_cdf")
    assert found.mean_us == pytest.approx(np.mean(taken), abs=0.051)
    assert (found.min_us, found.device.runs) == (min(taken), len(taken))


@given(st.dictionaries(st.text("abc", min_size=1), samples, min_size=1))
def test_a_profile_comes_back_from_json_and_the_device_reads_it_too(taken):
    table = MeasuredProfile(
        describe_host(), 1, {name: MeasuredLatency.of(runs) for name, runs in taken.items()}
    )
    text = json.dumps(table.to_json())
    assert MeasuredProfile.from_json(json.loads(text)) == table
    assert runtime.Profile.from_json(json.loads(text)) == table.table


def test_a_measured_profile_prints_a_row_per_variant_and_is_checked_as_the_devices_is():
    latencies = {"w100": MeasuredLatency.of([3, 4])}
    assert str(MeasuredProfile(describe_host(), 1, latencies)).splitlines()[1].split() == [
        "w100", "3", "4", "3.5", "2",
    ]  # fmt: skip
    with pytest.raises(runtime.ProfileError, match="threads"):
        MeasuredProfile({}, 0, latencies)


@pytest.mark.parametrize("change", [{"min_us": 0}, {"min_us": 9}, {"mean_us": 1.0}])
def test_impossible_statistics_are_refused(change):
    with pytest.raises(ProfileError, match="min_us"):
        MeasuredLatency(
            **{"device": runtime.Latency(5, 7, 3), "mean_us": 5.5, "min_us": 4, **change}
        )


def test_a_table_without_the_exporters_statistics_is_refused():
    row = {"p50_us": 5, "p90_us": 7, "runs": 3}
    with pytest.raises(ProfileError, match="mean_us"):
        MeasuredProfile.from_json({"device": {}, "threads": 1, "latencies": {"w100": row}})
