"""A board's lines over a pseudo-terminal."""

import json
from pathlib import Path

import jsonschema
import pytest
from tfelastic_runtime import Bundle

from tests.support.boards import block, board, framed
from tflite_export._profile import profile, profile_serial
from tflite_export._profile.serial_line import BoardTable, checksum
from tflite_export.errors import DeviceError, ProfileError

RUNTIME = Path(__file__).parents[3] / "runtime"
GOLDEN = RUNTIME / "conformance" / "golden.elastic"
SHA256 = Bundle.open(GOLDEN).payload_sha256
SCHEMA = json.loads((RUNTIME / "profile.schema.json").read_text())
NAMES = [variant.name for variant in Bundle.open(GOLDEN).variants]


def taken(lines):
    table = BoardTable()
    ends = [table.take(line) for line in lines]
    return table, ends


def test_the_checksum_is_that_of_nmea_0183():
    # The example sentence of the norm, as every GPS manual prints it.
    sentence = b"GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,"
    assert checksum(sentence) == 0x47


def test_a_board_is_asked_and_its_table_read():
    lines = [b"boot: clocks up\r\n", *block(NAMES, sha256=SHA256)]
    calls = []
    with board(lines) as port:
        found = profile(
            GOLDEN, on="serial", port=port, limit_s=30, progress=lambda *call: calls.append(call)
        )
    jsonschema.validate(found.to_json(), SCHEMA)
    assert found.device == {"kind": "board", "name": "Bench board", "cpu_hz": 216_000_000}
    assert (found.runtime, found.kernels, found.threads) == ("TFLM", "cmsis-nn", 1)
    assert found.bundle_sha256 == SHA256
    for index, name in enumerate(NAMES):
        latency = found.latencies[name]
        assert latency.device.runs == 16
        assert latency.device.p50_us == 500 - 100 * index + 4
        assert (latency.device.switch_us, latency.device.first_us) == (0, 900 - index)
        assert 0 < latency.half_width < 0.05
    assert calls[-1][1] == 16 * len(NAMES)


def test_logs_between_and_another_beginning_do_no_harm():
    lines = block(NAMES, sha256=SHA256)
    noisy = [*lines[:20], b"\xff\xfe$TFE,run,w1", b"log: 12*34\n", *lines]
    table, ends = taken(noisy)
    assert ends == [False] * (len(noisy) - 1) + [True]
    assert len(table.runs) == 16 * len(NAMES)


def test_a_few_damaged_lines_are_left_out_and_many_refused():
    lines = block(NAMES, sha256=SHA256)
    damaged = [
        line.replace(b"run", b"rum") if index in (12, 30) else line
        for index, line in enumerate(lines)
    ]
    assert damaged != lines
    table, _ = taken(damaged)
    assert len(table.runs) == 16 * len(NAMES) - 2
    with pytest.raises(DeviceError, match=r"of the board's 57 lines were damaged or lost.*baud"):
        taken([*lines[:10], *lines[20:]])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (("begin", 2, ""), "format '2' of profiling lines, this reader knows 1"),
        (("begin", 1), "begin has 2 fields"),
        (("run", "w100", 0), "whole number of at least 1"),
        (("run", "w100", "1.5"), "whole number"),
        (("run", "w100", 12, 13), "run has 2 fields"),
        (("first", "w100", "9" * 11), "whole number"),
        (("end", "x"), "whole number"),
    ],
)
def test_lines_that_no_board_can_mean_are_refused(line, expected):
    with pytest.raises(ProfileError, match=expected):
        taken([framed("begin", 1, ""), framed(*line)])


def test_later_kinds_of_lines_are_counted_and_ignored():
    table, ends = taken([framed("begin", 1, ""), framed("energy", "w100", 3, 4), framed("end", 1)])
    assert ends[-1]
    with pytest.raises(ProfileError, match="device,name"):
        table.measured()
    table, _ = taken([framed("begin", 1, ""), framed("device", "name", "b"), framed("end", 1)])
    with pytest.raises(ProfileError, match="'run,"):
        table.measured()


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (block(["w100"], sha256=SHA256), "measured w100, .* holds w100, "),
        (block(NAMES, sha256="0" * 64), "runs another bundle: it prints the SHA-256 0000"),
    ],
)
def test_a_table_of_another_bundle_is_refused(lines, expected):
    with board(lines) as port, pytest.raises(ProfileError, match=expected):
        profile_serial(GOLDEN, port=port, limit_s=30)


def test_a_board_that_says_nothing_or_never_ends(tmp_path):
    with (
        board([]) as port,
        pytest.raises(DeviceError, match=r"printed no table within 0.5 s.*baud"),
    ):
        profile_serial(GOLDEN, port=port, limit_s=0.5)
    with (
        board(block(NAMES, sha256=SHA256)[:-1]) as port,
        pytest.raises(DeviceError, match="did not end within 1 s"),
    ):
        profile_serial(GOLDEN, port=port, limit_s=1)
    with pytest.raises(DeviceError, match=r"serial port .*none"):
        profile_serial(GOLDEN, port=str(tmp_path / "none"))
