"""No file that somebody else wrote can run code here: nothing that could is called, anywhere in the product."""

import ast
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from pipelines.recipe import strict_yaml

ROOT = Path(__file__).parents[2]
PACKAGES = ("tfelastic", "tflite_export", "pipelines", "runtime", "benchmarks", "docs")
# Modules whose files hold code, or objects whose making is code.
MODULES = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "jsonpickle", "marshal", "shelve"}
MODULES |= {"joblib", "telnetlib", "xmlrpc"}
# By the last part of the name, or by all of it.
CALLS = {"eval", "exec", "enable_unsafe_deserialization", "unsafe_load", "full_load"}
CALLS |= {"unsafe_load_all", "full_load_all", "load_all", "extractall", "unpack_archive"}
CALLS |= {"os.system", "os.popen"}
# Arguments that must be left out, or be this constant.
ARGUMENTS = {"allow_pickle": False, "safe_mode": True, "shell": False, "weights_only": True}
# What a script that is handed to another Python holds is code of this tree as well.
SCRIPT = "import "


def offences(source: str) -> Iterator[str]:
    """Yield what a program calls or imports that could run code from a file; its string scripts included."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                roots = {alias.name.partition(".")[0] for alias in names}
                yield from (f"imports {root}" for root in sorted(roots & MODULES))
            case ast.ImportFrom(module=str(module), names=names):
                if module.partition(".")[0] in MODULES:
                    yield f"imports {module}"
                yield from (
                    f"imports {each.name}"
                    for each in names
                    if {each.name, f"{module}.{each.name}"} & CALLS
                )
            case ast.Call():
                yield from _in_call(node)
            case ast.Constant(value=str(text)) if SCRIPT in text and "\n" in text:
                if _is_program(text):
                    yield from offences(text)


def _in_call(call: ast.Call) -> Iterator[str]:
    name = ast.unparse(call.func)
    last = name.rpartition(".")[2]
    method = "." in name and last in ("eval", "exec")  # Named as the builtins are, and not these.
    if {last, name} & CALLS and not method:
        yield f"calls {name}"
    given = {each.arg: each.value for each in call.keywords}
    for argument, allowed in ARGUMENTS.items():
        value = given.get(argument)
        if value is not None and not (isinstance(value, ast.Constant) and value.value is allowed):
            yield f"{name}({argument}={ast.unparse(value)})"
    if name == "yaml.load" and ast.unparse(given.get("Loader", call)) != "_Loader":
        yield f"calls {name} without the strict loader"


def _is_program(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def test_nothing_in_the_tree_can_run_code_from_a_file() -> None:
    files = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    assert len(files) > 250
    found = [
        f"{path.relative_to(ROOT)}: {offence}"
        for path in files
        for offence in offences(path.read_text("utf-8"))
    ]
    assert not found, "\n".join(found)


def test_the_strict_loader_of_yaml_makes_plain_values_alone() -> None:
    assert issubclass(strict_yaml._Loader, yaml.SafeLoader)
    tags = itertools.chain(
        strict_yaml._Loader.yaml_constructors, strict_yaml._Loader.yaml_multi_constructors
    )
    assert not [tag for tag in tags if tag and "python" in tag]


@pytest.mark.parametrize(
    ("program", "offence"),
    [
        ("import pickle", "imports pickle"),
        ("from pickle import loads", "imports pickle"),
        ("import os\nos.system('ls')", "calls os.system"),
        ("from os import system", "imports system"),
        ("np.load(path, allow_pickle=True)", "np.load(allow_pickle=True)"),
        ("np.load(path, allow_pickle=trusted)", "np.load(allow_pickle=trusted)"),
        (
            "keras.saving.load_model(path, safe_mode=False)",
            "keras.saving.load_model(safe_mode=False)",
        ),
        ("keras.config.enable_unsafe_deserialization()", "calls keras.config.enable_unsafe"),
        ("from keras.config import enable_unsafe_deserialization as x", "imports enable_unsafe"),
        ("yaml.load(text, Loader=yaml.Loader)", "calls yaml.load without the strict loader"),
        ("yaml.load(text)", "calls yaml.load without the strict loader"),
        ("yaml.unsafe_load(text)", "calls yaml.unsafe_load"),
        ("eval(text)", "calls eval"),
        ("exec(compile(text, name, 'exec'))", "calls exec"),
        ("tarfile.open(path).extractall()", "extractall"),
        ("subprocess.run(line, shell=True)", "subprocess.run(shell=True)"),
        ("SCRIPT = '''\nimport pickle\n'''", "imports pickle"),
    ],
)
def test_each_offence_is_seen(program: str, offence: str) -> None:
    assert any(offence in found for found in offences(program))


@pytest.mark.parametrize(
    "program",
    [
        "model.eval()",
        "platform.system()",
        "np.load(path, allow_pickle=False)",
        "keras.saving.load_model(path, compile=False)",
        "yaml.load(text, Loader=_Loader)",
    ],
)
def test_what_is_safe_is_no_offence(program: str) -> None:
    assert not list(offences(program))
