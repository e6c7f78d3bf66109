"""`tfelastic profile` on stand-in phones and boards, behind the real adb and a pseudo-terminal."""

import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import keras
import pytest
from keras import layers
from tfelastic_runtime import Bundle, Profile

import tfelastic as te
from pipelines.cli.entry import execute
from tests.support import phones
from tests.support.boards import block, board
from tests.support.phones import adb_server, make_phone, plugged_in

RUNTIME = Path(__file__).parents[3] / "runtime"
ONCE = ["--rounds", "1", "--cool-down-s", "0"]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copy(RUNTIME / "conformance" / "golden.elastic", tmp_path))


@pytest.fixture
def tool(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    path = tmp_path / "benchmark_model"
    path.write_text(phones.CLASSIC)
    with adb_server(tmp_path_factory.mktemp("home")) as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield str(path)


def test_phones_into_a_folder_and_the_bundle(bundle: Path, tool: str, tmp_path: Path) -> None:
    asked = ["profile", str(bundle), "--on", "android", "--benchmark-model", tool, *ONCE]
    with plugged_in(make_phone(tmp_path / "phone")) as serial:
        assert execute([*asked, "--threads", "2", "--cpu-mask", "clusters", "--embed"]) == 0
    plain = serial.replace(":", "-")
    assert sorted(file.name for file in (tmp_path / "profiles").iterdir()) == [
        f"{plain}_threads-2_cpus-3.json",
        f"{plain}_threads-2_cpus-c.json",
    ]
    masks = [each.device.get("cpu_mask") for each in Bundle.open(bundle).manifest.profiles]
    assert masks == [None, "3", "c"]
    table = Profile.load(tmp_path / "profiles" / f"{plain}_threads-2_cpus-3.json")
    assert table.bundle_sha256 == Bundle.open(bundle).payload_sha256
    assert not list(tmp_path.glob("*.measuring"))


def test_a_phone_that_fails_is_an_error_and_the_same_command_resumes(
    bundle: Path, tool: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["profile", str(bundle), "--on", "android", "--benchmark-model", tool, *ONCE, "-q"]
    phone = make_phone(tmp_path / "phone")
    (phone.root / "fault").write_text("[ $calls -gt 2 ] && exit 4")
    with plugged_in(phone):
        assert execute(asked) == 1
        assert "failed (exit code 4)" in (said := capsys.readouterr().err)
        assert "the same command resumes" in said
        (phone.root / "fault").unlink()
        assert execute(asked) == 0
    assert (phone.root / "calls").read_text().count("\n") == 4
    assert (tmp_path / "profile.json").is_file()


def test_a_board(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [variant.name for variant in Bundle.open(bundle).variants]
    sha256 = Bundle.open(bundle).payload_sha256
    with board(block(names, sha256=sha256)) as port:
        asked = ["profile", str(bundle), "--on", "serial", "--port", port, "--limit-s", "30"]
        assert execute([*asked, "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["profiles"]
    assert found["device"]["name"] == "Bench board"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--on", "android"], "--on android needs --benchmark-model"),
        (["--on", "serial"], "--on serial needs --port"),
        (["--port", "COM3"], "--port belongs to --on serial, not to --on host"),
        (["--on", "serial", "--port", "x", "--threads", "2"], "belongs to --on host or android"),
        (["--scheme", "int8"], "--scheme belongs to models, not to bundles"),
    ],
)
def test_options_belong_to_a_kind_of_device(
    bundle: Path, arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["profile", str(bundle), *arguments]) == 2
    assert expected in " ".join(capsys.readouterr().err.split())


def test_the_doctor_lists_phones_and_starts_no_server(
    tool: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with plugged_in(make_phone(tmp_path / "phone")) as serial:
        assert execute(["doctor"]) == 0
        assert f"phones: {serial} Stand_In" in capsys.readouterr().out
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(port))
    assert execute(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["adb"], found["phones"]) == (shutil.which("adb"), [])
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", port)), "no server was started"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert execute(["doctor"]) == 0
    assert "adb: missing, so phones cannot be profiled" in capsys.readouterr().out


def test_operations_of_a_model(
    tool: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = keras.Input((8, 8, 3))
    model = tmp_path / "net.keras"
    keras.Model(image, layers.Conv2D(2, 3, name="only")(image)).save(model)
    assert execute(["profile", str(model), "-q"]) == 0
    table = te.LatencyTable.load(tmp_path / "operations.json")
    assert table.device["kind"] == "host"
    assert "Conv2D" in capsys.readouterr().out
    output = tmp_path / "phone.json"
    asked = ["profile", str(model), "--on", "android", "--benchmark-model", tool, "-q", "--json"]
    with plugged_in(make_phone(tmp_path / "phone")):
        assert execute([*asked, "-o", str(output)]) == 0
    assert json.loads(capsys.readouterr().out)["device"]["name"] == "Stand In"
    on_phone = te.LatencyTable.load(output)
    assert [each.geometry for each in on_phone.operations] == [
        each.geometry for each in table.operations
    ]
    assert not list(tmp_path.glob("*.measuring"))
    for wrong, expected in (
        (["--embed"], "--embed belongs to bundles, not to models"),
        (["--on", "serial"], "measured --on host or android"),
        (["--threads", "1", "--threads", "2"], "of one number of threads"),
    ):
        assert execute(["profile", str(model), *wrong]) == 2
        assert expected in " ".join(capsys.readouterr().err.split())
