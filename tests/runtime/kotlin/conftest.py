"""The Kotlin library's driver, compiled and running."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Iterable, Iterator

import pytest

from tests.support.kotlin import DRIVER, compiled, joined, litert
from tests.support.questions import Ask


@pytest.fixture(scope="session")
def ask() -> Iterator[Ask]:
    """Ask the library; one process answers all questions, as starting Java takes longer than them."""
    command = [
        "java",
        "-cp",
        joined(compiled(DRIVER).classpath),
        "tfelastic.driver.DriverKt",
        *litert(),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as driver:
        assert driver.stdin is not None
        assert driver.stdout is not None
        asked, answers = driver.stdin, driver.stdout

        def ask(questions: Iterable[tuple[int, bytes, bytes]]) -> list[str]:
            found = []
            for kind, first, second in questions:
                asked.write(struct.pack("<III", kind, len(first), len(second)) + first + second)
                asked.flush()
                answer = answers.readline().decode()
                assert answer.endswith("\n"), "the driver ended"
                found.append(answer[:-1])
            return found

        yield ask
        asked.close()
        assert driver.wait(timeout=60) == 0
