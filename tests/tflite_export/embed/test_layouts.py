"""Every layout's build files are carried out, by the build system or by a stub of it, and the program runs."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.firmware import STRICT, STUB, TESTS
from tests.tflite_export.embed.conftest import SHARED
from tflite_export._embed import embed
from tflite_export._embed.layouts import LAYOUTS
from tflite_export.errors import PackError

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("measured")]

STUBS = TESTS / "build_systems"


def run(*command: object, cwd: Path | None = None) -> str:
    """Run a command that must succeed, and return what it printed."""
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, cwd=cwd, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def check_decisions(printed: str) -> None:
    """Check that a program measured four variants and decided five times."""
    lines = printed.splitlines()
    assert sum(line.startswith("$TFE,begin,") for line in lines) == 1
    assert sum(line.startswith("$TFE,run,") for line in lines) == 4 * 4 * 3
    decisions = [line for line in lines if line.endswith((", budget met", ", budget missed"))]
    assert len(decisions) == 5


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """What stands for TFLM's library: the hooks of its stub."""
    built, archive = tmp_path / "hooks.o", tmp_path / "libtflm.a"
    run("g++", "-c", STUBS / "hooks.cc", "-o", built)
    run("ar", "rc", archive, built)
    return archive


def test_make(library: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    embed(SHARED, project, name="kws")
    unnamed = subprocess.run(["make", "-C", str(project)], capture_output=True, check=False)
    assert unnamed.returncode != 0
    assert b"TFLM_LIBRARY=..." in unnamed.stderr
    named = (f"TFLM_INCLUDE={STUB}", f"TFLM_LIBRARY={library}")
    flags = "CXXFLAGS=-O0 -fsanitize=undefined -Wall -Wextra -Wshadow -Wconversion -Werror"
    # Sanitizers link only where the linker has the compiler's flags too.
    run("make", "-C", project, *named, flags, "LDLIBS=-lm")
    check_decisions(run(project / "build" / "firmware"))
    assert "text" in run("make", "-s", "-C", project, *named, flags, "size")
    # A header that changes makes what includes it anew.
    header = project / "kws" / "tfelastic" / "policy.h"
    header.write_text("#error changed\n" + header.read_text("utf-8"), "utf-8")
    again = ["make", "-C", str(project), *named, flags]
    assert subprocess.run(again, capture_output=True, check=False).returncode != 0
    run("make", "-C", project, "clean")
    assert not (project / "build").exists()


def test_cmake(library: Path, tmp_path: Path) -> None:
    project, build = tmp_path / "project", tmp_path / "build"
    embed(SHARED, project, name="kws", layout="cmake")
    refused = subprocess.run(
        ["cmake", "-S", str(project), "-B", str(tmp_path / "none")],
        capture_output=True,
        check=False,
    )
    assert b"-DTFLM_TARGET=..." in refused.stderr
    named = (f"-DTFLM_LIBRARY={library}", f"-DTFLM_INCLUDE={STUB}")
    run("cmake", "-S", project, "-B", build, *named)
    run("cmake", "--build", build)
    check_decisions(run(build / "firmware"))


def test_esp_idf(tmp_path: Path) -> None:
    project, build = tmp_path / "project", tmp_path / "build"
    embed(SHARED, project, name="kws", layout="esp-idf")
    settings = (f"-DTFLM_STUB={STUB}", f"-DSTUBS={STUBS}")
    run(
        "cmake",
        "-E",
        "env",
        f"IDF_PATH={STUBS / 'idf'}",
        "cmake",
        "-S",
        project,
        "-B",
        build,
        *settings,
    )
    run("cmake", "--build", build)
    check_decisions(run(build / "firmware"))
    manifest = yaml.safe_load((project / "components/kws/idf_component.yml").read_text())
    assert re.fullmatch(r"\d+\.\d+\.\d+", manifest["version"])
    assert manifest["dependencies"]["espressif/esp-tflite-micro"]["public"] is True


def test_zephyr(tmp_path: Path) -> None:
    project, build = tmp_path / "project", tmp_path / "build"
    embed(SHARED, project, name="kws", layout="zephyr")
    settings = (f"-DTFLM_STUB={STUB}", f"-DSTUBS={STUBS}", f"-DZephyr_DIR={STUBS / 'zephyr'}")
    run("cmake", "-S", project, "-B", build, *settings)
    run("cmake", "--build", build)
    check_decisions(run(build / "firmware"))
    module = yaml.safe_load((project / "kws/zephyr/module.yml").read_text())
    assert module["name"] == "kws"
    folder = project / "kws" / module["build"]["cmake"]
    assert (folder / "CMakeLists.txt").is_file()
    symbol = (folder / module["build"]["kconfig"]).read_text().split("config ")[1].split()[0]
    assert f"CONFIG_{symbol}=y" in (project / "prj.conf").read_text().splitlines()


def test_arduino_and_platformio(tmp_path: Path) -> None:
    embed(SHARED, tmp_path, name="kws", layout="arduino")
    folder = tmp_path / "libraries" / "kws"
    sources = [*sorted((folder / "src").glob("*.cpp")), STUBS / "arduino" / "arduino.cc"]
    sketch = tmp_path / "firmware" / "firmware.ino"
    # As Arduino builds: without a definition from the library, and with Arduino.h before the sketch.
    strict = [option for option in STRICT if not option.startswith("-DTF_LITE")]
    includes = (f"-I{folder / 'src'}", f"-isystem{STUB}", f"-isystem{STUBS / 'arduino'}")
    program = tmp_path / "program"
    run(
        *("g++", *strict, "-DARDUINO=10819", "-include", "Arduino.h", *includes),
        *("-x", "c++", sketch, *sources, STUBS / "hooks.cc", "-o", program),
    )
    check_decisions(run(program))
    properties = dict(
        line.split("=", 1) for line in (folder / "library.properties").read_text().splitlines()
    )
    required = {
        "name",
        "version",
        "author",
        "maintainer",
        "sentence",
        "paragraph",
        "category",
        "url",
    }
    assert required <= properties.keys()
    assert (folder / "src" / properties["includes"]).is_file()
    manifest = json.loads((folder / "library.json").read_text())
    assert {"name", "version"} <= manifest.keys()
    assert (folder / "src" / manifest["headers"]).is_file()


def test_each_layouts_readme_names_the_variants_and_its_code_compiles(tmp_path: Path) -> None:
    for name, layout in LAYOUTS.items():
        report = embed(SHARED, tmp_path / name, name="kws", layout=name)
        readme = tmp_path / name / layout.folder.format(name="kws") / "README.md"
        text = readme.read_text("utf-8")
        assert not re.search("@[A-Za-z_]+@", text)
        for each in report.variants:
            assert f"| {each.name} |" in text
        assert f"one buffer of {report.buffers.pool_bytes} bytes" in text
    (code,) = re.findall("```cpp\n(.*?)```", text, re.DOTALL)
    head, body = code.split("\n\nselector.Begin", 1)
    given = "const kws::Inputs& inputs, const kws::Outputs& outputs, tfelastic::PrintLine print"
    program = tmp_path / "use.cc"
    program.write_text(
        f"{head}\nint Use({given}) {{\nselector.Begin{body}\nreturn result.variant;\n}}\n"
    )
    network = readme.parent / "src"
    options = ("-std=c++17", "-DTF_LITE_STATIC_MEMORY", f"-I{network}", f"-isystem{STUB}")
    run("g++", "-fsyntax-only", "-Wall", "-Werror", *options, program)


def test_all_layouts_have_the_same_sources(tmp_path: Path) -> None:
    found = {}
    for name, layout in LAYOUTS.items():
        embed(SHARED, tmp_path / name, layout=name)
        sources = (
            tmp_path / name / layout.folder.format(name="elastic_model") / layout.source_folder
        )
        found[name] = {
            path.relative_to(sources).with_suffix("").as_posix(): path.read_text("utf-8")
            for path in sources.rglob("*")
            if path.suffix in (".h", ".cc", ".cpp")
        }
    assert all(each == found["make"] for each in found.values())
    with pytest.raises(PackError, match=r"unknown layout 'bazel'; known: make, cmake, esp-idf"):
        embed(SHARED, tmp_path / "none", layout="bazel")
