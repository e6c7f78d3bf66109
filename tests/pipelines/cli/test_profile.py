"""`tfelastic profile` on this machine, with the golden bundle."""

import json
import shutil
from pathlib import Path

import jsonschema
import pytest
from tfelastic_runtime import Bundle, Latency, Profile

import tflite_export as tx
from pipelines.cli import profile_tables
from pipelines.cli.entry import execute

RUNTIME = Path(__file__).parents[3] / "runtime"
SCHEMA = json.loads((RUNTIME / "profile.schema.json").read_text())
QUICK = ["--half-width", "0.9", "--limit-s", "5"]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copy(RUNTIME / "conformance" / "golden.elastic", tmp_path))


def test_a_table_is_written_beside_the_bundle_and_select_reads_it(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = bundle.with_suffix(".svg")
    assert execute(["profile", str(bundle), *QUICK, "-q", "--picture", str(picture)]) == 0
    assert "<svg" in picture.read_text()
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "…" not in printed.out
    names = [variant.name for variant in Bundle.open(bundle).variants]
    rows = [line.split()[0] for line in printed.out.splitlines() if line.split()]
    assert [name for name in rows if name in names][: len(names)] == names
    table = bundle.with_name("profile.json")
    jsonschema.validate(json.loads(table.read_text()), SCHEMA)
    asked = ["select", str(bundle), "--profile", str(table), "--budget-ms", "1000", "--json"]
    assert execute(asked) == 0
    assert json.loads(capsys.readouterr().out)["feasible"]


def test_two_numbers_of_threads_make_two_tables_which_the_bundle_takes_in(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [
        "profile",
        str(bundle),
        *QUICK,
        "--threads",
        "1",
        "--threads",
        "2",
        "--embed",
        "--json",
    ]
    assert execute([*asked, "--no-xnnpack"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [each["threads"] for each in found["profiles"]] == [1, 2]
    files = sorted(bundle.with_name("profiles").iterdir())
    assert [str(file) for file in files] == [each["file"] for each in found["profiles"]]
    within = Bundle.open(bundle).manifest.profiles
    measured = [each for each in within if each.kernels == "builtin"]
    assert [each.threads for each in measured] == [1, 2]
    assert len(within) == 3, "the golden bundle's own table stays"
    assert execute([*asked, "--no-xnnpack"]) == 0
    assert len(Bundle.open(bundle).manifest.profiles) == 3, "a new table takes the old one's place"


def test_what_takes_space_for_nothing_is_said(bundle: Path) -> None:
    opened = Bundle.open(bundle)
    latencies = {"w100": (10, 12), "w050": (11, 13), "w025": (3, 4)}
    table = tx.MeasuredProfile(
        {"name": "bench", "cores": 2},
        1,
        {
            name: tx.MeasuredLatency(device=Latency(*each, 50), mean_us=each[0], min_us=each[0])
            for name, each in latencies.items()
        },
        conditions={"load_1min": 3.5},
    )
    never, busy = profile_tables.remarks(opened, table)
    stored = opened.variant("w050").stored.bytes
    assert never.startswith("w050 is never chosen: w100 is as good and as fast.")
    assert f"{stored:,} bytes" in never
    assert "3.5 processes wanted to run on 2 cores" in busy


def test_a_time_limit_that_was_too_short_is_said(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["profile", str(bundle), "--half-width", "1e-9", "--limit-s", "0.01", "-q"]) == 0
    assert "before every median was known within 0.0%" in capsys.readouterr().err


def test_wrong_usage(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["profile", str(bundle), "--on", "toaster"]) == 2
    assert execute(["profile", str(bundle.with_name("none.elastic"))]) == 2
    assert execute(["profile", str(bundle), "--threads", "0"]) == 2
    assert "0 is not in the range" in capsys.readouterr().err


def test_a_table_of_another_bundle_stays_outside(bundle: Path) -> None:
    before = bundle.read_bytes()
    with pytest.raises(tx.PackError, match=r"the table cannot go into it.*w100"):
        tx.add_profiles(bundle, [Profile({}, 1, {"w100": Latency(1, 1, 1)})])
    opened = Bundle.open(bundle)
    latencies = opened.manifest.profiles[0].latencies
    with pytest.raises(tx.PackError, match="measured with another bundle"):
        tx.add_profiles(bundle, [Profile({}, 1, latencies, bundle_sha256="0" * 64)])
    assert bundle.read_bytes() == before
    own = Profile({}, 1, latencies, bundle_sha256=opened.payload_sha256)
    tx.add_profiles(bundle, [own])
    after = Bundle.open(bundle)
    assert after.manifest.profiles[-1] == own
    assert after.payload_sha256 == opened.payload_sha256
    assert [after.model(each.name) for each in after.variants] == [
        opened.model(each.name) for each in opened.variants
    ]
