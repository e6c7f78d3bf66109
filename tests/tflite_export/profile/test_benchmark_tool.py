"""The documented outputs of both tools called benchmark_model."""

import re

import pytest

from tflite_export._profile.benchmark_tool import (
    CLASSIC,
    LITERT,
    BenchmarkRun,
    combine,
    command_line,
    parse,
    percentiles_of,
)
from tflite_export.errors import ProfileError

# What QEMU users and model zoos published of the classic tool, shortened.
PUBLISHED = """STARTING!
Loaded model ./mobilenet_v1_1.0_224.tflite
Initialized session in 17.187ms.
Running benchmark for at least 1 iterations and at least 0.5 seconds but terminate if exceeding 150 seconds.
count=1 curr=3512391

Running benchmark for at least 50 iterations and at least 1 seconds but terminate if exceeding 150 seconds.
count=50 first=2990275 curr=2913402 min=2727568 max=3189954 avg=2.95034e+06 std=109798

Inference timings in us: Init: 17187, First inference: 3512391, Warmup (avg): 3.51239e+06, Inference (avg): 2.95034e+06
"""
NEWER = """INFO: count=3 first=9 curr=9 min=8 max=9 avg=8.6 std=0.4
INFO: count=25 first=187533 curr=140990 min=140071 max=195121 avg=145528 std=13583 p5=140545 median=141253 p95=187533
INFO: [benchmark_litert_model.h:61]
========== BENCHMARK RESULTS ==========
INFO: [benchmark_litert_model.h:62] Model initialization: 92.32 ms
INFO: [benchmark_litert_model.h:63] Warmup (first):       187.53 ms
"""


def test_the_classic_output_is_in_microseconds():
    assert parse(PUBLISHED) == BenchmarkRun(
        tool=CLASSIC,
        runs=50,
        mean_us=2_950_340,
        min_us=2_727_568,
        max_us=3_189_954,
        std_us=109_798,
        median_us=None,
        p95_us=None,
        open_us=17_187,
        first_us=3_512_391,
    )


def test_the_newer_output_opens_in_milliseconds_and_has_percentiles():
    found = parse(NEWER)
    assert (found.tool, found.runs) == (LITERT, 25)
    assert (found.open_us, found.first_us) == pytest.approx((92_320, 187_530))
    assert (found.median_us, found.p95_us) == (141_253, 187_533)
    assert BenchmarkRun.from_json(found.to_json()) == found


def test_runs_that_took_equally_long_are_one_number():
    text = PUBLISHED.replace(
        "count=50 first=2990275 curr=2913402 min=2727568 max=3189954 avg=2.95034e+06 std=109798",
        "count=50 curr=12(all same)",
    )
    found = parse(text)
    assert (found.mean_us, found.min_us, found.max_us, found.std_us) == (12, 12, 12, 0)


def test_a_mean_of_six_digits_may_lie_beside_its_range():
    line = "count=50 first=2950344 curr=2950344 min=2950344 max=2950346 avg=2.95034e+06 std=1"
    found = parse(re.sub("count=50.*", line, PUBLISHED))
    assert found.mean_us == found.min_us == 2_950_344


@pytest.mark.parametrize(
    "output",
    [
        "",
        "STARTING!\nSegmentation fault",
        PUBLISHED[: PUBLISHED.index("Inference timings")],
        PUBLISHED.replace("count=1 curr=3512391", ""),
        NEWER.replace("count=25", "count=0"),
        PUBLISHED.replace("min=2727568", "min=nan"),
        PUBLISHED.replace("min=2727568", "min=4000000"),
    ],
)
def test_other_output_is_refused(output):
    with pytest.raises(ProfileError, match="benchmark_model"):
        parse(output)


def run_of(mean_us, *, std_us=10.0, runs=100, median_us=None, p95_us=None):
    return BenchmarkRun(
        CLASSIC, runs, mean_us, mean_us - 5, mean_us + 400, std_us, median_us, p95_us, 700.2, 900
    )


def test_calls_without_percentiles_are_summed_up_as_a_normal_distribution_has_it():
    found = combine([run_of(100), run_of(104, runs=300), run_of(300)])
    assert found.device.p50_us == 104
    assert found.device.p90_us == 117  # 104 + 1.2816 * 10, rounded up
    assert found.device.p99_us is None
    assert (found.device.runs, found.min_us) == (500, 95)
    assert found.mean_us == round((100 * 100 + 300 * 104 + 100 * 300) / 500, 1)
    assert (found.device.switch_us, found.device.first_us) == (701, 900)
    assert found.half_width is None, "three calls are too few for an interval"
    assert percentiles_of([run_of(100)]) == "mean and standard deviation"
    assert combine([run_of(100, std_us=9000)]).device.p90_us == 500, "never beyond the longest run"


def test_calls_with_percentiles_are_summed_up_by_them():
    calls = [run_of(105, median_us=100 + step, p95_us=200) for step in range(6)]
    found = combine(calls)
    assert found.device.p50_us == 102
    assert found.device.p50_us < found.device.p90_us < 200
    assert found.half_width == pytest.approx(3 / 102, abs=1e-4)
    assert percentiles_of(calls) == "median and p95"


def test_the_command_pins_to_cores_and_leaves_xnnpack_to_the_default():
    line = command_line("/t/tool", "/t/a b", threads=4, cpu_mask="f0", xnnpack=True, seconds=0.5)
    assert line.startswith("taskset f0 /t/tool '--graph=/t/a b' --num_threads=4 ")
    assert "xnnpack" not in line
    line = command_line("tool", "a", threads=1, cpu_mask=None, xnnpack=False, seconds=1)
    assert line.startswith("tool --graph=a")
    assert line.endswith("--use_xnnpack=false")
