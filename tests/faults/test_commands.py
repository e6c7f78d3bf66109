"""Commands that write files: one that cannot be written is named, what stood there stays, and a second try works."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tfelastic_runtime import Bundle

from pipelines.cli.entry import execute
from tests.support.golden import CONFORMANCE
from tests.support.write_faults import (
    FAULTS,
    FORBIDDEN,
    FULL,
    KILLED,
    WriteFaults,
    forbidden,
)

GOLDEN = str(CONFORMANCE / "golden.elastic")
QUICK = ("--half-width", "0.9", "--limit-s", "1", "-q")


def prune(inputs: Path, out: Path) -> list[str]:
    wanted = ["--budget", "params=0.7", "--round-to", "2", "--save-plan", str(out / "plan.json")]
    return ["prune", str(inputs / "net.keras"), "-o", str(out / "small.keras"), *wanted]


def export(inputs: Path, out: Path) -> list[str]:
    data = ["--data", str(inputs / "data.npz"), "--scheme", "float32", "-q"]
    return ["export", str(inputs / "net.keras"), "-o", str(out / "net.elastic"), *data]


def unpack(inputs: Path, out: Path) -> list[str]:
    return ["unpack", GOLDEN, "-o", str(out)]


def embed(inputs: Path, out: Path) -> list[str]:
    return ["embed", GOLDEN, "-o", str(out / "firmware")]


def app(inputs: Path, out: Path) -> list[str]:
    return ["app", GOLDEN, "-o", str(out / "android")]


def profile(inputs: Path, out: Path) -> list[str]:
    picture = ["--picture", str(out / "profile.svg")]
    return ["profile", GOLDEN, *QUICK, "-o", str(out / "profile.json"), *picture]


def profile_embedded(inputs: Path, out: Path) -> list[str]:
    bundle = out / "mine.elastic"
    if not bundle.exists():
        shutil.copy(GOLDEN, bundle)
    return ["profile", str(bundle), *QUICK, "--embed"]


def simulate(inputs: Path, out: Path) -> list[str]:
    table, trace = inputs / "table.json", inputs / "trace.txt"
    table.write_text(json.dumps(Bundle.open(GOLDEN).manifest.profiles[0].to_json()))
    trace.write_text("1\n" * 20)
    asked = ["--profile", str(table), "--trace", str(trace), "--budget-ms", "0.06"]
    return ["simulate", GOLDEN, *asked, "-o", str(out / "picture.svg")]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith((".tmp.", ".new.")) for part in path.parts)
    }


def leftovers(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.startswith((".tmp.", ".new.", ".old."))]


@pytest.mark.parametrize(
    "command",
    [prune, export, unpack, embed, app, profile, profile_embedded, simulate],
    ids=lambda command: command.__name__,
)
def test_what_cannot_be_written_is_named_and_what_stood_there_stays(
    command: Callable[[Path, Path], list[str]],
    inputs: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    asked = command(inputs, out)
    assert execute(asked) == 0, capsys.readouterr().err
    # A project is first written into a folder of its own: only that one's place can be forbidden.
    fresh = command in (embed, app)
    for fault in (each for each in FAULTS if not (fresh and each is FORBIDDEN)):
        before, faults = contents(out), WriteFaults(out)
        capsys.readouterr()
        assert faults.carry_out(asked, fault) == fault.code
        told = capsys.readouterr().err
        assert faults.struck is not None
        assert fault.message in told
        assert "unexpected" not in told
        assert "Traceback" not in told
        if fault.code == 1:
            assert f"error: {faults.struck}: " in told
        if fault is not KILLED:
            assert not leftovers(out)
        assert contents(out) == before
    if command is export:  # What it writes in turn, a recipe's stage does too (`test_run.py`).
        return
    # Each of several files in turn, and where one was written and the next was not, both are whole.
    faults, struck = WriteFaults(out), set()
    while faults.carry_out(asked, FULL) != 0:
        assert faults.struck not in struck
        struck.add(faults.struck)
        assert f"error: {faults.struck}: " in capsys.readouterr().err
    assert not leftovers(out)
    assert contents(out).keys() == before.keys()


@pytest.mark.parametrize(("command", "place"), [(embed, "firmware"), (app, "."), (unpack, ".")])
def test_a_folder_that_may_not_be_written_to_is_named(
    command: Callable[[Path, Path], list[str]],
    place: str,
    inputs: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "firmware").mkdir()
    before = contents(tmp_path)
    with forbidden(tmp_path / place):
        assert execute(command(inputs, tmp_path)) == 1
    told = capsys.readouterr().err
    assert f"error: {tmp_path / place}" in told
    assert "Permission denied" in told
    assert contents(tmp_path) == before
