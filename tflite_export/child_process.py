"""Runs Python in a process of its own, so that a crash becomes a value that a caller can report."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LAST_WORDS = 1500
"""Characters of its stderr that the text of a failure may quote."""


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes:
        output: What it wrote to stdout.
        errors: What it wrote to stderr.
        failure: How it failed, with its last words; empty where it succeeded.
    """

    output: bytes
    errors: str
    failure: str = ""


def run_python(
    program: str,
    arguments: Sequence[str] = (),
    *,
    given: bytes = b"",
    timeout_s: float | None = None,
    environment: Mapping[str, str] | None = None,
) -> Ended:
    """Run a program of Python, and wait for its end.

    Args:
        program: Its text.
        arguments: What it finds in `sys.argv[1:]`.
        given: What it reads from stdin.
        timeout_s: Seconds after which it is killed.
        environment: Its environment; this process's unless given.
    """
    command = [sys.executable, "-c", program, *arguments]
    try:
        done = subprocess.run(
            command,
            input=given,
            capture_output=True,
            timeout=timeout_s,
            check=False,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        return Ended(b"", "", f"did not end within {timeout_s:g} seconds")
    errors = done.stderr.decode(errors="replace")
    if not done.returncode:
        return Ended(done.stdout, errors)
    how = f"crashed (signal {-done.returncode})" if done.returncode < 0 else "failed"
    words = errors.strip()[-LAST_WORDS:] or "it wrote no reason"
    return Ended(done.stdout, errors, f"{how}: {words}")
