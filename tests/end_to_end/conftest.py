import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

# A test run that was started in the background ignores Ctrl-C, and so would its children.
_START = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from pipelines.cli import main; main()"
)

Command = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def tfelastic() -> Command:
    """Starts the command line as a process of its own."""

    def start(*arguments: str | Path) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-c", _START, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
        )

    return start
