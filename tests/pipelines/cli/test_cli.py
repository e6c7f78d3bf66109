import errno
import importlib
import json
import os
import resource
import subprocess
import sys

import click
import pytest

import tflite_export as tx
from pipelines.cli import doctor
from pipelines.cli.entry import COMMANDS, COMPLETION, execute
from pipelines.cli.run import Changes
from tflite_export._embed.layouts import LAYOUTS
from tflite_export.arena import KERNELS

_START = "import sys; from pipelines.cli import main; main()"


def options_of(name):
    module = importlib.import_module(f"pipelines.cli.{name}")
    return [each for each in module.command.params if isinstance(each, click.Option)]


@pytest.mark.parametrize("arguments", [[], *([name] for name in COMMANDS)])
def test_help_comes_at_once(arguments):
    """Counted in processor time, so that a busy machine does not decide."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-c", _START, *arguments, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "Usage: " in done.stdout
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5


def test_ctrl_c_leaves_without_a_shutdown_that_threads_could_disturb():
    program = (
        "import atexit, os; from pipelines import cli; from pipelines.cli import entry\n"
        "atexit.register(os.abort); entry.execute = lambda _: (print('kept'), 130)[1]; cli.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (130, "kept\n")


def test_help_imports_nothing_heavy():
    program = (
        "import sys; from pipelines.cli.entry import execute\n"
        f"for name in {list(COMMANDS)!r}: assert execute([name, '--help']) == 0\n"
        "heavy = {'keras', 'tensorflow', 'numpy', 'matplotlib', 'jinja2', 'sklearn', 'rich'}\n"
        "heavy |= {'tfelastic', 'tflite_export', 'tfelastic_runtime'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]"


def test_the_list_of_commands_says_what_their_own_help_says(capsys):
    assert execute(["--help"]) == 0
    listed = capsys.readouterr().out
    for name in COMMANDS:
        assert name in listed
        assert execute([name, "--help"]) == 0


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_an_example(capsys, name):
    assert execute([name, "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    examples = [line.split() for line in lines if line.startswith(f"  tfelastic {name}")]
    assert examples
    known = {flag for each in options_of(name) for flag in (*each.opts, *each.secondary_opts)}
    used = {word for words in examples for word in words if word.startswith("-")}
    assert used <= known


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_answers_machines_too(name):
    (found,) = (each for each in options_of(name) if "--json" in each.opts)
    assert found.is_flag


def test_an_option_means_the_same_in_every_command():
    kinds, shorts = {}, {}
    for name in COMMANDS:
        for each in options_of(name):
            *_, long = each.opts
            kind = "path" if isinstance(each.type, click.Path) else each.type.name
            kinds.setdefault(long, set()).add((kind, each.is_flag))
            for short in each.opts[:-1]:
                shorts.setdefault(short, set()).add(long)
    assert {long: found for long, found in kinds.items() if len(found) > 1} == {}
    # A run is a folder that is gone on with; all else that commands write is an output.
    assert shorts == {"-o": {"--output", "--workspace"}, "-q": {"--quiet"}}


def test_choices_are_what_the_exporter_knows():
    """They are written down a second time, because help is to come without importing the exporter."""
    for command, option, known in (
        ("export", "kernels", KERNELS),
        ("embed", "kernels", KERNELS),
        ("embed", "layout", LAYOUTS),
        ("export", "target", tx.TARGETS),
        ("nest", "target", tx.TARGETS),
        ("export", "scheme", tx.SCHEMES),
    ):
        module = importlib.import_module(f"pipelines.cli.{command}")
        (found,) = (each for each in module.command.params if each.name == option)
        assert tuple(found.type.choices) == tuple(known)


@pytest.mark.parametrize(
    "arguments",
    [["nosuch"], ["run"], ["run", "demo", "--nosuch"], ["report", "no/such/folder"], ["demo", "x"]],
)
def test_wrong_usage_is_2_and_says_what(capsys, arguments):
    assert execute(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Usage: " in captured.err


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["run", "nosuch"], ["no recipe 'nosuch'", "demo"]),
        (["run", "demo", "--set", "baseline.epoch=1"], ["'epoch'", "'epochs'", "rename"]),
        (["run", "demo", "--set", "seed"], ["--set seed", "key=value"]),
        (["run", "demo", "--set", "data.source=./no/data"], ["./no/data", "does not exist"]),
        (["run", "demo", "--set", "model.name=resnet9"], ["'resnet9'", "resnet8"]),
        (["run", "demo", "--set", "ladder.criterion=magnetude"], ["magnetude", "magnitude"]),
        (["run", "demo", "--set", "export.scheme=int4"], ["int4", "int8"]),
    ],
)
def test_a_failure_is_1_and_one_message(capfd, tmp_path, arguments, parts):
    where = ["--workspace", str(tmp_path / "w"), "--quiet"]
    assert execute([*arguments, *where]) == 1
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    assert "error: " in captured.err
    for part in parts:
        assert part in captured.err


def test_debug_shows_the_traceback(capsys):
    assert execute(["--debug", "run", "nosuch"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_an_unfinished_workspace_has_no_report(capsys, tmp_path):
    assert execute(["report", str(tmp_path)]) == 1
    assert "metrics.json" in capsys.readouterr().err


def test_what_nobody_foresaw_is_told_as_such(capsys, monkeypatch):
    def fail(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError("by nought")

    monkeypatch.setattr("pipelines.experiments.load_recipe", fail)
    assert execute(["run", "demo"]) == 1
    assert "unexpected ZeroDivisionError: by nought" in capsys.readouterr().err


def test_ctrl_c_is_130_and_says_what_was_kept_and_how_to_go_on(capsys, monkeypatch, tmp_path):
    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipelines.experiments.carry_out", interrupted)
    folder = str(tmp_path / "w")
    assert (
        execute(["run", "demo", "--workspace", folder, "--set", "ladder.budgets.shares=[0.5, 0.3]"])
        == 130
    )
    error = capsys.readouterr().err
    assert "Kept: " in error
    assert (
        f"tfelastic run demo --workspace {folder} --set 'ladder.budgets.shares=[0.5, 0.3]'" in error
    )


def test_the_doctor_finds_this_environment_fit(capsys):
    assert execute(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["demo_can_run"]
    assert set(found["programs"]) == set(doctor.PROGRAMS)
    versions = {entry["package"]: entry["version"] for entry in found["packages"]}
    assert versions["keras"]
    assert versions["tensorflow"]


def test_the_doctor_fails_where_the_demo_cannot_run(capsys, monkeypatch):
    extras = {**doctor.EXTRAS, "report": {"nosuch-package": "nosuch_package"}}
    monkeypatch.setattr(doctor, "EXTRAS", extras)
    assert execute(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "nosuch-package" in out
    assert "tfelastic[report]" in out
    assert "cannot run" in out
    assert "Without [report]: no digits" in out


def test_the_doctor_says_what_each_missing_thing_costs(capsys, monkeypatch):
    assert set(doctor.WITHOUT) == set(doctor.EXTRAS) - {"base"}
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    monkeypatch.setattr(doctor, "EXTRAS", {"base": {"click": "click"}})
    execute(["doctor"])
    out = capsys.readouterr().out
    for name, cost in doctor.PROGRAMS.items():
        assert f"{name}: missing: {cost}" in out


def test_a_broken_package_is_a_finding_and_no_crash(monkeypatch):
    found = doctor.examine("base", "numpy", "no_such_module_of_numpy")
    assert found.problem is not None
    assert found.blocks_demo


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "runs/x"),
            "runs/x: No space left on device; free",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "out.keras"),
            "out.keras: Permission denied",
        ),
        (MemoryError(), "out of memory"),
    ],
)
def test_what_the_system_refuses_is_told_with_the_file(error, message, capsys, monkeypatch):
    def fail(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr("pipelines.cli.doctor.examine", fail)
    assert execute(["doctor"]) == 1
    told = capsys.readouterr().err
    assert message in told
    assert "unexpected" not in told


def test_a_dry_run_lists_the_stages_and_touches_nothing(capsys, tmp_path):
    folder = tmp_path / "w"
    assert execute(["run", "demo", "--workspace", str(folder), "--dry-run", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["stage"] for row in rows][:3] == ["data", "baseline", "ladder"]
    assert all(row["runs"] for row in rows)
    assert not folder.exists()


def test_a_key_without_effect_is_warned_of(capsys, monkeypatch, tmp_path):
    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipelines.experiments.carry_out", interrupted)
    command = ["run", "demo", "--workspace", str(tmp_path / "w"), "--set", "model.name=a.keras"]
    assert execute([*command, "--set", "model.options={classes: 3}"]) == 130
    assert "warning: model.options has no effect" in capsys.readouterr().err


@pytest.mark.parametrize(("strict", "strays"), [(True, "stop"), (False, "leave out")])
def test_only_a_strict_run_stops_at_a_variant_that_strays(strict, strays):
    assert Changes(None, (), None, strict).load("keywords").export.strays == strays


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_each_example_in_a_line_of_its_own(name, capsys):
    assert execute([name, "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert not any("\\b" in line or "\b" in line for line in lines)
    for line in lines:
        assert line.count("  tfelastic ") == int(line.startswith("  tfelastic "))


def complete(words):
    """Return what click's script for bash is answered for the words of a command line."""
    program = "from pipelines.cli import main; main()"
    environment = {"COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment, COMPLETION: "bash_complete"},
    )
    return done.stdout.split()


def test_shells_complete_commands_options_recipes_and_files():
    assert complete(["tfelastic", "pru"]) == ["plain,prune"]
    assert complete(["tfelastic", "prune", "--sav"]) == ["plain,--save-plan"]
    assert complete(["tfelastic", "run", "dem"]) == ["file,dem", "plain,demo"]
    assert complete(["tfelastic", "inspect", "ne"]) == ["file,ne"]
    assert complete(["tfelastic", "export", "a.keras", "--target", "t"]) == ["plain,tflm"]


def test_the_line_that_turns_completion_on_is_in_the_help(capsys):
    assert execute(["--help"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert 'eval "$(_TFELASTIC_COMPLETE=bash_source tfelastic)"' in told


def test_a_reader_that_has_seen_enough_gets_no_complaint():
    program = "from pipelines.cli import main; main()"
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-c", program, "run", "--help"],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


def test_the_application_is_imported_and_locks_where_there_is_no_fcntl(tmp_path):
    """As on Windows, whose module for locks is played here."""
    program = (
        "import sys, types; sys.modules['fcntl'] = None\n"
        "held = []\n"
        "sys.modules['msvcrt'] = types.SimpleNamespace(LK_NBLCK=2, locking=lambda *how: held.append(how[1:]))\n"
        "from pipelines.cli.entry import execute\n"
        "from pipelines.workspace import Workspace\n"
        "with Workspace.open(sys.argv[1], 'x'): pass\n"
        "assert held == [(2, 1)], held"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "w")], check=True)


def test_a_dry_run_says_how_long_what_runs_again_took(capsys, tmp_path):
    state = tmp_path / "w" / ".state"
    state.mkdir(parents=True)
    finished = {"summary": "", "inputs": {}, "files": {}, "result": {}}
    stages = {"data": {**finished, "seconds": 4}, "baseline": {**finished, "seconds": 181}}
    (state / "run.json").write_text(json.dumps({"format": 2, "name": "demo", "stages": stages}))
    assert execute(["run", "demo", "--workspace", str(tmp_path / "w"), "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == (
        "12 of 12 stages run; 2 of them took 3 min 05 s together last time; 10 never ran here, so how long they take "
        "is not known"
    )
