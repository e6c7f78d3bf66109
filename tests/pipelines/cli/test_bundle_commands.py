"""`tfelastic export`, `unpack`, `inspect` and `verify`, as a user calls them."""

import dataclasses
import hashlib
import json
from pathlib import Path

import keras
import numpy as np
import pytest
from tfelastic_runtime import Bundle

import tfelastic as te
from pipelines.cli.entry import execute
from tflite_export import _export
from tflite_export.bundle.deduplication import Payload
from tflite_export.bundle.writer import pack

CONFORMANCE = Path(__file__).parents[3] / "runtime" / "conformance"
SHARED = str(CONFORMANCE / "shared.elastic")
layers = keras.layers


def resealed(data: bytes) -> bytes:
    return data[:-32] + hashlib.sha256(data[:-32]).digest()


@pytest.fixture
def damaged(tmp_path: Path) -> str:
    """A bundle whose last delta is wrong, with a right checksum."""
    data = bytearray(Path(SHARED).read_bytes())
    stored = Bundle.open(SHARED).variant("w050").stored
    payload = len(data) - 32 - Bundle.open(SHARED).manifest.payload_bytes
    data[payload + stored.offset] ^= 0x40
    path = tmp_path / "damaged.elastic"
    path.write_bytes(resealed(bytes(data)))
    return str(path)


def test_inspect_says_what_goes_in_and_out(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(Path(SHARED).with_name("interfaces.elastic"))
    assert execute(["inspect", path]) == 0
    told = capsys.readouterr().out
    for part in (
        "input image: 4 x 6 x 3 image",
        "input previous: 5 values",
        "output mask: 4 x 6 x 2 probabilities",
        "output index: 1 values",
        "mean_absolute_error",
    ):
        assert part in told
    assert execute(["inspect", path, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["score"] == {"metric": "mean_absolute_error", "higher_is_better": False}
    assert execute(["verify", path]) == 0
    assert "interfaces.elastic: sound" in capsys.readouterr().out


def test_inspect_says_where_the_bytes_go(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["inspect", SHARED, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert sum(found["bytes"][key] for key in found["bytes"] if key != "file") == 26162
    assert found["bytes"]["file"] == Path(SHARED).stat().st_size == 26162
    for variant in found["variants"]:
        assert sum(variant["written_from"].values()) == variant["bytes"]
    assert execute(["inspect", SHARED]) == 0
    told = capsys.readouterr().out
    for part in ("w050-int8", "4,504", "times the widest .tflite", "26,162 bytes"):
        assert part in told


def test_unpack_writes_ordinary_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["unpack", SHARED, "-o", str(tmp_path / "new"), "--json"]) == 0
    written = json.loads(capsys.readouterr().out)["files"]
    assert [each["file"] for each in written] == [
        str(tmp_path / "new" / f"{variant.name}.tflite") for variant in Bundle.open(SHARED).variants
    ]
    for each in written:
        assert hashlib.sha256(Path(each["file"]).read_bytes()).hexdigest() == each["sha256"]


def test_unpack_tells_the_total_and_stops_at_a_limit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = Bundle.open(SHARED)
    one = bundle.variants[0]
    records = tuple(dataclasses.replace(one, name=f"v{index}") for index in range(64))
    manifest = dataclasses.replace(bundle.manifest, variants=records, profiles=())
    path, out = tmp_path / "many.elastic", tmp_path / "out"
    payload = Payload(bytes(bundle._payload), (), ())
    path.write_bytes(pack(manifest, payload))
    total = 64 * one.bytes
    assert execute(["unpack", str(path), "-o", str(out)]) == 1
    said = capsys.readouterr().err
    assert f"64 variants, {total:,} bytes" in said
    assert f"{total:,} bytes together, more than the limit of" in said
    assert not out.exists()
    assert execute(["unpack", str(path), "-o", str(out), "--limit-bytes", str(total)]) == 0
    assert len(list(out.iterdir())) == 64


def test_verify_finds_a_bundle_sound(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["verify", SHARED]) == 0
    assert capsys.readouterr().out.endswith("shared.elastic: sound\n")


def test_verify_names_the_variant_that_is_not(
    damaged: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["verify", damaged, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert not found["passed"]
    problems = {each["variant"]: each["problem"] for each in found["variants"]}
    assert "w050" in problems.pop("w050")
    assert set(problems.values()) == {None}


@pytest.mark.parametrize("command", ["inspect", "unpack", "verify"])
def test_a_damaged_file_is_an_error_that_names_it(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cut.elastic"
    path.write_bytes(Path(SHARED).read_bytes()[:-1])
    assert execute([command, str(path)]) == 1
    assert "cut.elastic is damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["unpack", "none.elastic"], "there is no file none.elastic"),
        (["verify", SHARED, "--model", "net.keras"], "give --data as well"),
        (["export", "net.keras", "-o", "x.zip", "--data", "digits"], "must end in .elastic"),
        (["export", "net.keras", "-o", "no/x.elastic", "--data", "digits"], "no folder no"),
        (
            ["export", "net.keras", "-o", "x.elastic", "--data", "digits", "--scheme", "int3"],
            "'int3' is not one of 'float32'",
        ),
    ],
)
def test_wrong_usage_is_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(arguments) == 2
    assert said in capsys.readouterr().err


def test_export_then_verify(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An elastic network goes into a bundle whose narrow variant is a delta, and holds in verify."""
    keras.utils.set_random_seed(0)
    image = keras.Input((16, 16, 1))
    x = layers.Conv2D(32, 3, strides=2, use_bias=False)(layers.Rescaling(1 / 255)(image))
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Conv2D(32, 3, activation="relu")(x)
    model = keras.Model(image, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))
    path, out = tmp_path / "net.keras", str(tmp_path / "net.elastic")
    te.ElasticModel(model, te.ladder(model, widths=(1, 0.5))).save(path)
    options = ["--data", "digits", "--scheme", "float32"]
    target = ["--target", "tflm", "--per-tensor-dense", "--arena", "planned"]
    target += ["--calibration", "16", "--tolerance", "2"]
    assert execute(["export", str(path), "-o", out, *options, *target, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert all(each["verification"]["tflm"]["within_one_step"] for each in report["variants"])
    assert [variant["name"] for variant in report["variants"]] == ["w100", "w050"]
    bundle = Bundle.open(out)
    wide, narrow = bundle.variants
    assert (wide.stored.form, narrow.stored.form) == ("whole", "delta")
    assert bundle.tally("w050")["add"] < narrow.bytes / 10
    assert narrow.plan is not None
    assert narrow.arena_bytes is not None
    assert wide.peak_bytes <= wide.arena_bytes
    assert narrow.arena_bytes < wide.arena_bytes
    assert set(narrow.plan.keep.values()) == {16}
    assert execute(["verify", out, "--data", "digits", "--model", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    for variant, each in zip(bundle.variants, found["variants"], strict=True):
        assert each["score_here"] == variant.score
        assert each["comparison"]["top1_agreement"] == 1


def test_export_leaves_out_what_is_hardly_faster_unless_it_is_to_keep_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 1))
    x = layers.Conv2D(16, 3, activation="relu")(layers.Rescaling(1 / 255)(image))
    model = keras.Model(image, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))
    path, out = str(tmp_path / "net.keras"), str(tmp_path / "net.elastic")
    te.ElasticModel(model, te.ladder(model, widths=(1, 0.5))).save(path)
    # As fast as each other: the narrow one goes, unless it is more accurate, and then the wide one.
    monkeypatch.setattr(
        _export, "time_in_turns", lambda files, **_: dict.fromkeys(files, [100.0] * 8)
    )
    command = ["export", path, "-o", out, "--data", "digits", "--scheme", "float32"]
    assert execute(command) == 0
    told = capsys.readouterr().out
    (left,) = Bundle.open(out).variants
    gone = {"w100": "w050", "w050": "w100"}[left.name]
    assert f"{gone}       left out: 1.00x as fast as {left.name}" in told
    assert "(--keep-all) keeps it" in told
    assert execute([*command, "--keep-all"]) == 0
    assert [variant.name for variant in Bundle.open(out).variants] == ["w100", "w050"]
    assert "left out" not in capsys.readouterr().out


def test_a_net_of_values_is_exported_and_verified_on_arrays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keras.utils.set_random_seed(0)
    values = np.random.default_rng(0).normal(size=(80, 8)).astype(np.float32)
    np.savez(tmp_path / "sums.npz", x=values, y=values.sum(axis=1))
    model = keras.Sequential([keras.Input((8,)), layers.Dense(16, "relu"), layers.Dense(1)])
    path, out = str(tmp_path / "net.keras"), str(tmp_path / "net.elastic")
    model.save(path)
    data = ["--data", str(tmp_path / "sums.npz")]
    assert execute(["export", path, "-o", out, *data, "--metric", "mae"]) == 0
    capsys.readouterr()
    assert execute(["verify", out, *data, "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["variants"]
    bundle = Bundle.open(out)
    assert (bundle.manifest.score.metric, bundle.manifest.score.higher_is_better) == ("mae", False)
    assert found["score_here"] == pytest.approx(bundle.variants[0].score)
