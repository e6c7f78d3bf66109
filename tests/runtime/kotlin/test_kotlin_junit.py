"""Kotlin's own tests, by JUnit: selector, calibration, files, and the real LiteRT."""

import re
import subprocess

import pytest

from tests.support.golden import CONFORMANCE
from tests.support.kotlin import JUNIT, TESTS, compiled, joined, litert

pytestmark = pytest.mark.slow

CLASSES = sorted(path.stem for path in (TESTS / "junit").glob("*Test.kt"))


@pytest.mark.parametrize("name", CLASSES)
def test_junit(name: str) -> None:
    library, version = litert()
    command = [
        # So little memory that a leak would fill it.
        *("java", "-Xmx64m", "-XX:MaxDirectMemorySize=16m"),
        *(f"-Dconformance={CONFORMANCE}", f"-Dlitert={library}", f"-Dlitert.version={version}"),
        *(
            "-cp",
            joined(compiled(JUNIT).classpath),
            "org.junit.runner.JUnitCore",
            f"tfelastic.{name}",
        ),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    passed = re.search(r"^OK \((\d+) tests?\)", done.stdout, re.MULTILINE)
    expected = (TESTS / "junit" / f"{name}.kt").read_text("utf-8").count("    @Test\n")
    assert passed is not None
    assert int(passed[1]) == expected > 0
