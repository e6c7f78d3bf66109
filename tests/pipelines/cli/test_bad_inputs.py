"""Inputs that cannot work, each with what it is answered: what it is, what was expected, and no surprise."""

import io
import json
import os
import resource
import shutil
import tempfile
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from tfelastic_runtime import Bundle

from pipelines.cli.entry import execute

GOLDEN = Path(__file__).parents[3] / "runtime" / "conformance" / "golden.elastic"
_BOMB = (
    "name: x\nmodel:\n  name: resnet8\n  options:\n    a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1]\n"
    + "".join(
        f"    a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 8)}]\n" for level in range(1, 12)
    )
)


def archive(**files: bytes) -> bytes:
    """Return a zip archive of files, compressed."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, data in files.items():
            opened.writestr(name.replace("_", "."), data)
    return made.getvalue()


def _files(profile: str) -> dict[str, bytes]:
    texts = {
        "deep.yaml": "a: " + "[" * 20_000,
        "cyclic.yaml": "name: x\nmodel: &a {name: resnet8, options: *a}",
        "bomb.yaml": _BOMB,
        "seed.yaml": "name: x\nseed: 100000000000000000000",
        "digits.yaml": f"name: x\nseed: {'9' * 5000}",
        "epochs.yaml": "name: x\nelastic: {epochs: 10000000000}",
        "size.yaml": "name: x\ndata: {image_size: 1000000000}",
        "rate.yaml": f"name: x\nelastic: {{learning_rate: {'9' * 400}}}",
        "nan.yaml": "name: x\nelastic: {learning_rate: .nan}",
        "key.yaml": "? [a, b]\n: 1",
        "date.yaml": "name: 2020-13-45",
        "tag.yaml": "name: !!python/object/apply:os.system [ls]",
        "empty.yaml": "",
        "text.txt": "words",
        "plan.json": "{}",
        "deep.json": "[" * 100_000,
        "profile.json": profile,
        "text.keras": "words",
        "empty.keras": "",
        "text.elastic": "words",
        "done/metrics.json": "{}",
        "list/metrics.json": '{"experiment": ["elastic"]}',
        "deep/metrics.json": "[" * 100_000,
        "broken/.state/run.json": "{",
        "other/.state/run.json": "[]",
        "odd/.state/run.json": '{"format": 2, "name": "demo", "stages": {"data": 3}}',
    }
    return {name: text.encode() for name, text in texts.items()} | {
        "latin.yaml": b"name: caf\xe9",
        "bytes.json": b"\xff\xfe",
        "other.keras": archive(a=b"b"),
        "bomb.keras": archive(config_json=b" " * (1 << 29)),
        "half.elastic": GOLDEN.read_bytes()[:1000],
        "flipped.elastic": flipped(GOLDEN.read_bytes(), bit=8 * 1000 + 3),
        "images.npz": arrays(x=np.zeros((10, 5, 5, 2), np.uint8), y=np.arange(10) % 3),
        "windows.npz": arrays(x=np.zeros((10, 7), np.float32), y=np.arange(10) % 3),
        "named.npz": arrays(
            **{"x/left": np.zeros((10, 7)), "x/right": np.zeros((10, 7)), "y": np.arange(10) % 3}
        ),
        "classes.npz": arrays(x=np.zeros((10, 4, 6, 3), np.uint8), y=np.arange(10) + 5),
    }


def flipped(data: bytes, *, bit: int) -> bytes:
    """Return bytes of which one bit is the other way round."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def arrays(**named: np.ndarray) -> bytes:
    """Return a .npz file."""
    made = io.BytesIO()
    np.savez(made, **named)
    return made.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of inputs, with the net `net ü.keras`, halves and flips of it, and the table of the golden bundle."""
    made = tmp_path_factory.mktemp("inputs")
    profile = json.dumps(Bundle.open(GOLDEN).manifest.profiles[0].to_json())
    for name, data in _files(profile).items():
        path = made / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    image = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(8, 3, name="conv")(image)
    model = keras.Model(image, keras.layers.Dense(3)(keras.layers.Flatten()(x)))
    model.save(made / "net ü.keras")
    data = (made / "net ü.keras").read_bytes()
    (made / "half.keras").write_bytes(data[: len(data) // 2])
    os.mkfifo(made / "pipe.keras")
    return made


PRUNE = ("prune", "net ü.keras", "-o", "out.keras")
HALF = (*PRUNE, "--budget", "macs=0.5")
SELECT = ("select", str(GOLDEN), "--profile", "profile.json", "--budget-ms")
SIMULATE = ("simulate", str(GOLDEN), "--profile", "profile.json", "--budget-ms", "1", "--trace")


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (["inspect", "text.keras"], 1, "text.keras is no .keras file"),
        (["inspect", "empty.keras"], 1, "empty.keras is no .keras file"),
        (["inspect", "half.keras"], 1, "only a part of one"),
        (["inspect", "other.keras"], 1, "other.keras cannot be loaded as a Keras model"),
        (["inspect", "bomb.keras"], 1, "would unpack to 536,870,912"),
        (["inspect", "pipe.keras"], 2, "pipe.keras is no regular file"),
        (["inspect", "done"], 2, "done is a folder"),
        (["inspect", "missing.keras"], 2, "there is no file missing.keras"),
        (["inspect", "half.elastic"], 1, "half.elastic is damaged"),
        (["inspect", "flipped.elastic"], 1, "flipped.elastic is damaged"),
        (["verify", "flipped.elastic"], 1, "flipped.elastic is damaged"),
        (
            ["verify", str(GOLDEN), "--data", "images.npz"],
            1,
            "images.npz holds examples of 5x5x2; the bundle takes image of 4x6x3: give data like those",
        ),
        (["verify", str(GOLDEN), "--data", "windows.npz"], 1, "windows.npz holds examples of 7;"),
        (
            ["verify", str(GOLDEN), "--data", "named.npz"],
            1,
            "named.npz holds examples of left, right;",
        ),
        (["verify", str(GOLDEN), "--data", "classes.npz"], 1, "a label is"),
        (["verify", "text.elastic"], 1, "text.elastic is not a tfelastic bundle"),
        (["verify", "done"], 2, "done is a folder; expected a bundle"),
        (["unpack", str(GOLDEN), "-o", "text.txt"], 2, "'text.txt' is a file"),
        (["run", "latin.yaml"], 1, "latin.yaml is not text in UTF-8 (byte 9 is 0xe9)"),
        (["run", "deep.yaml"], 1, "deep.yaml: line 1: nested more than 32 deep"),
        (["run", "cyclic.yaml"], 1, "an alias (*name) stands within what it names"),
        (["run", "bomb.yaml"], 1, "more than 10,000 values once aliases"),
        (["run", "seed.yaml"], 1, "line 2: expected a whole number of at most"),
        (["run", "digits.yaml"], 1, "line 2: expected a whole number of at most"),
        (["run", "epochs.yaml"], 1, "elastic.epochs: expected at most 2,147,483,647"),
        (["run", "size.yaml"], 1, "data.image_size: expected at most 16,384"),
        (["run", "rate.yaml"], 1, "line 2: expected a whole number of at most"),
        (["run", "nan.yaml"], 1, "elastic.learning_rate: expected a number"),
        (["run", "demo", "--set", "model.options.name=x"], 1, "model.options: expected none that"),
        (["run", "key.yaml"], 1, "line 1: expected a word as a key"),
        (["run", "date.yaml"], 1, "date.yaml has a value that is none: month must be in 1..12"),
        (["run", "tag.yaml"], 1, "tag.yaml is not valid YAML: line 1"),
        (["run", "empty.yaml"], 1, "expected a mapping of keys"),
        (["run", "text.txt"], 1, "text.txt is no recipe: expected a file that ends in .yaml"),
        (["run", "missing.yaml"], 1, "cannot read the recipe missing.yaml"),
        (["run", "demo", "--set", f"seed={10**20}"], 1, "--set seed="),
        (["run", "demo", "--set", f"seed={2**32}"], 1, "seed: expected at most 4,294,967,295"),
        (["run", "demo", "--workspace", "text.txt"], 2, "'text.txt' is a file"),
        (["run", "demo", "--workspace", "done"], 1, "done is not empty and holds no run"),
        (["run", "demo", "--workspace", "broken"], 1, "run.json, is damaged"),
        (["run", "demo", "--workspace", "other"], 1, "other was written in format None"),
        (["run", "demo", "--workspace", "odd"], 1, "run.json, is damaged: stages.data"),
        (["report", "done"], 1, "done/metrics.json names no experiment"),
        (["report", "list"], 1, "list/metrics.json names no experiment"),
        (["report", "deep"], 1, "deep/metrics.json is not valid JSON"),
        ([*PRUNE, "--budget", "macs=nan"], 2, "'macs=nan': expected a share up to 1"),
        ([*PRUNE, "--budget", "macs=inf"], 2, "'macs=inf': expected a share up to 1"),
        ([*PRUNE, "--budget", "macs=0"], 2, "'macs=0': expected a share up to 1"),
        ([*PRUNE, "--budget", "macs=1.5"], 2, "was 150 % of the original meant?"),
        ([*HALF, "--floor", "nan"], 2, "'nan' is not a finite number"),
        ([*HALF, "--floor", "2"], 2, "2.0 is not in the range 0<=x<=1"),
        ([*HALF, "--round-to", "0"], 2, "0 is not in the range"),
        ([*HALF, "--strategy", "complexity", "--seed", "-1"], 2, "-1 is not in the range"),
        ([*HALF, "--save-plan", "done"], 2, "done is a folder; name a file in it"),
        ([*HALF, "--protect", "nosuch"], 1, "cannot protect ['nosuch']"),
        ([*PRUNE, "--plan", "plan.json"], 1, "plan.json: not a plan"),
        ([*PRUNE, "--plan", "bytes.json"], 2, "the plan bytes.json is not valid JSON"),
        ([*PRUNE, "--plan", "deep.json"], 2, "the plan deep.json is not valid JSON"),
        ([*PRUNE, "--plan", "done"], 2, "cannot read the plan done: Is a directory"),
        ([*SELECT, "nan"], 2, "'nan' is not a finite number"),
        ([*SELECT, "1e300"], 2, "1e+300 is not in the range"),
        ([*SELECT, "1", "--slowdown", "nan"], 2, "'nan' is not a finite number"),
        ([*SIMULATE, "bytes.json"], 1, "bytes.json is not text in UTF-8"),
        ([*SIMULATE, "done"], 1, "done is a folder"),
        ([*SIMULATE, "idle", "--noise", "nan"], 2, "'nan' is not a finite number"),
        ([*SIMULATE, "idle", "--seed", "-1"], 2, "-1 is not in the range"),
        ([*SIMULATE, "idle", "-o", "text.txt"], 2, "must end in .svg or .png or .pdf"),
        ([*SIMULATE, "idle", "-o", "no/x.svg"], 2, "there is no folder no"),
    ],
)
def test_each_is_answered_with_what_was_expected(
    folder, monkeypatch, capsys, arguments, code, expected
):
    monkeypatch.chdir(folder)
    assert execute(arguments) == code
    captured = capsys.readouterr()
    assert expected in " ".join(captured.err.split())
    assert "unexpected" not in captured.err
    assert "Traceback" not in captured.err
    assert not (folder / "out.keras").exists()


def test_names_with_spaces_and_umlauts_are_names(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert execute(["inspect", "net ü.keras", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["groups"]


def test_a_disk_that_is_full_is_told_with_the_files_name(folder, tmp_path, capsys):
    plan = tmp_path / "plan.json"
    asked = ["prune", str(folder / "net ü.keras"), "-o", str(tmp_path / "out.keras")]
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, before[1]))
    try:
        assert execute([*asked, "--budget", "params=0.9", "--save-plan", str(plan)]) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    told = capsys.readouterr().err
    assert "out.keras: " in told
    assert "unexpected" not in told
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def locked(folder):
    """A folder for everybody whose files nobody may read and where nobody may write."""
    with tempfile.TemporaryDirectory() as name:
        made = Path(name)
        for file in ("net ü.keras", "half.elastic", "bomb.yaml", "plan.json", "images.npz"):
            shutil.copy(folder / file, made / file)
            (made / file).chmod(0)
        shutil.copy(folder / "net ü.keras", made / "open.keras")
        made.chmod(0o555)
        # The superuser may read everything.
        os.seteuid(65534 if os.getuid() == 0 else os.getuid())
        yield made
        os.seteuid(os.getuid())
        made.chmod(0o700)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["inspect", "net ü.keras"], "net ü.keras"),
        (["inspect", "half.elastic"], "half.elastic"),
        (["run", "bomb.yaml"], "bomb.yaml"),
        (["verify", str(GOLDEN), "--data", "images.npz"], "images.npz"),
        (["prune", "open.keras", "-o", "out.keras", "--plan", "plan.json"], "plan.json"),
        (["prune", "open.keras", "-o", "out.keras", "--budget", "params=0.9"], "out.keras"),
    ],
)
def test_what_may_not_be_read_or_written_is_named(locked, monkeypatch, capsys, arguments, named):
    monkeypatch.chdir(locked)
    assert execute(arguments) in (1, 2)
    told = " ".join(capsys.readouterr().err.split())
    assert named in told
    assert "Permission denied" in told
    assert "unexpected" not in told
