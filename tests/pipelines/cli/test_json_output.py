"""What `--json` prints is JSON, whatever was measured."""

import json
from pathlib import Path

import pytest

from pipelines.cli.json_output import echo_json

CLI = Path(echo_json.__code__.co_filename).parent


def test_numbers_that_json_has_no_words_for_become_null(capsys: pytest.CaptureFixture[str]) -> None:
    nan, infinity = float("nan"), float("inf")
    echo_json({"a": [1, 2.5, nan], "b": {"c": (infinity, -infinity)}, "d": None, "e": "NaN"})
    out = capsys.readouterr().out
    assert json.loads(out) == {"a": [1, 2.5, None], "b": {"c": [None, None]}, "d": None, "e": "NaN"}
    assert "Infinity" not in out


def test_every_command_prints_json_through_it() -> None:
    for path in CLI.glob("*.py"):
        if path.name != "json_output.py":
            assert "echo(json.dumps" not in path.read_text("utf-8"), path.name
