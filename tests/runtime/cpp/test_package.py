"""The CMake package: installed, and found by the project that its README describes."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from tfelastic_runtime import Bundle, Runner, blank_inputs

import tfelastic
from tests.support.cpp_driver import INCLUDE
from tests.support.cpp_selector import LITERT

pytestmark = pytest.mark.slow

LIBRARY = INCLUDE.parent


def run(*command: object) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the package is installed."""
    folder = tmp_path_factory.mktemp("package")
    run("cmake", "-S", LIBRARY, "-B", folder / "build")
    run("cmake", "--install", folder / "build", "--prefix", folder / "prefix")
    return folder / "prefix"


def test_every_header_is_installed(prefix: Path) -> None:
    installed = {path.name for path in (prefix / "include" / "tfelastic").iterdir()}
    assert installed == {path.name for path in (INCLUDE / "tfelastic").iterdir()}
    assert f"VERSION {tfelastic.__version__} " in (LIBRARY / "CMakeLists.txt").read_text()


def test_the_readmes_project_selects(prefix: Path, conformance: Path, tmp_path: Path) -> None:
    """Its program and its CMake file, as they stand there, on a bundle and the real LiteRT."""
    readme = (LIBRARY / "README.md").read_text(encoding="utf-8")
    for language, file in (("cpp", "main.cc"), ("cmake", "CMakeLists.txt")):
        (block,) = re.findall(rf"```{language}\n(.*?)```", readme, re.DOTALL)
        (tmp_path / file).write_text(block)
    lines = (tmp_path / "main.cc").read_text().splitlines()
    body = lines[lines.index("int main(int, char** arguments) {") :]
    assert len([line for line in body if line.strip()]) <= 30
    strict = "-Wall -Wextra -Wpedantic -Werror -fno-exceptions -fno-rtti"
    found = (f"-DCMAKE_PREFIX_PATH={prefix}", f"-DCMAKE_CXX_FLAGS={strict}")
    run("cmake", "-S", tmp_path, "-B", tmp_path / "build", *found)
    run("cmake", "--build", tmp_path / "build")
    path = conformance / "golden.elastic"
    said = run(tmp_path / "build" / "app", path, LITERT)
    bundle = Bundle.open(path)
    blank = blank_inputs(bundle.manifest.inputs)
    outputs = Runner(bundle, bundle.variants[0].name).run(blank)
    (first,) = (np.ravel(each)[0] for each in outputs.values())
    assert said == f"ok: {first:g}\n"


def test_a_newer_package_than_there_is_is_not_found(prefix: Path, tmp_path: Path) -> None:
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.14)\nproject(p LANGUAGES CXX)\n"
        "find_package(tfelastic 99 REQUIRED)\n"
    )
    command = ["cmake", "-S", tmp_path, "-B", tmp_path / "b", f"-DCMAKE_PREFIX_PATH={prefix}"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "tfelastic" in done.stderr
