"""The README's example compiles against the libraries of `make kotlin`, and runs a bundle on the real LiteRT."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.kotlin import BUILD, JARS, LIBRARIES, ROOT, RUNTIME, STDLIB, joined, litert

pytestmark = pytest.mark.slow

BUNDLE = ROOT / "runtime" / "conformance" / "golden.elastic"


@pytest.fixture(scope="module")
def class_path() -> str:
    subprocess.run(["make", "--silent", "kotlin"], cwd=ROOT, check=True)
    libraries = (BUILD / f"tfelastic-{name}.jar" for name in ("core", "desktop"))
    return joined((*libraries, *STDLIB, JARS / "jna.jar"))


def test_the_example_measures_keeps_its_table_and_runs(class_path: str, tmp_path: Path) -> None:
    (example,) = re.findall(
        r"```kotlin\n(.*?)```", (RUNTIME / "README.md").read_text("utf-8"), re.S
    )
    source, program = tmp_path / "Main.kt", tmp_path / "app.jar"
    source.write_text(example)
    kotlinc = ["bash", str(LIBRARIES.parent / "bin" / "kotlinc"), "-Werror", "-jvm-target", "1.8"]
    subprocess.run([*kotlinc, "-cp", class_path, "-d", str(program), str(source)], check=True)
    command = ["java", "-cp", f"{program}:{class_path}", "MainKt", str(BUNDLE), *litert()]
    for _ in range(2):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert re.fullmatch(r"w\d+ ran in \d+ us: \w+\n", done.stdout), done.stdout
        assert len(list((tmp_path / "profiles").iterdir())) == 1
