"""Phones over Debian's real adb client, against a stand-in daemon: no figure here is a phone's."""

import json
import re
from pathlib import Path

import jsonschema
import keras
import pytest
from keras import layers
from tfelastic_runtime import Bundle, Profile

import tfelastic as te
from tests.support import phones
from tests.support.phones import adb_server, make_phone, plugged_in
from tflite_export._profile import (
    PhoneConfigurations,
    PhonePace,
    adb,
    measure_files_on_phone,
    phone_session,
    profile,
    profile_android,
    profile_ops_on_phone,
)
from tflite_export._profile.adb import exit_reason
from tflite_export.errors import DeviceError, ProfileError

RUNTIME = Path(__file__).parents[3] / "runtime"
GOLDEN = RUNTIME / "conformance" / "golden.elastic"
SCHEMA = json.loads((RUNTIME / "profile.schema.json").read_text())
BYTES = {variant.name: variant.bytes for variant in Bundle.open(GOLDEN).variants}
ONCE = PhonePace(rounds=1, cool_down_s=0)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with adb_server(tmp_path_factory.mktemp("home")) as environment:
        yield environment


@pytest.fixture(autouse=True)
def environment(server, monkeypatch):
    for name, value in server.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def tool(tmp_path):
    path = tmp_path / "android_aarch64_benchmark_model"
    path.write_text(phones.CLASSIC)
    return path


def test_every_variant_is_measured_with_every_number_of_threads_on_every_set_of_cores(
    tool, tmp_path
):
    phone = make_phone(tmp_path / "phone")
    with plugged_in(phone) as serial:
        report = profile_android(
            GOLDEN,
            benchmark_model=tool,
            configurations=PhoneConfigurations(threads=(1, 2), cpu_masks=(None, "clusters")),
            pace=PhonePace(rounds=2, cool_down_s=0),
        )
    assert report.failures == {}
    found = [(table.threads, table.device.get("cpu_mask")) for table in report.tables]
    assert sorted(found, key=str) == sorted(
        [(threads, mask) for threads in (1, 2) for mask in (None, "3", "c")], key=str
    )
    for table in report.tables:
        jsonschema.validate(table.to_json(), SCHEMA)
        assert Profile.from_json(table.to_json()) == table.table
        assert table.device["name"] == "Stand In"
        assert table.device["fingerprint"] == "stand/in/one:14/test-keys"
        assert (table.device["cores"], table.device["serial"]) == (4, serial)
        assert table.runtime.startswith("TFLite benchmark_model ")
        assert table.kernels == "xnnpack"
        assert table.conditions == {
            "rounds": 2,
            "percentiles_from": "mean and standard deviation",
            "governor": "schedutil",
            "coolest_celsius": 30.5,
            "warmest_celsius": 30.5,
            "worst_thermal_status": 0,
        }
        for name, latency in table.latencies.items():
            us = BYTES[name] // 10 // table.threads
            assert latency.device.p50_us == us + 1
            assert latency.device.runs == 2 * 264
            assert (latency.device.switch_us, latency.device.first_us) == (630, us + 900)
    assert (phone.root / "masks").read_text().split("\n").count("taskset c") == 2 * 2 * len(BYTES)


@pytest.mark.parametrize("shell_v2", [True, False])
def test_the_newer_tool_is_recognized_with_either_shell(tool, tmp_path, shell_v2):
    tool.write_text(phones.LITERT)
    with plugged_in(make_phone(tmp_path / "phone", shell_v2=shell_v2)):
        table = profile(GOLDEN, on="android", benchmark_model=tool, pace=ONCE)
    assert table.runtime.startswith("LiteRT benchmark_model ")
    assert table.conditions["percentiles_from"] == "median and p95"
    for name, latency in table.latencies.items():
        assert latency.device.p50_us == BYTES[name] // 10
        assert (latency.device.switch_us, latency.device.first_us) == (1250, 3680)


def test_only_files_that_the_phone_lacks_are_pushed(tool, tmp_path):
    phone = make_phone(tmp_path / "phone")
    with plugged_in(phone):
        for expected in (1 + len(BYTES), 0):
            phone.pushed.clear()
            profile_android(GOLDEN, benchmark_model=tool, pace=ONCE)
            assert len(phone.pushed) == expected
        tool.write_text(phones.LITERT)
        profile_android(GOLDEN, benchmark_model=tool, pace=ONCE)
    assert [Path(path).name.partition("-")[0] for path in phone.pushed] == ["benchmark_model"]


def test_phones_are_measured_in_parallel_and_one_that_fails_does_not_stop_the_other(tool, tmp_path):
    good, bad = (make_phone(tmp_path / name, name=name) for name in ("good", "bad"))
    (bad.root / "fault").write_text("sleep 0.2; exit 3")
    (good.root / "fault").write_text("sleep 0.2")
    seen = set()
    with plugged_in(good) as first, plugged_in(bad) as second:
        report = profile_android(
            GOLDEN, benchmark_model=tool, pace=ONCE, progress=lambda *call: seen.add(call)
        )
        assert [table.device["serial"] for table in report.tables] == [first]
        assert list(report.failures) == [second]
        assert "failed (exit code 3)" in report.failures[second]
        assert seen == {(first, done, len(BYTES)) for done in range(1, len(BYTES) + 1)}
        chosen = profile_android(GOLDEN, benchmark_model=tool, pace=ONCE, serials=(first,))
    assert len(chosen.tables) == 1


FAULTS = {
    "[ $calls -gt 2 ] && kill -9 $$": r"benchmark_model was killed \(signal 9\).*memory",
    "[ $calls -gt 2 ] && kill -11 $$": r"benchmark_model crashed \(signal 11\)",
    "[ $calls -gt 2 ] && { echo hello; exit 0; }": r"expected the output.*received: ...'hello'",
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("shell_v2", [True, False])
def test_what_was_measured_stays_and_the_same_call_resumes(tool, tmp_path, fault, shell_v2):
    phone, journal = make_phone(tmp_path / "phone", shell_v2=shell_v2), tmp_path / "journal"
    (phone.root / "fault").write_text(fault)
    with plugged_in(phone) as serial:
        failed = profile_android(GOLDEN, benchmark_model=tool, pace=ONCE, journal=journal)
        assert failed.tables == ()
        assert re.search(FAULTS[fault], failed.failures[serial])
        assert _calls(phone) == 3
        (phone.root / "fault").unlink()
        done = profile_android(GOLDEN, benchmark_model=tool, pace=ONCE, journal=journal)
    assert done.failures == {}
    assert _calls(phone) == 3 + len(BYTES) - 2
    assert not journal.exists(), "a finished measurement is not resumed"


def test_a_program_of_another_processor_is_told_of():
    assert "built for this phone's processor" in exit_reason(126)
    assert exit_reason(3) == "failed (exit code 3)"


def test_a_phone_that_is_unplugged_resumes_when_it_is_back(tool, tmp_path):
    phone, journal = make_phone(tmp_path / "phone", unplug_after=16), tmp_path / "journal"
    with plugged_in(phone) as serial:
        failed = profile_android(GOLDEN, benchmark_model=tool, pace=ONCE, journal=journal)
    assert re.search(
        r"was lost during a command.*plug it in again.*what was measured is kept",
        failed.failures[serial],
    )
    measured = _calls(phone)
    assert 0 < measured < len(BYTES)
    phone.unplug_after = None
    (file,) = journal.iterdir()
    file.write_text(file.read_text() + '{"key": "half a li')
    with plugged_in(phone) as again:
        # On another port it has another serial; a phone on a cable keeps its own.
        file.rename(journal / f"{again.replace('.', '-').replace(':', '-')}.jsonl")
        done = profile_android(GOLDEN, benchmark_model=tool, pace=ONCE, journal=journal)
    assert done.failures == {}
    assert _calls(phone) == len(BYTES)


def test_a_full_phone_says_what_does_not_fit(tool, tmp_path):
    phone = make_phone(tmp_path / "phone", free_bytes=len(phones.CLASSIC) + 10)
    with plugged_in(phone) as serial:
        report = profile_android(GOLDEN, benchmark_model=tool, pace=ONCE)
        assert re.search(
            r"is full: .*tflite \([0-9,]+ bytes\).*free some space", report.failures[serial]
        )
        phone.free_bytes = 1 << 30
        assert profile_android(GOLDEN, benchmark_model=tool, pace=ONCE).failures == {}


@pytest.mark.parametrize(
    ("fault", "state", "expected"),
    [
        ({"authorized": False}, "unauthorized", "does not trust this computer.*USB debugging"),
        ({"silent": True}, "offline", "is offline: unplug it and plug it in again"),
    ],
)
def test_a_phone_that_cannot_be_used_says_what_helps(tool, tmp_path, fault, state, expected):
    phone = make_phone(tmp_path / "phone", **fault)
    with plugged_in(phone, state=state), pytest.raises(DeviceError, match=expected):
        profile_android(GOLDEN, benchmark_model=tool, pace=ONCE)


def test_a_phone_that_is_not_there(tool, tmp_path, monkeypatch):
    with pytest.raises(DeviceError, match=r"no phone is attached.*adb connect succeeds even"):
        profile_android(GOLDEN, benchmark_model=tool)
    with plugged_in(make_phone(tmp_path / "phone")) as serial:
        with pytest.raises(DeviceError, match=f"R5CT is not attached; adb knows {serial}"):
            profile_android(GOLDEN, benchmark_model=tool, serials=("R5CT",))
        assert [each.problem for each in adb.attached_phones(adb.find_adb())] == [None]
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceError, match=r"no adb on PATH.*platform-tools"):
        profile_android(GOLDEN, benchmark_model=tool)


def test_the_newer_tool_cannot_leave_xnnpack_out(tool, tmp_path):
    tool.write_text(phones.LITERT)
    builtin = PhoneConfigurations(xnnpack=False)
    with plugged_in(make_phone(tmp_path / "phone")) as serial:
        report = profile_android(GOLDEN, benchmark_model=tool, configurations=builtin, pace=ONCE)
        assert "cannot run without XNNPACK" in report.failures[serial]
        tool.write_text(phones.CLASSIC)
        report = profile_android(GOLDEN, benchmark_model=tool, configurations=builtin, pace=ONCE)
    assert report.tables[0].kernels == "builtin"


def test_a_warm_phone_rests_until_it_is_cool_or_has_rested_long_enough(tool, tmp_path, monkeypatch):
    phone = make_phone(tmp_path / "phone")
    (phone.root / "fault").write_text('echo 34.5 > "$ROOT/celsius"')
    slept = []

    def rest(seconds):
        slept.append(seconds)
        if len(slept) == 3:
            (phone.root / "celsius").write_text("33.0")
        if len(slept) == 5:
            (phone.root / "status").write_text("2")

    monkeypatch.setattr(phone_session, "sleep", rest)
    with plugged_in(phone):
        pace = PhonePace(rounds=1, cool_down_s=4, longest_cool_down_s=20)
        report = profile_android(GOLDEN, benchmark_model=tool, pace=pace)
    assert len(BYTES) == 3
    # Warm before the second call, for three rests; before the third it stays warm and is throttled, for twenty seconds.
    assert slept == [4] * (3 + 5)
    conditions = report.tables[0].conditions
    assert (conditions["coolest_celsius"], conditions["warmest_celsius"]) == (30.5, 34.5)
    assert conditions["worst_thermal_status"] == 2


def test_a_phone_that_tells_little_is_measured_all_the_same(tool, tmp_path):
    phone = make_phone(tmp_path / "phone")
    for name in ("dumpsys", "getprop"):
        (phone.root / "bin" / name).write_text("#!/bin/sh\nexit 1\n")
    with plugged_in(phone) as serial:
        report = profile_android(GOLDEN, benchmark_model=tool, pace=ONCE)
    (table,) = report.tables
    assert table.device == {"name": serial, "kind": "android", "serial": serial, "cores": 4}
    assert "coolest_celsius" not in table.conditions


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (lambda: PhoneConfigurations(threads=(0,)), "threads must be at least 1"),
        (lambda: PhoneConfigurations(cpu_masks=("0xF0",)), "CPU mask '0xF0'"),
        (lambda: PhonePace(rounds=0), "at least 1 round"),
        (lambda: PhonePace(cool_down_s=-1), "cool-down of at least 0"),
        (lambda: PhonePace(cool_down_s=200), "at most the longest"),
        (lambda: profile_android(GOLDEN, benchmark_model="/no/tool"), "no file /no/tool"),
    ],
)
def test_unfit_options_are_refused(options, expected):
    with pytest.raises(ProfileError, match=expected):
        options()


def test_states_of_adb_are_worded():
    listing = adb._attached
    assert (
        listing("R5CT\tdevice product:x model:Pixel_8 device:y transport_id:1").model == "Pixel_8"
    )
    assert listing("R5CT                   unauthorized transport_id:3").state == "unauthorized"
    refused = listing(
        "????????  no permissions (user in plugdev group; are your udev rules wrong?)"
    )
    assert "udev" in refused.problem
    assert "expected 'device'" in listing("R5CT  rescue").problem


def _calls(phone):
    return (phone.root / "calls").read_text().count("\n")


def test_single_files_are_measured_once_each(tool, tmp_path):
    bundle, journal = Bundle.open(GOLDEN), tmp_path / "journal"
    files = {name: bundle.model(name) for name in BYTES}
    phone, calls = make_phone(tmp_path / "phone"), []
    (phone.root / "fault").write_text("[ $calls -gt 4 ] && exit 5")
    options = {"benchmark_model": tool, "threads": 2, "journal": journal}
    with plugged_in(phone) as serial:
        with pytest.raises(DeviceError, match=r"failed \(exit code 5\)"):
            measure_files_on_phone({**files, "again": files["w100"]}, **options)
        (phone.root / "fault").unlink()
        found = measure_files_on_phone(
            {**files, "again": files["w100"]},
            **options,
            progress=lambda *call: calls.append(call),
        )
        with (
            plugged_in(make_phone(tmp_path / "other", name="other")),
            pytest.raises(DeviceError, match=r"2 phones are attached.*give a serial"),
        ):
            measure_files_on_phone(files, benchmark_model=tool)
    assert found.device["serial"] == serial
    assert found.p50_us == {
        **{name: BYTES[name] // 10 // 2 + 0.92 for name in BYTES},
        "again": BYTES["w100"] // 10 // 2 + 0.92,
    }
    assert calls[-1] == ("measure", 9, 9)
    assert _calls(phone) == 5 + 9 - 4
    assert not journal.exists()


def test_operations_of_a_model_are_measured_for_budgets(tool, tmp_path):
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(16, 3, name="first")(image)
    model = keras.Model(image, layers.Conv2D(2, 3, name="last")(x))
    phone = make_phone(tmp_path / "phone")
    with plugged_in(phone):
        table = profile_ops_on_phone(
            model, benchmark_model=tool, round_to=2, pace=PhonePace(rounds=1, cool_down_s=0)
        )
    assert {operation.step for operation in table.operations} == {2}
    assert (14, 16) in {axis[-2:] for operation in table.operations for axis in operation.grid}
    assert table.device["fingerprint"] == "stand/in/one:14/test-keys"
    assert table.runtime.startswith("TFLite benchmark_model ")
    table.save(tmp_path / "operations.json")
    budget = te.Budget(latency_us=0.9, latency=te.LatencyTable.load(tmp_path / "operations.json"))
    plan = te.plan(model, budget=budget, round_to=2)
    assert te.spending(model, plan, budget).fits
