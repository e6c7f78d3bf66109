"""Both distributions, built as for a release and installed where no checkout is on the path.

The environments hold what the wheels' metadata demands and no more: the packages of this one, which
the lock file chose, are linked in one by one, so nothing is downloaded and nothing undeclared helps.
"""

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import pytest
from packaging.metadata import Metadata
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import tfelastic

ROOT = Path(__file__).parents[2]
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
BUILD_SDIST = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"
OURS = {"tfelastic", "tfelastic-runtime"}
# Both rungs learn the task: which of them runs depends on how busy this machine is.
RUNGS = {"w100\n", "w050\n"}

EXPORT = """
import sys

import keras
import numpy as np
import tfelastic as te
import tflite_export as tx

layers = keras.layers
keras.utils.set_random_seed(0)
parts = [layers.Rescaling(1 / 255), layers.Conv2D(16, 3, strides=2, activation="relu")]
ending = [layers.GlobalAveragePooling2D(), layers.Dense(2)]
model = keras.Sequential([keras.Input((8, 8, 1)), *parts, *ending])
labels = np.arange(64) % 2
noise = np.random.default_rng(0).integers(0, 100, (64, 8, 8, 1))
images = (noise + 150 * labels[:, None, None, None]).astype(np.uint8)
net = te.ElasticModel(model, te.ladder(model, widths=(1, 0.5)))
net.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
net.fit(images, labels, epochs=20, verbose=0)
tx.export(net, sys.argv[1], samples=images, test=te.data.Split(images, labels))
"""

SELECT = """
import sys
from importlib.util import find_spec

import numpy as np
from tfelastic_runtime import Selector

with Selector.open(sys.argv[1], budget_ms=1000) as selector:
    result = selector.run(np.zeros((8, 8, 1), np.uint8))
    print(result.variant, *(name for name in sys.argv[2:] if find_spec(name)))
"""


def run(*command: str | Path, cwd: Path, returns: int = 0) -> str:
    """Run a command without this test run's path, and return what it prints."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        env={**kept, "TF_CPP_MIN_LOG_LEVEL": "2"},
        check=False,
    )
    assert done.returncode == returns, done.stdout + done.stderr
    return done.stdout


def required(distribution: metadata.Distribution, extras: Iterable[str]) -> list[Requirement]:
    """Return what a distribution requires on this machine, with these extras."""
    asked = [{"extra": extra} for extra in ("", *extras)]
    found = map(Requirement, distribution.requires or ())
    return [each for each in found if not each.marker or any(map(each.marker.evaluate, asked))]


def link_requirements(wheels: Iterable[Path], extras: Iterable[str], packages: Path) -> None:
    """Link into a folder every installed distribution that the wheels require, and its own."""
    waiting = []
    for wheel in wheels:
        name, version = wheel.name.split("-")[:2]
        inside = zipfile.Path(wheel, f"{name}-{version}.dist-info/")
        waiting += required(metadata.PathDistribution(inside), extras)
    seen = {(name, ()) for name in OURS}
    while waiting:
        requirement = waiting.pop()
        entry = canonicalize_name(requirement.name), tuple(requirement.extras)
        if entry in seen:
            continue
        seen.add(entry)
        distribution = metadata.distribution(requirement.name)
        waiting += required(distribution, requirement.extras)
        link(distribution, packages)


def link(distribution: metadata.Distribution, packages: Path) -> None:
    """Link a distribution's files, but its scripts, which lie outside the packages' folder."""
    for file in distribution.files or ():
        source, target = Path(str(file.locate())), packages / file
        if ".." not in file.parts and source.exists() and not target.is_symlink():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(source)


def install(folder: Path, wheels: list[Path], extras: tuple[str, ...] = ()) -> Path:
    """Make an environment that holds the wheels and what they require; return its Python."""
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    link_requirements(wheels, extras, folder / "lib" / version / "site-packages")
    options = f"[{','.join(extras)}]" if extras else ""
    # pip looks at every requirement of the wheels and fails where one is not met.
    asked = [f"{wheels[0]}{options}", *wheels[1:]]
    run(*PIP, "--python", python, "install", "--no-index", *asked, cwd=folder)
    return python


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Build each source distribution from a copy of the tree, and each wheel from that."""
    work = tmp_path_factory.mktemp("build")
    # What an earlier build left would stand in for what is missing.
    ignored = shutil.ignore_patterns(".*", "*.egg-info", "__pycache__", "build", "dist", "runs")
    tree = shutil.copytree(ROOT, work / "tree", symlinks=True, ignore=ignored)
    built = {}
    for name, source in (("tfelastic", tree), ("tfelastic_runtime", tree / "runtime" / "python")):
        target = work / name
        run(sys.executable, "-c", BUILD_SDIST, target, cwd=source)
        (archive,) = target.glob("*.tar.gz")
        options = ("--no-build-isolation", "--no-deps", "--no-index", "--wheel-dir", target)
        run(*PIP, "wheel", *options, archive, cwd=work)
        (built[name],) = target.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def bundle(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Export a small elastic network where the wheels and the `tensorflow` extra are installed."""
    folder = tmp_path_factory.mktemp("full")
    chosen = [wheels["tfelastic"], wheels["tfelastic_runtime"]]
    python = install(folder / "venv", chosen, ("tensorflow",))
    run(python, "-c", EXPORT, "model.elastic", cwd=folder)
    return folder / "model.elastic"


def contents(folder: Path) -> set[str]:
    """Return the files under a package's folder, by their paths from where it lies."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {path.relative_to(folder.parent).as_posix() for path in files}


def installed_files(wheel: Path) -> set[str]:
    return {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}


def test_both_distributions_have_one_version(wheels: dict[str, Path]) -> None:
    for name, wheel in wheels.items():
        assert wheel.name == f"{name}-{tfelastic.__version__}-py3-none-any.whl"


def test_a_wheel_holds_each_file_of_its_packages(wheels: dict[str, Path]) -> None:
    packages = [contents(ROOT / name) for name in ("tfelastic", "tflite_export", "pipelines")]
    prefix = f"tfelastic-{tfelastic.__version__}.data/data/"
    headers = contents(ROOT / "runtime" / "cpp" / "include" / "tfelastic")
    carried = {f"include/{name}" for name in headers}
    for folder in ("examples/android", "runtime/kotlin/core", "runtime/kotlin/android"):
        parent = folder.rpartition("/")[0]
        sources = {name for name in contents(ROOT / folder) if not name.endswith(".md")}
        carried |= {f"share/tfelastic/{parent}/{name}" for name in sources}
    expected = set.union(*packages, {prefix + name for name in carried})
    assert installed_files(wheels["tfelastic"]) == expected
    runtime = contents(ROOT / "runtime" / "python" / "tfelastic_runtime")
    assert installed_files(wheels["tfelastic_runtime"]) == runtime


def test_the_wheels_carry_the_licence(wheels: dict[str, Path]) -> None:
    for wheel in wheels.values():
        archive = zipfile.ZipFile(wheel)
        (licence,) = [name for name in archive.namelist() if name.endswith("/LICENSE")]
        assert archive.read(licence) == (ROOT / "LICENSE").read_bytes()


def test_the_metadata_is_what_an_index_takes(wheels: dict[str, Path]) -> None:
    for wheel in wheels.values():
        name, version = wheel.name.split("-")[:2]
        inside = zipfile.Path(wheel, f"{name}-{version}.dist-info/METADATA")
        found = Metadata.from_email(inside.read_bytes(), validate=True)
        assert (canonicalize_name(found.name), str(found.version)) == (
            name.replace("_", "-"),
            version,
        )
        assert found.license == "Apache-2.0"
        assert found.description_content_type == "text/markdown"
        assert (found.description or "").startswith("# tfelastic")


@pytest.mark.slow
def test_the_installed_command_finds_what_its_extra_brings(bundle: Path) -> None:
    program = bundle.with_name("venv") / "bin" / "tfelastic"
    # The extra `report`, which the demo needs too, is not installed: exit code 1 says so.
    found = json.loads(run(program, "doctor", "--json", cwd=bundle.parent, returns=1))
    wanted = [each for each in found["packages"] if each["extra"] in ("base", "tensorflow")]
    assert all(each["version"] for each in wanted)
    assert not [each["problem"] for each in found["packages"] if each["problem"]]
    assert {each["version"] for each in found["packages"] if each["extra"] == "report"} == {None}


@pytest.mark.slow
def test_the_installed_selector_runs_the_exported_bundle(bundle: Path) -> None:
    python = bundle.with_name("venv") / "bin" / "python"
    assert run(python, "-c", SELECT, bundle, cwd=bundle.parent) in RUNGS


@pytest.mark.slow
def test_the_installed_command_writes_the_app(bundle: Path, tmp_path: Path) -> None:
    program = bundle.with_name("venv") / "bin" / "tfelastic"
    run(program, "app", bundle, "-o", "android", cwd=tmp_path)
    asset = tmp_path / "android" / "app/src/main/assets/model.elastic"
    assert asset.read_bytes() == bundle.read_bytes()
    for module in ("core", "android"):
        assert list((tmp_path / "android" / "tfelastic" / module).rglob("*.kt"))


@pytest.mark.slow
def test_the_runtime_alone_runs_the_exported_bundle(
    wheels: dict[str, Path], bundle: Path, tmp_path: Path
) -> None:
    python = install(tmp_path / "venv", [wheels["tfelastic_runtime"]])
    absent = ("tensorflow", "keras", "tfelastic", "tflite_export", "pipelines")
    assert run(python, "-c", SELECT, bundle, *absent, cwd=tmp_path) in RUNGS
