"""Ctrl-C ends a command at once, wherever it is, and a crash below Python is told."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

# A test run in the background ignores Ctrl-C, and so would its children.
_START = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"


# A loop in C that holds Python's lock, so that no handler of Python's can run before it ends.
_DEAF = "sum(range(10**12))"


def start(program, *arguments, **options):
    """Start a Python program and return once it runs, which it tells by a line."""
    process = subprocess.Popen(
        [sys.executable, "-c", f"{_START}print('begun', flush=True)\n{program}", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
        **options,
    )
    assert process.stdout.readline() == "begun\n"
    return process


def supervised(work):
    """Return a program that does `work` under supervision."""
    return (
        "import os, time\n"
        "from pipelines.cli.supervisor import note_what_is_kept, supervise\n"
        f"def work():\n    note_what_is_kept('kept: a')\n    note_what_is_kept('kept: a, b')\n"
        f"    print('working', os.getpid(), flush=True)\n    {work}\n    return 7\n"
        "sys.exit(supervise(work))"
    )


def worker_of(process):
    word, number = process.stdout.readline().split()
    assert word == "working"
    time.sleep(0.5)  # Until it is in the midst of it.
    return int(number)


def seconds_to_end(process):
    started = time.monotonic()
    _, errors = process.communicate(timeout=60)
    return time.monotonic() - started, errors


def test_the_exit_code_is_the_works():
    process = start(supervised("pass"))
    process.communicate(timeout=60)
    assert process.returncode == 7


def test_ctrl_c_raises_in_the_work_and_lets_it_clean_up():
    process = start(
        supervised(
            "\n    try: time.sleep(60)\n    except KeyboardInterrupt: time.sleep(0.2); print('cleaned', flush=True)"
        )
    )
    worker_of(process)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=60)
    assert out == "cleaned\n"
    assert process.returncode == 130
    assert "kept" not in errors  # It was not killed: it says itself what it kept.


def test_an_interrupt_lost_in_a_destructor_stops_the_work_all_the_same():
    process = start(
        supervised(
            "\n    class Slow:\n        def __del__(self): time.sleep(30)\n    Slow()\n    time.sleep(60)"
        )
    )
    worker_of(process)
    process.send_signal(signal.SIGINT)
    seconds, errors = seconds_to_end(process)
    assert process.returncode == 130
    assert seconds < 30
    assert "Traceback" not in errors
    assert "kept: a, b" in errors


def test_work_that_does_not_stop_is_killed_and_what_was_kept_is_told():
    process = start(supervised(_DEAF))
    worker_of(process)
    process.send_signal(signal.SIGINT)
    seconds, errors = seconds_to_end(process)
    assert seconds < 3
    assert process.returncode == 130
    assert errors == "stopped. kept: a, b\n"


def test_a_second_ctrl_c_kills_at_once():
    process = start(supervised(_DEAF))
    worker_of(process)
    process.send_signal(signal.SIGINT)
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    seconds, _ = seconds_to_end(process)
    assert seconds < 0.8
    assert process.returncode == 130


def test_a_crash_below_python_is_an_error_with_a_text():
    process = start(supervised("os.kill(os.getpid(), signal.SIGSEGV)"))
    worker_of(process)
    _, errors = seconds_to_end(process)
    assert process.returncode == 1
    assert "died of SIGSEGV" in errors
    assert "kept: a, b" in errors


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills a child with its parent")
def test_the_work_dies_with_whoever_waits_for_it():
    process = start(supervised("time.sleep(60)"))
    worker = worker_of(process)
    process.kill()
    process.communicate(timeout=60)
    deadline = time.monotonic() + 10
    while Path(f"/proc/{worker}").exists() and "Z" not in _state(worker):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _state(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


@pytest.mark.slow
@pytest.mark.parametrize("moment", [0.05, 0.3, 0.7, 1.4, 2.5, 4.0, 6.0])
def test_a_run_stops_at_any_moment_of_its_first_seconds(moment, tmp_path):
    program = "from pipelines.cli import main; main()"
    process = start(program, "run", "demo", "--workspace", str(tmp_path / "w"))
    time.sleep(moment)
    process.send_signal(signal.SIGINT)
    seconds, errors = seconds_to_end(process)
    assert process.returncode == 130
    assert seconds < 3
    assert "Traceback" not in errors
    assert "unexpected" not in errors
